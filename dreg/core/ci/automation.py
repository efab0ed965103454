"""Who started a run that no person did, by the environment it finds itself in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TRUE = ("true", "1")
BOT = ("github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com")


@dataclass(frozen=True)
class Automation:
    """The system, what made it start (`event`), and which `run` of it this is: an address or an id.

    `passing`: the machine's disk is gone when the run ends.
    """

    system: str
    event: str
    run: str
    passing: bool = False

    def __str__(self) -> str:
        return " ".join(word for word in (self.system, self.event, self.run) if word)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Automation | None:
        """None where it is a person, as far as the environment tells."""

        def said(name: str) -> str:
            return "".join(environment.get(name, "").split())  # one word of a line in the tag

        if said("GITHUB_ACTIONS") in TRUE:
            where = (
                f"{said('GITHUB_SERVER_URL') or 'https://github.com'}/{said('GITHUB_REPOSITORY')}"
            )
            run = f"{where}/actions/runs/{said('GITHUB_RUN_ID')}"
            attempt = said("GITHUB_RUN_ATTEMPT")
            again = f"/attempts/{attempt}" if attempt not in ("", "1") else ""
            passing = said("RUNNER_ENVIRONMENT") == "github-hosted"
            return cls("github-actions", said("GITHUB_EVENT_NAME"), f"{run}{again}", passing)
        if workflow := said("ARGO_WORKFLOW_UID"):
            return cls("argo", "", f"{said('ARGO_WORKFLOW_NAME')}/{workflow}".lstrip("/"), True)
        if submission := said("DREG_SUBMISSION"):
            return cls("submitted", "", submission, True)
        if said("CI") in TRUE:
            return cls("ci", "", "")
        return None

    def identity(self) -> tuple[str, str]:
        """Name and address for commits, where git has been told none."""
        return BOT if self.system == "github-actions" else ("dreg", "dreg@localhost")
