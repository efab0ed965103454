"""Loading a release's vectors into a table of its own, and serving them: what a plan says, carried out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dreg.adapters.claims import patience
from dreg.api.dataset import Dataset
from dreg.api.loading import load as resolve
from dreg.core.vectors import ADDED, Record, declaration, incompatible, superfluous, table_name
from dreg.core.wording import numbered
from dreg.errors import BadRequest, Outside, Refused
from dreg.output import count, out
from dreg.vectors.database import Database, opened

MODEL = "model.json"  # beside the vectors: the model and its files, as the pipeline declared them
KEPT = 2  # tables of a dataset, the served one among them
# As CI and workflows call them; empty where nobody set them.
CONSTANTS = {"docker_image": "DOCKER_IMAGE_TAG", "workflow_uid": "ARGO_WORKFLOW_UID"}


@dataclass(frozen=True)
class Loaded:
    """What `dreg vectors load` did, or with `dry_run` would do.

    `loaded` is whether the table was filled, `swapped` whether the view serves another one than
    before, `previous`; `dropped` are the tables that went.
    """

    dataset: str
    version: str
    tag: str
    database: str
    view: str
    table: str
    rows: int
    dimension: int
    model: str
    previous: str | None
    loaded: bool
    swapped: bool
    dropped: tuple[str, ...]
    dry_run: bool = False

    def lines(self) -> Iterator[str]:
        would = "would " if self.dry_run else ""
        what = f"{self.dataset} {self.version}"
        if not (self.loaded or self.swapped):
            yield f"{self.view} serves {what} already ({numbered(self.rows, 'vector')})"
        else:
            from_ = f" instead of {self.previous}" if self.previous else ""
            yield f"{self.view} {'would serve' if would else 'serves'} {what}{from_}"
            did = ("would load", "loaded") if self.loaded else ("would find", "was there")
            of = f"{numbered(self.rows, 'vector')} of {self.dimension}"
            yield f"  table   {self.table}: {of}, {did[0 if self.dry_run else 1]}"
            yield f"  model   {self.model}"
            yield f"  server  {self.database}"
        yield from (f"  {would}drop{'' if would else 'ped'} {name}" for name in self.dropped)


@dataclass(frozen=True)
class Plan:
    """`leftovers` are tables of loads that broke off, `old` those that are not kept any more."""

    table: str
    record: Record
    served: str | None
    previous: Record | None
    load: bool
    leftovers: tuple[str, ...]
    old: tuple[str, ...]

    @property
    def swap(self) -> bool:
        return self.served != self.table


def load(
    request: str,
    *,
    repo: str | None = None,
    remote: str | None = None,
    embedded: bool = False,
    keep: int = KEPT,
    allow_major: bool = False,
    wait: float | None = None,
    dry_run: bool = False,
) -> Loaded:
    """The release's vectors in the database, served to readers in place of what was served before.

    Raises BadRequest for a release without vectors, Refused where readers of the view would break
    (`allow_major` has it done nevertheless), Outside when the server fails: then what was served is
    served still, and the next load removes what this one left.
    """
    dataset = resolve(request, repo=repo, remote=remote)
    wanted = wanted_record(dataset)
    seconds = patience(wait)
    with opened(dataset.name, embedded) as database:
        if not allow_major:
            refuse_other_registry(database, dataset)
        if dry_run:
            return _answer(database, plan(database, wanted, keep, allow_major), dry_run=True)
        from dreg.adapters.postgres.tables import claimed

        what = f"{database.schema}.{dataset.name}"
        with claimed(database.connection, what, seconds, out.note):
            planned = plan(database, wanted, keep, allow_major)
            return _carry_out(database, planned, dataset, allow_major, seconds)


def wanted_record(dataset: Dataset) -> Record:
    """What the release's table is to say of itself. Raises BadRequest for one without vectors."""
    profile = dataset.profile
    vectors = {
        name: feature
        for name, feature in (profile.features.items() if profile else ())
        if feature.model and len(feature.shape) == 1
    }
    if profile is None or len(vectors) != 1:
        raise BadRequest(
            f"{dataset.name} {dataset.version} has {'no column' if not vectors else 'several columns'} "
            "of vectors: one with a `shape` and the `model` that made it",
            hint="dreg show NAME has the columns of a release",
        )
    if not profile.num_samples:
        raise BadRequest(
            f"{dataset.name} {dataset.version} has no samples, and nobody is served an empty table",
            hint=f"load another version: dreg vectors load {dataset.name}@VERSION",
        )
    ((column, feature),) = vectors.items()
    return Record(
        dataset=dataset.name,
        version=str(dataset.version),
        commit=dataset.commit,
        model=feature.model,
        dimension=feature.shape[0],
        rows=profile.num_samples,
        column=column,
    )


