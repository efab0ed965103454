"""`dreg list`."""

from __future__ import annotations

from dreg.commands import RepoOpt, answers
from dreg.output import out


@answers("dreg.catalog:Listing")
def list(repo: RepoOpt = None) -> None:
    """List datasets with their latest version, samples and size.

    \b
    Example:
      dreg list --repo https://github.com/acme/data-registry
    """
    from dreg.catalog import listing

    out.answer(listing(repo))
