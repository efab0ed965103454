"""A dataset that somebody else changed on the branch, meanwhile: what they pushed, in the place of what a run made."""

from __future__ import annotations

from dreg.adapters.claims import Claims, patience
from dreg.adapters.git import Repository
from dreg.adapters.git.following import fast_forward
from dreg.adapters.git.publish import Publisher
from dreg.adapters.making import making_path
from dreg.errors import DregError
from dreg.output import out
from dreg.registry import Dataset
from dreg.release.branch_tip import GIT_REMOTE


def follow(dataset: Dataset, wait: float | None = None) -> bool:
    """Bring the branch's newest commit into the clone; False, with nothing lost, where that can't be.

    What a run makes is put back to what the clone was made with: another run makes it again. Files
    that a person changed are never touched.
    """
    repository = Repository(dataset.root)
    pipeline, data = dataset.folders
    made = {f"{pipeline}/dvc.lock", making_path(dataset), f"{data}/metadata.json"}
    claims = Claims(dataset.root, f"dreg ci run {dataset.name}", patience(wait), out.note)
    try:
        with claims.of(dataset.name):
            changed = repository.changed(dataset.folders)
            if not set(changed) <= made:
                return False
            publisher = Publisher(dataset.root)
            branch = repository.branch() or publisher.default_branch(GIT_REMOTE) or "main"
            tip = publisher.fetch_tip(GIT_REMOTE, branch)
            head = repository.head()
            if tip is None or head is None or not repository.is_ancestor(head, tip):
                return False
            with claims.clone():
                for path in changed:
                    there = repository.read(head, path)
                    if there is None:
                        (dataset.root / path).unlink()
                    else:
                        (dataset.root / path).write_bytes(there)
                fast_forward(dataset.root, tip)
    except DregError as error:
        out.warn(f"`{dataset.name}` could not follow the branch: {error.fact}")
        return False
    return True
