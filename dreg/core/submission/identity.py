"""How a submission is called: `workflow/NAME` of Argo, `rayjob/NAME` of KubeRay, `ray/NAME` of a Ray cluster."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from dreg.errors import BadRequest

LONGEST = 47  # KubeRay's: it makes longer names from it, which Kubernetes then takes up to 63
NAME = re.compile(rf"[a-z]([a-z0-9-]{{0,{LONGEST - 2}}}[a-z0-9])?")
TOLD = 28  # of names in a name


class Kind(StrEnum):
    """What a submission is, and so who knows of it."""

    WORKFLOW = "workflow"
    RAYJOB = "rayjob"
    RAY = "ray"


@dataclass(frozen=True)
class Submission:
    """A submission of that kind and name; as text, what `dreg submit status` takes."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Submission:
        """Raises BadRequest for what is not the id of a submission."""
        kind, slash, name = text.partition("/")
        if not slash or kind not in {*Kind}:
            raise BadRequest(
                f"`{text}` is not the id of a submission",
                hint="ids are `workflow/NAME`, `rayjob/NAME` and `ray/NAME`, as `dreg submit` told it",
            )
        return cls(Kind(kind), checked(name))


def checked(name: str) -> str:
    """The name, if Kubernetes takes it. Raises BadRequest."""
    if not NAME.fullmatch(name):
        raise BadRequest(
            f"`{name}` cannot be the name of a submission",
            hint=f"up to {LONGEST} small letters, digits and dashes, beginning with a letter",
        )
    return name


def name_for(datasets: tuple[str, ...], *what: str) -> str:
    """A name that says which datasets, and that is another one for another `what`."""
    told = "-".join(datasets) or "all"
    told = re.sub(r"[^a-z0-9]+", "-", told.lower())[:TOLD].strip("-")
    digest = hashlib.sha256("\0".join((*datasets, *what)).encode()).hexdigest()[:10]
    return "-".join(word for word in ("dreg", told, digest) if word)
