"""Compute types: by one name, how many workers a stage may have and what each of them needs."""

from __future__ import annotations

from dataclasses import dataclass

from dreg.errors import BadRequest


@dataclass(frozen=True)
class Compute:
    """`workers` at a time, each with so many CPUs and GPUs."""

    name: str
    workers: int
    cpus: int
    gpus: int = 0

    def __str__(self) -> str:
        each = f"{self.cpus} CPU{'s' * (self.cpus > 1)}"
        if self.gpus:
            each += f" and {self.gpus} GPU{'s' * (self.gpus > 1)}"
        return f"{self.workers} worker{'s' * (self.workers > 1)} of {each}"

    def fit(self, cpus: float, gpus: float) -> int:
        """How many such workers a node with so much has room for."""
        rooms = [int(cpus // self.cpus)]
        if self.gpus:
            rooms.append(int(gpus // self.gpus))
        return min(rooms)


COMPUTE = {
    compute.name: compute
    for compute in (
        Compute("cpu-small", 1, 1),
        Compute("cpu-medium", 2, 2),
        Compute("cpu-large", 4, 4),
        Compute("gpu-small", 1, 1, 1),
        Compute("gpu-medium", 2, 2, 1),
        Compute("gpu-large", 4, 4, 1),
    )
}


def parse_compute(name: str) -> Compute:
    """The compute type of that name. Raises BadRequest for any other."""
    if name not in COMPUTE:
        raise BadRequest(
            f"there is no compute type `{name}`", hint=f"compute types: {', '.join(COMPUTE)}"
        )
    return COMPUTE[name]
