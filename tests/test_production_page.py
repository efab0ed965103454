"""docs/production.md followed to the letter: what it says to type, then the first night, on S3."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ci_jobs import ACTIONS
from tests.small_registry import OUTER

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "production.md").read_text()


def typed(section: int) -> list[str]:
    """The commands of a section's blocks, in order, without what only GitHub or a cluster can answer."""
    text = re.split(r"^## ", PAGE, flags=re.MULTILINE)[section]
    lines = [
        line[2:]
        for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    return [line for line in lines if not line.startswith(("gh ", "kubectl "))]


@pytest.mark.slow
def test_from_zero_to_the_first_night(s3, tmp_path, made_registry):
    bare = tmp_path / "my-registry.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    here = {
        "s3://my-bucket": s3.url,
        "https://s3.example.com": s3.endpoint,
        "git@github.com:acme/my-registry.git": f"file://{bare}",
    }
    commands = [*typed(1), *typed(2), *typed(3), *typed(4)]
    assert any("git push -u" in line for line in commands)
    script = "set -eo pipefail\n" + "\n".join(commands)
    for said, meant in here.items():
        assert said in script
        script = script.replace(said, meant)
    environment = {name: v for name, v in made_registry.environment.items() if name not in OUTER}
    environment |= {
        **s3.environment,
        "DREG_CACHE": str(tmp_path / "cache"),
        "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}",
    }

    def run(*words, folder=tmp_path, **more):
        done = subprocess.run(
            words, cwd=folder, env={**environment, **more}, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    before, _, laptop = script.partition("dreg ci plan --changed-since")
    run("bash", "-c", before)
    run("git", "clone", "-q", "--depth=1", f"file://{bare}", "runner")
    night = run("dreg", "ci", "run", folder=tmp_path / "runner", **ACTIONS)
    assert re.search(r"wine-quality +changed .* 1\.0\.0, first release", night), night
    tags = run("git", "tag", "--list", folder=bare).split()
    assert tags == ["wine-quality-v1.0.0"]
    again = run("dreg", "ci", "run", folder=tmp_path / "runner", **ACTIONS)
    assert re.search(r"wine-quality +unchanged", again), again
    run("git", "pull", "-q", folder=tmp_path / "my-registry")
    said = run(
        "bash",
        "-c",
        f"set -eo pipefail\ncd my-registry\ndreg ci plan --changed-since{laptop}",
    )
    assert "no dataset is touched" in said
    assert "No dataset is touched." in said
