"""The main job, narrated: a real dataset from its source to a training repository, twice.

`make demo` runs this in a scratch folder with a bare git remote beside it; the clone it starts
from is only read. Every line that starts with `$` is a command that is really run, and what
follows is really its output.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]
DATASET = "wine-quality"


class Story:
    """Runs commands in `scratch` as a person would type them, and shows both."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        # A person in an activated environment: `dreg` and `python` are this installation's.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        outer = ("DREG_REPO", "DVC_REPO", "DREG_REMOTE", "DVC_REMOTE", "DVC_DATA_VERSION")
        self.environment = {k: v for k, v in os.environ.items() if k not in outer}
        self.environment |= {"PATH": path, "DREG_CACHE": str(scratch / "cache")}

    def tell(self, text: str) -> None:
        bold = f"\x1b[1m{text}\x1b[0m" if self.colour else text
        print(f"\n{bold}", flush=True)

    def run(self, command: str, folder: str, *, shown: bool = True, code: int = 0) -> None:
        """Run one command line in a folder of the scratch; its exit code must be `code`."""
        if shown:
            print(f"{folder}$ {command}", flush=True)
        done = subprocess.run(
            shlex.split(command),
            cwd=self.scratch / folder,
            env=self.environment,
            check=False,
            capture_output=not shown,
            text=True,
        )
        if done.returncode != code:
            print(done.stderr or "", file=sys.stderr)
            sys.exit(f"the demo stopped: `{command}` ended with {done.returncode}, not {code}")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace one line of a file, and show it as a person's edit."""
        file = self.scratch / path
        text = file.read_text()
        if old not in text:
            sys.exit(f"the demo stopped: {path} has no line `{old}`")
        file.write_text(text.replace(old, new, 1))
        folder, _, rest = path.partition("/")
        print(f"{folder}$ edit {rest}:  {old}  ->  {new}", flush=True)


def prepare(story: Story) -> None:
    """A bare git remote with this project's main, a clone of it, and an empty training folder."""
    story.run(
        f"git clone --quiet --bare --no-tags {shlex.quote(str(CLONE))} registry.git",
        ".",
        shown=False,
    )
    story.run("git update-ref refs/heads/main HEAD", "registry.git", shown=False)
    story.run("git symbolic-ref HEAD refs/heads/main", "registry.git", shown=False)
    tags = subprocess.run(
        ["git", "tag"],
        cwd=story.scratch / "registry.git",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for tag in tags:  # the demo makes its own releases
        story.run(f"git tag -d {tag}", "registry.git", shown=False)
    story.run("git clone --quiet registry.git registry", ".", shown=False)
    story.run("git config user.name 'A data engineer'", "registry", shown=False)
    story.run("git config user.email engineer@example.com", "registry", shown=False)
    # Hooks of the person's own have their say in real repositories, not in a scratch copy.
    story.run("git config core.hooksPath .git/hooks", "registry", shown=False)
    (story.scratch / "training").mkdir()


def tell(story: Story) -> None:
    """The story. Each step relies on the one before."""
    story.tell("1. Run the pipeline on the real data: download -> process -> analyze.")
    story.edit(f"registry/pipelines/{DATASET}/params.yaml", "hold_back: 0.0", "hold_back: 0.2")
    story.run(f"dreg run {DATASET}", "registry")
    story.run(f"dreg check {DATASET}", "registry")

    story.tell("2. Release it. The first version is 1.0.0; bytes first, the tag last.")
    story.run(f"dreg release {DATASET}", "registry")
    story.run("dreg list", "registry")

    story.tell("3. A training repository of its own fetches a range: no clone, no DVC.")
    story.run(f"dreg fetch {DATASET}@^1.0 --repo ../registry.git -o data/wine", "training")
    story.run("cat dreg.lock", "training")

    story.tell("4. The rows held back arrive. What changed, and what is the next version?")
    story.edit(f"registry/pipelines/{DATASET}/params.yaml", "hold_back: 0.2", "hold_back: 0.0")
    story.run(f"dreg run {DATASET}", "registry")
    story.run(f"dreg diff {DATASET}", "registry")
    story.run(f"dreg release {DATASET}", "registry")

    story.tell("5. The same fetch again: the range now means the new release, and the lock moves.")
    story.run(f"dreg fetch {DATASET}@^1.0 --repo ../registry.git -o data/wine", "training")
    story.run("cat dreg.lock", "training")

    story.tell("6. Somebody drops a column. That breaks training code, and dreg says so.")
    story.edit(
        f"registry/pipelines/{DATASET}/params.yaml", "drop_columns: []", "drop_columns: [density]"
    )
    story.run(f"dreg run {DATASET}", "registry")
    story.run(f"dreg check {DATASET}", "registry", code=1)
    story.tell(
        "   The owner means it: the contract drops the column too, and the version is major."
    )
    drop_from_contract(story, "density")
    story.run(f"dreg run {DATASET}", "registry")
    story.run(f"dreg diff {DATASET}", "registry")
    story.run(f"dreg release {DATASET}", "registry")
    story.run(f"dreg fetch {DATASET}@^1.0 --repo ../registry.git -o data/wine", "training")
    story.tell("   ^1.0 stayed where it was: who reads `density` is safe until they ask for ^2.")
    story.run("dreg list --repo ../registry.git", "training")


def drop_from_contract(story: Story, column: str) -> None:
    """Remove the column's line from dataset.yaml."""
    path = f"registry/pipelines/{DATASET}/dataset.yaml"
    lines = (story.scratch / path).read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.strip().startswith(f"{column}:")]
    (story.scratch / path).write_text("".join(kept))
    print(f"registry$ edit pipelines/{DATASET}/dataset.yaml:  without `{column}`", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", metavar="DIR", help="run in DIR (must not exist) and keep it")
    keep = parser.parse_args().keep
    scratch = Path(keep).resolve() if keep else Path(tempfile.mkdtemp(prefix="dreg-demo-"))
    scratch.mkdir(parents=True, exist_ok=not keep)
    story = Story(scratch)
    try:
        prepare(story)
        print(f"in {scratch}: registry/ (the work tree), registry.git (its remote), training/")
        tell(story)
        if keep:
            print(f"\nLook around: {scratch}")
    finally:
        if not keep:
            shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
