"""The generated pages: fresh, complete, and stale pages are noticed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench import report
from dreg import cli
from dreg.core.rules import RULES
from dreg.reference import pages as reference


def check() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dreg.reference", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_pages_are_fresh():
    done = check()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_command_and_every_rule_has_its_section():
    pages = reference.pages()
    for name in cli.COMMANDS:
        assert f"\n## dreg {name}" in pages["cli.md"]
    for name in RULES:
        assert f"\n## {name}\n" in pages["rules.md"]


def test_a_stale_page_is_noticed_and_written_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reference, "DOCS", tmp_path)
    reference.main([])
    reference.main([])
    assert capsys.readouterr().err == "".join(f"wrote docs/{name}\n" for name in reference.pages())
    (tmp_path / "rules.md").write_text("# Rules that I made up\n")
    with pytest.raises(SystemExit) as stopped:
        reference.main(["--check"])
    assert stopped.value.code == 1
    assert "docs/rules.md is stale: python -m dreg.reference" in capsys.readouterr().err
    assert (tmp_path / "rules.md").read_text() == "# Rules that I made up\n"


def test_readme_has_the_measured_figures():
    readme = report.README.read_text(encoding="utf-8")
    assert f"{report.START}{report.markdown(report.read())}{report.END}" in readme
