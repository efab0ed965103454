"""Signed tags: made and verified by git itself, with SSH or GPG as the user's git is configured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.git.elsewhere import Revision
from dreg.adapters.git.process import git, start
from dreg.adapters.git.repository import Repository
from dreg.adapters.scratch import scratch_folder
from dreg.core.manifest import SIGNATURE
from dreg.errors import BadRequest, Refused


@dataclass(frozen=True)
class Signers:
    """Whose signatures are good: those in the file, by SSH; without one, whom the user's git trusts."""

    allowed: Path | None = None

    @classmethod
    def of(cls, allowed: str | None) -> Signers:
        """Raises BadRequest when there is no such file."""
        if allowed is None:
            return cls()
        path = Path(allowed).expanduser().resolve()
        if not path.is_file():
            raise BadRequest(
                f"there is no file of allowed signers `{allowed}`",
                hint="a line a signer, as in: ada@example.com ssh-ed25519 AAAA... (man ssh-keygen)",
            )
        return cls(path)


@contextmanager
def scratch_repository(root: Path) -> Iterator[dict[str, str]]:
    """The environment of a git repository with the objects and the configuration of the one at
    `root`, and references of its own: `git tag` there makes an object that nothing here refers to.
    """
    repository = Repository(root)
    form = repository.ask("rev-parse", "--show-object-format")
    objects = (root / repository.ask("rev-parse", "--git-path", "objects")).resolve()
    config = (root / repository.ask("rev-parse", "--git-path", "config")).resolve()
    quoted = str(config).replace("\\", "\\\\").replace('"', '\\"')
    with scratch_folder(repository.git_folder) as scratch:
        for folder in ("objects", "refs"):
            (scratch / folder).mkdir()
        (scratch / "HEAD").write_text("ref: refs/heads/none\n")
        (scratch / "config").write_text(
            f"[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = {form}\n"
            f'[include]\n\tpath = "{quoted}"\n'
        )
        yield {
            "GIT_DIR": str(scratch),
            "GIT_OBJECT_DIRECTORY": str(objects),
            **signing_in(scratch),
        }


def signing_in(scratch: Path) -> dict[str, str]:
    """What git and ssh-keygen write while they sign, and leave on a full disk, goes with the folder."""
    return {"TMPDIR": str(scratch)}


def signatures(text: str) -> list[str]:
    """The kinds of the signatures in a tag object's text, whether they are good or not."""
    return SIGNATURE.findall(text)


def is_signed(commit: str) -> bool:
    """Whether a commit object's text has a signature, good or not."""
    headers, _, _ = commit.partition("\n\n")
    return any(line.startswith("gpgsig") for line in headers.split("\n"))


def refuse_unsigned(revision: Revision, tag: str, signers: Signers) -> str:
    """What git says of the signature of the tag at `revision`.

    Raises Refused unless it is a good one, on just this tag and commit, by one of the signers.
    """
    store, oid = revision.cache.store, revision.tag_object
    again = "nothing was changed; ask the registry's owner for a signed release"
    text = git("cat-file", "tag", oid, cwd=store).decode(errors="replace") if oid else ""
    kinds = signatures(text)
    if oid is None or not kinds:
        raise Refused(f"`{tag}` is not signed", hint=again)
    if text.split("\n")[:3] != [f"object {revision.commit}", "type commit", f"tag {tag}"]:
        raise Refused(f"what is called `{tag}` was signed as another tag", hint=again)
    options = []
    if signers.allowed is not None:
        if kinds[-1] != "SSH SIGNATURE":
            raise Refused(
                f"`{tag}` is not signed by SSH, as those in {signers.allowed.name} do", hint=again
            )
        options = ["-c", f"gpg.ssh.allowedSignersFile={signers.allowed}"]
    done = start([*options, "verify-tag", oid], store)
    said = done.stderr.decode(errors="replace").strip()
    if "allowedSignersFile needs to be configured" in said:
        raise BadRequest(
            f"`{tag}` is signed by SSH, and nobody is said to be trusted",
            hint="name a file of allowed signers: --allowed-signers FILE, or "
            "git config --global gpg.ssh.allowedSignersFile FILE",
        )
    if done.returncode != 0:
        raise Refused(
            f"the signature of `{tag}` is not that of an allowed signer, or not good",
            hint=again,
            details=said.splitlines()[-4:],
        )
    good = [line for line in said.splitlines() if "Good " in line]
    return (good or said.splitlines() or ["a good signature"])[-1].removeprefix("gpg: ")
