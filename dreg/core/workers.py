"""Workers on a cluster: how many a stage asks for at a time, and what each of them needs."""

from __future__ import annotations

from dataclasses import dataclass

from dreg.core.ci.compute import ComputeType


@dataclass(frozen=True)
class Workers:
    """`count` at a time, each with so many CPUs and GPUs."""

    count: int
    cpus: int
    gpus: int = 0

    def __str__(self) -> str:
        each = f"{self.cpus} CPU{'s' * (self.cpus > 1)}"
        if self.gpus:
            each += f" and {self.gpus} GPU{'s' * (self.gpus > 1)}"
        return f"{self.count} worker{'s' * (self.count > 1)} of {each}"

    def fit(self, cpus: float, gpus: float) -> int:
        """How many of them a node with so much has room for."""
        rooms = [int(cpus // self.cpus)]
        if self.gpus:
            rooms.append(int(gpus // self.gpus))
        return min(rooms)


def workers_of(compute: ComputeType) -> Workers:
    """As the compute type says: one for each GPU, which share its CPUs; without any, one for each CPU."""
    if compute.gpus:
        return Workers(compute.gpus, max(1, compute.cpus // compute.gpus), 1)
    return Workers(compute.cpus, 1)
