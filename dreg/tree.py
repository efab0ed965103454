"""Datasets, the releases of others that they were made from, and those of which these were made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.lock_file import read_lock
from dreg.catalog import choose
from dreg.core.about import Upstream
from dreg.core.release import Release, newest, usable
from dreg.core.version import Range, parse_request
from dreg.fetch.requested import default_repo
from dreg.registry import unknown_dataset
from dreg.released_manifests import Manifests


@dataclass(frozen=True)
class Node:
    """A release. `version` is null for an upstream of which no release has the bytes that were used;
    `latest` is the newest release, null if this is it. `upstream` is what it was made from."""

    dataset: str
    version: str | None
    tag: str | None
    latest: str | None
    yanked: bool
    upstream: tuple[Node, ...]

    def lines(self, before: str = "", mark: str = "") -> Iterator[str]:
        told = f"{self.dataset} {self.version or '(no release has its bytes)'}"
        told += " (yanked)" if self.yanked else ""
        told += f" (latest {self.latest})" if self.latest else ""
        yield f"{before}{mark}{told}"
        inside = before + {"": "", "├── ": "│   ", "└── ": "    "}[mark]
        for i, node in enumerate(self.upstream):
            yield from node.lines(inside, "└── " if i == len(self.upstream) - 1 else "├── ")


@dataclass(frozen=True)
class Tree:
    """Of every dataset one release: the locked one, or the newest."""

    datasets: tuple[Node, ...]

    def lines(self) -> Iterator[str]:
        for node in self.datasets:
            yield from node.lines()
        if not self.datasets:
            yield "no releases yet"


def tree(request: str | None, *, repo: str | None, remote: str | None) -> Tree:
    """What the release was made from; without a request, of all that dreg.lock here pins, or else of
    the newest release of every dataset.

    Raises BadRequest for what is not there, Outside when a neighbour fails.
    """
    pins = read_lock(Path.cwd()).pins
    if request is None and repo is None and pins:
        by_repo = {pin.repo: Manifests(pin.repo, remote) for pin in pins.values()}
        return Tree(
            tuple(
                _node(
                    by_repo[pin.repo],
                    Upstream(name, str(pin.version), pin.tag, pin.commit, pin.manifest),
                )
                for name, pin in sorted(pins.items())
            )
        )
    name, wanted = parse_request(request) if request else (None, Range.parse("latest"))
    manifests = Manifests(repo or default_repo(pins.get(name) if name else None), remote)
    by_name: dict[str, list[Release]] = {}
    for release in manifests.releases:
        by_name.setdefault(release.dataset, []).append(release)
    if name is not None:
        if name not in by_name:
            raise unknown_dataset(name, tuple(by_name))
        return Tree((_node(manifests, _pin(choose(name, wanted, by_name[name]))),))
    last = [newest(usable(releases)) for releases in by_name.values()]
    return Tree(tuple(_node(manifests, _pin(release)) for release in last if release))


def _pin(release: Release) -> Upstream:
    return Upstream(
        release.dataset, str(release.version), release.tag, release.commit, release.manifest
    )


def _node(manifests: Manifests, pin: Upstream) -> Node:
    own = [r for r in manifests.releases if r.dataset == pin.dataset]
    last = newest(usable(own))
    made_from = manifests.read(pin.manifest).made_from if pin.manifest else ()
    return Node(
        dataset=pin.dataset,
        version=pin.version,
        tag=pin.tag,
        latest=str(last.version) if last and str(last.version) != pin.version else None,
        yanked=any(r.tag == pin.tag and r.yanked for r in own),
        upstream=tuple(_node(manifests, other) for other in made_from),
    )
