"""The shipped datasets: all at once beside one after another, and embeddings: `python -m bench datasets`.

The sources come from the folder that DREG_MIRROR names, and are in dreg's cache after the warm-up.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Job

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
DREG, DVC = str(BIN / "dreg"), str(BIN / "dvc")
ON_CPUS = ("emotion", "fashion-mnist", "radiology-mini", "wine-quality")
EMBEDDED = "opencloudhub-readmes-embeddings"


def part(scratch: Path, environment: dict[str, str]) -> Iterator[tuple[list[Job], dict[str, str]]]:
    """The jobs, in a clone of this project in which the datasets have run."""
    registry = scratch / "registry"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(registry)], check=True)
    surroundings = {**environment, "DREG_CACHE": str(scratch / "cache"), "PYTHONPATH": str(ROOT)}
    run = [DREG, "run", *ON_CPUS, "opencloudhub-readmes"]
    subprocess.run(run, cwd=registry, env=surroundings, check=True, stdout=subprocess.DEVNULL)
    download = [DVC, "repro", "--single-item", "--force", f"pipelines/{EMBEDDED}/dvc.yaml:download"]
    subprocess.run(download, cwd=registry, env=surroundings, check=True, stdout=subprocess.DEVNULL)
    pipelines = [f"pipelines/{name}/dvc.yaml" for name in ON_CPUS]
    embed = [sys.executable, "-m", "bench.embed_chunks"]
    yield (
        [
            Job(
                "run four datasets",
                "dvc repro, one after another",
                [DREG, "run", "--force", *ON_CPUS],
                [DVC, "repro", "--force", *pipelines],
                registry,
                bar=1 / 1.5,
                runs=3,
            ),
            Job(
                "embed on Ray, started",
                "the model's encode()",
                [*embed, "ray", str(registry)],
                [*embed, "direct", str(registry)],
                registry,
                bar=1 / 0.9,
                runs=3,
                told=True,
            ),
        ],
        surroundings,
    )
