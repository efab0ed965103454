"""A release in Python: its data in the form that is wanted.

Nothing is downloaded before it is needed, and nothing twice: what `dreg fetch` placed is used where it
lies, other releases are kept in dreg's cache.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from semver import Version

from dreg.adapters.extras import needed
from dreg.api.files import ReleaseFiles
from dreg.api.listeners import tell_read
from dreg.api.split_names import known, no_split
from dreg.core.described import described
from dreg.core.lineage import Lineage, training_splits
from dreg.core.profile import Profile
from dreg.core.remotes import object_key
from dreg.core.split_paths import METADATA
from dreg.core.subset import listed, splits_of
from dreg.errors import BadRequest, Refused

if TYPE_CHECKING:
    import datasets
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    import ray.data
    from fsspec import AbstractFileSystem

    from dreg.adapters.interop.tables import Split
    from dreg.adapters.interop.torch_data import Samples as TorchSamples
    from dreg.adapters.interop.torch_data import Stream as TorchStream

Columns = Sequence[str] | None


@dataclass(frozen=True, eq=False)
class Dataset:
    """One release. Made by `dreg.load`; may be sent to other processes.

    Files are downloaded, each byte verified, when `path` or one of the `to_...` first needs them,
    and only those of the split that it is asked for; of large Parquet files only the `columns`, as
    `dreg fetch --columns` does. `to_ray`, `urls` and `metadata` need none of them here.
    """

    _held: ReleaseFiles

    @property
    def name(self) -> str:
        return self._held.release.dataset

    @property
    def version(self) -> Version:
        return self._held.release.version

    @property
    def tag(self) -> str:
        """The git tag, as DVC_DATA_VERSION has it: `wine-quality-v1.0.0`."""
        return self._held.release.tag

    @property
    def commit(self) -> str:
        return self._held.release.commit

    @property
    def repo(self) -> str:
        """The registry, without a password."""
        return self._held.request.public_repo

    def __repr__(self) -> str:
        return f"<dreg dataset {self.name} {self.version} of {self.repo}>"

    # What is known of it

    @functools.cached_property
    def metadata(self) -> dict[str, Any]:
        """metadata.json of the release: `["metrics"]["train"]["pixel_mean"]`; empty if it has none."""
        try:
            found = json.loads(self._held.metadata() or b"{}")
        except ValueError as error:
            raise Refused(
                f"{METADATA} of {self.name} {self.version} is not JSON",
                hint="tell the registry's owner",
            ) from error
        return found if isinstance(found, dict) else {}

    @functools.cached_property
    def profile(self) -> Profile | None:
        """The metadata as dreg's own profile; None for what dreg did not write."""
        try:
            return Profile.from_json(self.metadata) if self.metadata else None
        except BadRequest:
            return None

    @functools.cached_property
    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The files of every split, relative to the dataset's folder."""
        return self._splits_among(self._held.paths())

    def _splits_among(self, paths: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        return {name: tuple(files) for name, files in splits_of(self.metadata, paths).items()}

    @property
    def training_splits(self) -> tuple[str, ...]:
        """The splits that models learn from, by their role."""
        if self.profile is not None:
            return training_splits(self.profile)
        return tuple(name for name in self.splits if name == "train") or tuple(self.splits)

    def lineage(self, splits: Sequence[str] = ()) -> Lineage:
        """What a training run records of this release, and of the splits that it used."""
        found = self._held.found
        return Lineage(
            dataset=self.name,
            version=self.version,
            repo=self.repo,
            commit=found.release.commit,
            manifest=found.release.manifest,
            digest=found.snapshot.published.digest(),
            splits=known(self, splits) or self.training_splits,
        )

    # Files

    def path(self, split: str | None = None) -> Path:
        """The dataset's folder here, or of a split its file, or the folder of its files.

        Downloads what is not here into dreg's cache: of a split, only its files.
        """
        if split is None:
            folder = self._held.folder()
            tell_read(self, None)
            return folder
        files = self._files(split)
        folder = self._held.folder(split)
        tell_read(self, split)
        if len(files) == 1:
            return folder / files[0]
        parents = [Path(file).parent for file in files]
        common = next(
            p for p in (parents[0], *parents[0].parents) if all(_below(o, p) for o in parents)
        )
        return folder / common

    def urls(self, split: str | None = None, *, objects: bool = False) -> list[str]:
        """What `filesystem()` reads the files by, in the order of `splits`; without a split, all.

        `dreg://wine-v1.0.0/processed/train.parquet`: names tell readers the format. With `objects`,
        where the bytes are, `s3://bucket/files/md5/...`, for clients with keys of their own.
        """
        names = self._files(split) if split else self._held.far
        tell_read(self, split)
        if not objects:
            return [f"dreg://{self.tag}/{name}" for name in names]
        listed = self._held.listed
        keys = [object_key(listed[name].md5, legacy=listed[name].legacy) for name in names]
        return self._held.found.store.urls(keys)

    def filesystem(self) -> AbstractFileSystem:
        """An fsspec file system with the release's files, read where they are: no download first.

        The remotes are those that a fetch would try, in that order.
        """
        needed("fsspec", "fsspec")
        from dreg.adapters.interop.filesystem import Contents, ReleaseFileSystem

        return ReleaseFileSystem(Contents(self.tag, self._held.far, self._held.found.store))

    # Data

    def to_arrow(self, split: str, columns: Columns = None) -> pa.Table:
        """The split as a table of pyarrow's; images as structs of `bytes` and `path`."""
        return self._module("tables").table(self._split(split, columns))

    def to_pandas(self, split: str, columns: Columns = None) -> pd.DataFrame:
        """The split as a data frame; tensors as numpy arrays."""
        return self._module("frames").to_pandas(self._split(split, columns))

    def to_polars(self, split: str, columns: Columns = None) -> pl.DataFrame:
        """The split as a data frame of polars'."""
        frame: pl.DataFrame = self._module("frames").to_polars(self._split(split, columns))
        return frame

    def to_hf(self, split: str, columns: Columns = None) -> datasets.Dataset:
        """The split as a dataset of Hugging Face's; images, classes and arrays have their features."""
        return self._module("huggingface", "hf", "datasets", "PIL").to_hf(
            self._split(split, columns)
        )

    def to_torch(
        self,
        split: str,
        columns: Columns = None,
        transform: Callable[[dict[str, Any]], Any] | None = None,
    ) -> TorchSamples:
        """The split as a map-style dataset: samples are dictionaries, or what `transform` makes of them.

        It may be used by any number of DataLoader workers, forked or spawned; they share its memory.
        """
        torch_data = self._module("torch_data", "torch", "torch", "PIL")
        return cast("TorchSamples", torch_data.to_torch(self._split(split, columns), transform))

    def to_torch_iterable(
        self,
        split: str,
        columns: Columns = None,
        transform: Callable[[dict[str, Any]], Any] | None = None,
        *,
        rank: int | None = None,
        world: int | None = None,
        seed: int | None = None,
    ) -> TorchStream:
        """The split as an iterable dataset of which each rank, and each of its workers, has its part.

        Without a rank, torch.distributed tells, or RANK and WORLD_SIZE; with a seed it is shuffled.
        """
        torch_data = self._module("torch_data", "torch", "torch", "PIL")
        parts = {"rank": rank, "world": world, "seed": seed}
        stream = torch_data.to_torch_iterable(self._split(split, columns), transform, **parts)
        return cast("TorchStream", stream)

    def to_ray(
        self, split: str, columns: Columns = None, *, decode: bool = True
    ) -> ray.data.Dataset:
        """The split as a dataset of Ray Data's, read by its workers straight from the remote.

        Nothing is downloaded here. Images become arrays, or with `decode=False` bytes and path.
        """
        ray_split = self._module("ray_split", "ray", "ray", "ray.data", "fsspec", "PIL")
        paths = self._files(split)
        described = self._described(split, columns, Path())
        tell_read(self, split)
        found = ray_split.to_ray(described, self.filesystem(), paths, decode)
        return cast("ray.data.Dataset", found)

    def samples(self, split: str | None = None) -> pa.Table:
        """The sample index: `split`, `key` and `hash` (16 bytes) of every sample, or those of a split."""
        from dreg.adapters.index.looking import rows

        index = self._held.index()
        if index is None:
            raise BadRequest(
                f"{self.name} {self.version} has no sample index",
                hint="it was released before there were any; read the data: ds.to_arrow(...)",
            )
        return rows(index, None if split is None else known(self, [split]))

    # What is behind

    def log_to_mlflow(self, *splits: str, run_id: str | None = None) -> str:
        """Record in the active MLflow run, or another, that it uses these splits; the run's id.

        As params, tags and a dataset input; without splits, those that models learn from. Raises
        BadRequest where no run is active, Refused where the run names another version.
        """
        from dreg.api.tracking import log

        return log(self, splits, run_id)

    def _files(self, split: str) -> tuple[str, ...]:
        """Raises BadRequest for a split that there is not."""
        files = self._splits_among(self._held.paths(split)).get(split)
        if not files:
            raise no_split(self, split)
        return files

    def _split(self, split: str, columns: Columns) -> Split:
        wanted = listed(columns) or ()
        alone = self._held.alone(split, self._files(split), wanted, self.profile)
        found = self._described(split, columns, self._held.folder(split, alone))
        tell_read(self, split)
        return found

    def _described(self, split: str, columns: Columns, folder: Path) -> Split:
        from dreg.adapters.interop.tables import Split

        called = f"split `{split}` of {self.name} {self.version}"
        there = tuple(folder / file for file in self._files(split))
        return Split(there, described(self.profile), listed(columns), called)

    def _module(self, name: str, extra: str = "arrow", *libraries: str) -> Any:
        """Of `interop`, which imports its libraries at once. Raises Outside for one that is lacking."""
        for library in ("pyarrow", *libraries):
            needed(library, "arrow" if library == "pyarrow" else extra)
        return import_module(f"dreg.adapters.interop.{name}")


def _below(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents
