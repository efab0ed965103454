"""git: the user's own, so that credential helpers, ssh configuration and proxies work.

Reading takes a plain process per question (about 5 ms), so that `list`, `status` and `fetch` are
quick and need no library: `repository` reads the one around us, `elsewhere` one at a URL. What
writes history is in `publish`, and needs GitPython.
"""

from dreg.adapters.git.elsewhere import (
    Revision,
    fetch_tags,
    known_tags,
    refuse_damaged,
    remote_references,
    remote_tags,
    revision,
)
from dreg.adapters.git.objects import Tag
from dreg.adapters.git.process import Unreachable, check_url, git, public_url
from dreg.adapters.git.repository import Repository
from dreg.adapters.git.signing import Signers, refuse_unsigned

__all__ = [
    "Repository",
    "Revision",
    "Signers",
    "Tag",
    "Unreachable",
    "check_url",
    "fetch_tags",
    "git",
    "known_tags",
    "public_url",
    "refuse_damaged",
    "refuse_unsigned",
    "remote_references",
    "remote_tags",
    "revision",
]
