"""What `dreg fetch` is asked for in words: a release, all that is asked for here, or a path of a repository."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dreg.adapters.dvc_config import Remotely
from dreg.core.subset import Subset
from dreg.core.version import as_revision
from dreg.errors import BadRequest
from dreg.fetch.answer import Fetches
from dreg.fetch.fetching import fetch
from dreg.fetch.pin import NoSuchRevision, signers_of

if TYPE_CHECKING:
    from dreg.fetch.getting import Got


@dataclass(frozen=True)
class Wish:
    """What is wanted, as it was said. `revision` is of a path in a repository, which has no name, or of a
    dataset in one that has no releases; `columns` has commas between them; `metadata_only` leaves out the data."""

    request: str | None = None
    splits: Sequence[str] = ()
    paths: Sequence[str] = ()
    columns: str = ""
    metadata_only: bool = False
    revision: str | None = None
    raw: bool = False

    def subset(self) -> Subset | None:
        """The part that is wanted; None if nothing is said of any. Raises BadRequest."""
        columns = [name.strip() for name in self.columns.split(",") if name.strip()]
        if self.columns and not columns:
            raise BadRequest(
                f"`--columns {self.columns}` names none",
                hint="name some, or leave --columns out for all: --columns text,label",
            )
        if not (self.splits or self.paths or columns or self.metadata_only):
            return None
        return Subset.of(self.splits, self.paths, columns, self.metadata_only)

    def is_path(self, repo: str | None) -> bool:
        """Whether it is a path in a repository. Raises BadRequest for a revision of nothing."""
        if self.revision is not None and self.request is None and not self.paths:
            raise BadRequest(
                "--rev is of a dataset or a path",
                hint="name it: dreg fetch NAME --rev V, or --path DIR --rev V",
            )
        return self.request is None and bool(self.paths) and (repo or self.revision) is not None

    def said(self) -> str | None:
        """The request with the revision in it. Raises BadRequest where that can't be."""
        if self.request is None or self.revision is None:
            return self.request
        name, at, _ = self.request.partition("@")
        if at:
            raise BadRequest(
                f"`{self.request}` and --rev {self.revision} both say which one is meant",
                hint=f"leave one of them out: dreg fetch {self.request}",
            )
        return f"{name}@{as_revision(self.revision)}"


def bring(
    wish: Wish,
    *,
    repo: str | None = None,
    output: str | None = None,
    remote: Remotely = None,
    force: bool = False,
    only_locked: bool = False,
    require_signed: bool = False,
    allowed_signers: str | None = None,
) -> Fetches | Got:
    """Bring it. Raises as `fetch` and `get` do."""
    if wish.is_path(repo):
        if only_locked:
            raise BadRequest(
                "--locked is of what dreg.lock pins, and a path of a repository never is",
                hint="leave out --locked: a commit id with --rev always brings the same",
            )
        _refuse_of_releases(wish, signed=require_signed or allowed_signers is not None)
        from dreg.fetch.getting import get  # reads YAML, which releases have none of

        return get(
            wish.paths, repo=repo, revision=wish.revision, output=output, remote=remote, force=force
        )
    try:
        return fetch(
            wish.said(),
            repo=repo,
            output=output,
            remote=remote,
            raw=wish.raw,
            subset=wish.subset(),
            force=force,
            only_locked=only_locked,
            signers=signers_of(required=require_signed, allowed=allowed_signers),
        )
    except NoSuchRevision as error:
        plain = wish.revision is not None and as_revision(wish.revision) == wish.revision
        if plain and isinstance(error.__cause__, BadRequest):
            raise error.__cause__ from None  # who says --rev means no range
        raise


def _refuse_of_releases(wish: Wish, *, signed: bool) -> None:
    """Raises BadRequest for options that mean nothing for a path, or what it does not have."""
    if signed:
        raise BadRequest(
            "a path of a repository is not signed: releases are",
            hint="fetch the dataset: dreg fetch NAME --require-signed",
        )
    options = {
        "--split": wish.splits,
        "--columns": wish.columns,
        "--metadata-only": wish.metadata_only,
        "--raw": wish.raw,
    }
    given = [name for name, value in options.items() if value]
    if given:
        raise BadRequest(
            f"{' and '.join(given)} choose from a dataset, and this is a path",
            hint="leave them out, or name the dataset: dreg fetch NAME",
        )