def plan(database: Database, wanted: Record, keep: int, allow_major: bool) -> Plan:
    """What is to be done. Raises Refused for what must not be."""
    from semver import Version

    tables, served = database.tables(), database.served()
    name = table_name(wanted.dataset, Version.parse(wanted.version))
    there = tables.get(name)
    if there is not None and there.complete and not there.is_release_of(wanted):
        raise Refused(
            f"`{database.schema}.{name}` has another release called {there.called}, "
            f"of commit {there.commit[:12]}",
            hint="its tag was moved, or it is of another registry; then use another schema: "
            "PGVECTOR_TABLE_NAME=schema.name",
        )
    previous = tables.get(served) if served else None
    check_served(database, previous, wanted, allow_major)
    leftovers = tuple(
        other
        for other, record in tables.items()
        if record.dataset == wanted.dataset and not record.complete
    )
    old = superfluous({**tables, name: wanted}, wanted.dataset, name, keep)
    return Plan(
        table=name,
        record=wanted,
        served=served,
        previous=previous,
        load=there is None or not there.complete,
        leftovers=leftovers,
        old=tuple(other for other in old if other != served or keep == 1),
    )


def check_served(
    database: Database, served: Record | None, wanted: Record, allow_major: bool
) -> None:
    """Raises Refused where readers of the view would find something else than they were made for."""
    if served is None:
        return
    view = f"{database.schema}.{database.view}"
    if served.dataset != wanted.dataset:
        raise Refused(
            f"`{view}` serves {served.called}, and not `{wanted.dataset}`",
            hint="a view serves one dataset: choose another PGVECTOR_TABLE_NAME",
        )
    why = incompatible(served, wanted)
    if why and not allow_major:
        raise Refused(
            f"readers of `{view}` would get {why}",
            hint="when what embeds their queries has changed as well: --allow-major; or serve both, "
            "under another PGVECTOR_TABLE_NAME",
        )


def refuse_other_registry(database: Database, dataset: Dataset) -> None:
    """Raises Refused where what is served is no release of the registry that the dataset is of: two may
    have one of its name. Where the registry cannot be asked, nobody knows."""
    table = database.served()
    served = database.tables().get(table) if table else None
    if served is None or served.dataset != dataset.name or served.version == str(dataset.version):
        return  # the plan says what is wrong, if anything
    try:
        commit = dataset._held.commit_of(served.tag)
    except Outside:
        return
    if commit != served.commit:
        view = f"{database.schema}.{database.view}"
        raise Refused(
            f"`{view}` serves {served.called} of commit {served.commit[:12]}, which {dataset.repo} does not have",
            hint="that is of another registry, or its tag was moved: choose another PGVECTOR_TABLE_NAME, in "
            "a schema of its own; if this one is to take its place: --allow-major",
        )


def _carry_out(
    database: Database, planned: Plan, dataset: Dataset, allow_major: bool, wait: float
) -> Loaded:
    from dreg.adapters.postgres import serving, tables

    removed = tables.remove(database.connection, database.schema, planned.leftovers)
    if removed:
        out.note(f"removed what a load that broke off had left: {', '.join(removed)}")
    if planned.load:
        _fill(database, planned, dataset)
    if planned.swap:

        def check(served: str | None) -> None:
            record = database.tables().get(served) if served else None
            check_served(database, record, planned.record, allow_major)

        serving.swap(
            database.connection, database.schema, database.view, planned.table,
            check=check, wait=wait, tell=out.note,
        )  # fmt: skip
    gone = tables.remove(database.connection, database.schema, planned.old)
    for name in sorted({*planned.old} - {*gone}):
        out.warn(f"table {name} stays: it is in use; the next load tries again")
    return _answer(database, replace(planned, old=tuple(gone)))


def _fill(database: Database, planned: Plan, dataset: Dataset) -> None:
    """Make the table, and mark it complete when it is."""
    from dreg.adapters.postgres import filling, tables

    record, schema, name = planned.record, database.schema, planned.table
    folder = dataset.path()
    files = [folder / path for paths in dataset.splits.values() for path in paths]
    told = files[0].parent / MODEL
    if told.is_file():
        record = replace(record, declared=declaration(told.read_bytes(), record.model))
    columns = filling.columns_of(files, record.column, record.dimension, ADDED)
    tables.make(database.connection, schema, name, columns, record)
    with out.progress(f"loading {record.called}", record.rows, "vectors") as advance:
        rows = filling.copy(database.connection, (schema, name), columns, files, advance)
    if rows != record.rows:
        raise Outside(
            f"{record.called} has {numbered(rows, 'row')}, and its metadata.json says {count(record.rows)}",
            hint="tell the registry's owner; what is served is as before",
        )
    out.phase(f"building the index of {numbered(rows, 'vector')}")
    profile = dataset.profile
    filling.finish(
        database.connection,
        (schema, name),
        constants=constants(record),
        key=(profile.key or ()) if profile else (),
        vector=record.column,
        dimension=record.dimension,
        rows=rows,
    )
    tables.mark(database.connection, schema, name, replace(record, complete=True))


def constants(record: Record) -> dict[str, str]:
    """What every row carries: release, model, and where it was loaded, as the environment says."""
    told = {column: os.environ.get(variable, "") for column, variable in CONSTANTS.items()}
    return {"data_version": record.tag, "model": record.model, **told}


def _answer(database: Database, planned: Plan, *, dry_run: bool = False) -> Loaded:
    record, previous = planned.record, planned.previous
    return Loaded(
        dataset=record.dataset,
        version=record.version,
        tag=record.tag,
        database=database.place,
        view=f"{database.schema}.{database.view}",
        table=planned.table,
        rows=record.rows,
        dimension=record.dimension,
        model=record.model,
        previous=previous.version if previous and planned.swap else None,
        loaded=planned.load,
        swapped=planned.swap,
        dropped=planned.old,
        dry_run=dry_run,
    )
