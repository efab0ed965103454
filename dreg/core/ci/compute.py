"""Compute types: the sizes that pipelines are given, by name, wherever they run."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from dreg.errors import BadRequest

GIB = 1024**3


@dataclass(frozen=True)
class ComputeType:
    """So many processors, bytes of memory and GPUs."""

    name: str
    cpus: int
    memory: int
    gpus: int = 0

    def environment(self) -> dict[str, str]:
        """What a pipeline finds in its environment."""
        return {
            "DREG_COMPUTE_TYPE": self.name,
            "DREG_CPUS": str(self.cpus),
            "DREG_MEMORY": str(self.memory),
            "DREG_GPUS": str(self.gpus),
            "OMP_NUM_THREADS": str(self.cpus),
        }


COMPUTE_TYPES = {
    one.name: one
    for one in (
        ComputeType("cpu-small", 2, 4 * GIB),
        ComputeType("cpu-medium", 4, 16 * GIB),
        ComputeType("cpu-large", 16, 64 * GIB),
        ComputeType("gpu-small", 4, 16 * GIB, 1),
        ComputeType("gpu-medium", 8, 32 * GIB, 2),
        ComputeType("gpu-large", 16, 64 * GIB, 4),
    )
}
USUAL = "cpu-small"


def compute_type(name: str) -> ComputeType:
    """The compute type of that name. Raises BadRequest, suggesting the closest."""
    if name not in COMPUTE_TYPES:
        close = difflib.get_close_matches(name, COMPUTE_TYPES, n=1)
        raise BadRequest(
            f"there is no compute type `{name}`",
            hint=f"did you mean `{close[0]}`?"
            if close
            else f"compute types: {', '.join(COMPUTE_TYPES)}",
        )
    return COMPUTE_TYPES[name]
