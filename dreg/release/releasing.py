"""Releasing: plan it (the value that `--dry-run` prints), then carry out that very plan.

Order of carrying out: objects, verified on the remote -> manifest -> commit and tag, in one
atomic push. A tag on the remote therefore means that every byte can be fetched, and a crash at
any step leaves nothing half-visible: the same command again finishes the work.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime

from dreg.adapters.claims import Claims, patience
from dreg.adapters.dvc.process import Processes
from dreg.adapters.git import Repository
from dreg.adapters.git.publish import Publisher
from dreg.adapters.git.pushing import LostRace
from dreg.adapters.making import making_path
from dreg.adapters.scratch import tidy
from dreg.adapters.written import written
from dreg.core.choices import Choices
from dreg.core.release import commit_message
from dreg.core.wording import numbered
from dreg.errors import DregError, Refused
from dreg.history import published
from dreg.output import out
from dreg.packs.writing import pack_release
from dreg.push.announcing import announced
from dreg.push.holdings import here
from dreg.push.pushing import push, verify, warn_of_another_remote, write_manifest
from dreg.registry import Dataset, Registry
from dreg.release.answer import Pushed, Released, Releases
from dreg.release.branch_tip import GIT_REMOTE, check_branch, release_base
from dreg.release.fetchable import refuse_uncommitted
from dreg.release.manner import USUAL, Manner
from dreg.release.plan import Plan, plan
from dreg.release.unchanged import surely_unchanged
from dreg.release.unpushed import ALONE, MARKS, push_release, unpushed
from dreg.release.unpushed import PREFIX as UNPUSHED
from dreg.run.running import needed

ATTEMPTS = 8


def release(
    registry: Registry,
    names: list[str] | None = None,
    *,
    choices: Choices | None = None,
    manner: Manner = USUAL,
    wait: float | None = None,
) -> Releases:
    """Release the named datasets, or every one that changed since its last release.

    One that cannot be released keeps only those from it that are made from it. Its error is raised at the end,
    with the others as its answer: Refused when a promise would be broken (dirty tree, pipeline not
    up to date, contract violated, bump lowered, branches diverged), Outside when git or the remote
    fails, or another dreg is at the dataset for all of `wait` seconds (None: DREG_WAIT, else 600).
    """
    chosen = replace(choices or Choices(), named=bool(names))
    done, failed, never_run, datasets = [], [], [], []
    for dataset in upstream_first(registry, registry.datasets(names)):
        if not names and dataset.profile() is None:
            never_run.append(dataset.name)  # not asked for by name, so it keeps nobody else
        else:
            datasets.append(dataset)
    for dataset, released in release_each(registry, datasets, chosen, manner, wait):
        if isinstance(released, DregError):
            failed.append((dataset.name, released))
        else:
            done.append(released)
    if not names:
        done = [released for released in done if released.state != "unchanged"]
    answer = Releases(tuple(done), tuple(sorted(never_run)))
    if failed:
        _, first = failed[0]
        if len(failed) > 1:
            others = [f"{name}: {error.fact}" for name, error in failed[1:]]
            first.details = (*first.details, *others)
        if not done:
            first.details = (*first.details, *answer.told_of_never_run())
        first.answer = answer if done else None
        raise first
    return answer


def release_each(
    registry: Registry,
    datasets: Sequence[Dataset],
    choices: Choices,
    manner: Manner,
    wait: float | None = None,
    ahead: set[str] | None = None,
) -> Iterator[tuple[Dataset, Released | DregError]]:
    """Release one after the other, and tell of each what was released or what kept it.

    In `ahead` are those that the same command released, or planned to, before; these are added.
    Raises what keeps all of them: BadRequest for a branch that can be none.
    """
    check_branch(Repository(registry.root), manner.branch)
    claims = Claims(registry.root, "dreg release", patience(wait), out.note)
    if not manner.dry_run:
        tidy()
        tidy(Repository(registry.root).git_folder)
    known = surely_unchanged(registry, datasets, choices, manner)
    ahead = set() if ahead is None else ahead
    for dataset in datasets:
        if dataset.name in known:
            yield dataset, known[dataset.name]
            continue
        try:
            # A plan alone changes nothing, and so has nobody to wait for.
            with nullcontext() if manner.dry_run else claims.of(dataset.name):
                released: Released | DregError = _release_one(
                    dataset, choices, manner, claims, ahead
                )
            ahead.add(dataset.name)
        except DregError as error:
            released = error
        yield dataset, released


def upstream_first(registry: Registry, datasets: Sequence[Dataset]) -> list[Dataset]:
    """Each behind those it is made from, so that it can name their releases."""
    try:
        order = needed(registry, [dataset.name for dataset in datasets])
    except DregError:
        return list(datasets)  # made from each other: each one's own plan says what is wrong
    return sorted(datasets, key=lambda dataset: order.index(dataset.name))


def _release_one(
    dataset: Dataset, choices: Choices, manner: Manner, claims: Claims, ahead: Collection[str]
) -> Released:
    lost, agreed = "", ""
    for attempt in range(ATTEMPTS):
        today = datetime.now(UTC).date().isoformat()
        alone = None if manner.dry_run else claims
        try:
            before = None if manner.dry_run else _push_what_was_made(dataset, manner)
            prepared = plan(
                dataset, choices, date=today, branch=manner.branch, claims=alone, ahead=ahead
            )
            if not prepared.needed:
                _finish(prepared, dataset, claims)
                return before or _answer(prepared, "unchanged", dataset)
            planned = _answer(prepared, "planned", dataset)
            if manner.dry_run:
                return planned
            if manner.agree and agreed != prepared.tag and not manner.agree(planned):
                raise Refused(
                    f"`{dataset.name}` {prepared.version} was not released, as you said",
                    hint="nothing was changed; --yes does not ask",
                )
            agreed = prepared.tag
            with announced(prepared.holdings.store, prepared.manifest):
                for step in carry_out(prepared, dataset, claims, manner):
                    out.note(step)
            return _answer(prepared, "released", dataset, pushed=manner.push)
        except LostRace as race:
            lost = str(race)
            out.note("somebody else pushed first; planning again from the new tip")
            time.sleep(random.uniform(0, 0.2 * 2**attempt))  # noqa: S311 - jitter, not a secret
    raise Refused(
        f"`{dataset.name}` could not be pushed: others were faster {ATTEMPTS} times",
        hint=f"nothing was released; try again: dreg release {dataset.name}",
        details=lost.strip().splitlines()[-3:],
    )


def _push_what_was_made(dataset: Dataset, manner: Manner) -> Released | None:
    """The last of the releases that were made here and never pushed, which are now; None if none was.

    Raises Refused when another is to be made without pushing these.
    """
    repository = Repository(dataset.root)
    marked = repository.ask("for-each-ref", "--count=1", *MARKS)
    if not marked or repository.remote_url(GIT_REMOTE) is None:
        return None
    done = None
    for made in unpushed(dataset, published(dataset)):
        if not manner.push:
            raise Refused(
                f"`{made.tag}` was made here and never pushed, and waits for that",
                hint=f"push it: dreg release {dataset.name}; or drop it: git tag -d {made.tag}",
            )
        base = release_base(dataset, repository, manner.branch)
        assert base.branch is not None
        out.note(f"pushing {made.tag}, which was made here and never pushed")
        done = push_release(dataset, made, base.branch, base.tip, manner.sign)
    return done


def carry_out(plan: Plan, dataset: Dataset, claims: Claims, manner: Manner) -> Iterator[str]:
    """Do what the plan says, yielding a line before each step.

    Raises LostRace when somebody pushed first; nothing was published then.
    """
    store = plan.holdings.store
    warn_of_another_remote(dataset, store)
    if wrong := plan.holdings.wrong:
        out.warn(
            f"{numbered(len(wrong), 'object')} on {store.location} with other bytes than it should "
            f"have, now written again: {', '.join(entry.path for entry in wrong[:5])}"
        )
    yield f"pushing {numbered(len(plan.holdings.missing), 'object')} to {store.location}"
    sent = push(dataset, store, plan.holdings.missing, Processes(dataset.root))
    yield "checking that they are on the remote"
    verify(plan.holdings, sent)
    pack_release(store, plan.manifest, here(plan.holdings), plan.holdings.before)
    # The manifest goes last: its presence proves that every object above is there.
    write_manifest(store, plan.manifest.to_text().encode())
    yield f"tagging {plan.tag}"
    publisher = Publisher(dataset.root)
    commit = publisher.commit(
        plan.base.commit,
        dataset.folders,
        commit_message(plan.dataset, plan.version, plan.reasons),
        {dataset.changelog_path: plan.changelog},
        manner.sign,
    )
    refuse_uncommitted(dataset, plan.manifest, commit)
    made = publisher.tag(plan.tag, commit, plan.tag_message(manner.automated), manner.sign)
    branch, mark = plan.base.branch, None
    if branch is None:
        mark = f"{ALONE}{plan.tag}"
    elif manner.push:
        publisher.push(GIT_REMOTE, branch, plan.base.tip, made)
    else:
        mark = f"{UNPUSHED}{plan.tag}"
    with claims.clone():
        if mark and Repository(dataset.root).head() != plan.base.head:
            raise LostRace("another release was made in this clone")
        _write(dataset, dataset.changelog_path, plan.changelog.encode())
        pushed_to = f"{GIT_REMOTE}/{branch}" if branch is not None and manner.push else None
        publisher.adopt(made, pushed_to, mark)


def _finish(plan: Plan, dataset: Dataset, claims: Claims) -> None:
    """Let the clone follow a release that was pushed by a command that then died."""
    if plan.base.unfinished:
        out.note(f"{plan.tag} was already pushed; this clone now follows it")
        paths = (dataset.changelog_path, making_path(dataset))
        wanted = [(plan.base.commit, path) for path in paths]
        texts = Repository(dataset.root).read_all(wanted)
        with claims.clone():
            for path, there in zip(paths, texts, strict=True):
                if there is not None:
                    _write(dataset, path, there)
            Publisher(dataset.root).catch_up(plan.base.commit, f"{GIT_REMOTE}/{plan.base.branch}")


def _write(dataset: Dataset, path: str, text: bytes) -> None:
    """Only once the commit that has it is published: a release that fails leaves none to take back."""
    with written(dataset.root / path) as file:
        file.write(text)


def _answer(plan: Plan, state: str, dataset: Dataset, *, pushed: bool = True) -> Released:
    before, commit = plan.released, None
    if before:
        commit = before.commit
    elif state == "released":
        commit = Repository(dataset.root).tags(plan.tag).get(plan.tag)
    return Released(
        dataset=plan.dataset,
        state=state,
        version=plan.version,
        previous=plan.previous,
        bump=plan.bump,
        tag=plan.tag,
        findings=plan.decision.findings,
        exceptions=plan.exceptions,
        samples=plan.samples,
        files=plan.files,
        size=plan.size,
        objects_pushed=len(plan.holdings.missing),
        pushes=tuple(
            Pushed(f"{entry.path}{'/' if entry.is_directory else ''}", entry.size)
            for entry in plan.holdings.missing
        ),
        manifest=before.manifest if before else plan.manifest.digest if plan.needed else None,
        changelog="\n".join(plan.entry.lines()) if state != "unchanged" else "",
        commit=commit,
        pushed_to=plan.base.url if pushed else None,
        unpushed=plan.base.url is not None and not pushed,
    )
