"""GitHub's API: repositories of an organisation, their READMEs, files by their hash."""

from dreg.adapters.github.api import Absent, Api, Declined
from dreg.adapters.github.repositories import Readme, Repo, blob, last_change, readme, repositories

__all__ = [
    "Absent",
    "Api",
    "Declined",
    "Readme",
    "Repo",
    "blob",
    "last_change",
    "readme",
    "repositories",
]
