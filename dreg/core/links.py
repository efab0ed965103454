"""Pages about a repository on the web, told from the address of its git remote."""

from __future__ import annotations

import re

# By the name of the host, or its first part where one hosts it oneself: the page that compares two
# tags, and the page of one.
_PAGES = {
    "github": ("compare/{old}...{new}", "tree/{new}"),
    "gitlab": ("-/compare/{old}...{new}", "-/tree/{new}"),
    "codeberg": ("compare/{old}...{new}", "src/tag/{new}"),
    "gitea": ("compare/{old}...{new}", "src/tag/{new}"),
    "forgejo": ("compare/{old}...{new}", "src/tag/{new}"),
}
_ADDRESS = re.compile(r"(https?|ssh)://(?:[^@/]*@)?([A-Za-z0-9.-]+)(:\d+)?/(.+)")
_SCP_LIKE = re.compile(r"(?:[^@/]+@)?([^:/]+):(?!/)(.+)")


def tag_page(remote: str | None, new: str, old: str | None = None) -> str:
    """The page of tag `new`, or of what changed since tag `old`; empty if there is no such page.

    Whatever user, token or ssh port `remote` has is left out.
    """
    home = _home(remote or "")
    if home is None:
        return ""
    host, address = home
    pages = _PAGES.get(host.split(".")[0])
    if pages is None:
        return ""
    return f"{address}/{pages[0 if old else 1].format(old=old, new=new)}"


def _home(remote: str) -> tuple[str, str] | None:
    """Host and address of the repository's home page."""
    if match := _ADDRESS.fullmatch(remote):
        scheme, host, port, path = match[1], match[2], match[3] or "", match[4]
    elif match := _SCP_LIKE.fullmatch(remote):
        scheme, host, port, path = "ssh", match[1], "", match[2]
    else:
        return None
    path = path.strip("/").removesuffix(".git")
    if scheme == "ssh":
        return host, f"https://{host}/{path}"
    return host, f"{scheme}://{host}{port}/{path}"
