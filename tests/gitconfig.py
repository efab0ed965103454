"""What git is told in tests."""

from __future__ import annotations

# It looks after every commit and push whether there is enough to tidy, which there never is here.
NO_HOUSEKEEPING = "[maintenance]\n\tauto = false\n[receive]\n\tautogc = false\n"


def gitconfig(name: str, email: str) -> str:
    """A configuration of somebody who commits."""
    return f"[user]\n\tname = {name}\n\temail = {email}\n{NO_HOUSEKEEPING}"
