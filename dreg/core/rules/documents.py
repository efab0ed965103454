"""Rules about what people read: licence and description. And about the bytes themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dreg.core.profile import Profile, Prompt, Published
from dreg.core.rules.rule import rule, shared, ticked
from dreg.core.version import Bump
from dreg.core.wording import numbered, tick

LICENCE = "licence"


@rule(Bump.MAJOR)
def licence_restricted(old: Profile, new: Profile) -> Iterator[str]:
    """Whoever uses the data under the old terms may not use the new version the same way.

    Before: dataset: {name: wine-quality, licence: CC-BY-4.0}
    After: dataset: {name: wine-quality, licence: CC-BY-NC-4.0}
    """
    before, after = _licences(old, new)
    if _spelled(before) == _spelled(after) or not before:
        return
    old_duties, new_duties = duties(before), duties(after)
    if not after:
        yield f"the licence is not stated any more: it was {before}"
    elif new_duties is None or (old_duties is None and new_duties):
        yield f"the licence is {after} instead of {before}: compare their terms"
    elif old_duties is not None and (added := sorted(new_duties - old_duties)):
        yield f"the licence is {after} instead of {before}, which adds: {', '.join(added)}"


@rule(Bump.PATCH)
def licence_clarified(old: Profile, new: Profile) -> Iterator[str]:
    """Nobody: the licence is newly stated, spelled otherwise, or asks for nothing more.

    Before: dataset: {name: wine-quality, licence: CC BY 4.0}
    After: dataset: {name: wine-quality, licence: CC-BY-4.0}
    """
    before, after = _licences(old, new)
    if before != after and not any(licence_restricted(old, new)):
        yield f"the licence is {after} instead of {before or 'not stated'}"


@rule(Bump.MAJOR)
def prompt_removed(old: Profile, new: Profile) -> Iterator[str]:
    """Code that reads the prompt from metadata.json, to ask a model the same, stops working.

    Before: prompt: {name: caption, version: "1", text: Describe the picture.}
    After: prompt: null
    """
    if old.prompt and not new.prompt:
        yield f"the prompt{_titled(old.prompt)} is gone"


@rule(Bump.MINOR)
def prompt_changed(old: Profile, new: Profile) -> Iterator[str]:
    """Models that were tuned to the prompt, or asked it, are asked something else.

    Before: prompt: {name: caption, version: "1", text: Describe the picture.}
    After: prompt: {name: caption, version: "2", text: Describe the picture in a sentence.}
    """
    before, after = old.prompt, new.prompt
    if not before or not after:
        return
    for part in ("name", "version"):
        was, now = getattr(before, part), getattr(after, part)
        if was != now:
            yield f"the prompt has the {part} {_word(now)} instead of {_word(was)}"
    if before.text != after.text:
        yield f"the prompt{_titled(after)} has another text"


def _word(text: str) -> str:
    return tick(text) if text else "(none)"


def _titled(prompt: Prompt) -> str:
    return f" {tick(prompt.name)}" if prompt.name else ""


@rule(Bump.PATCH)
def documentation_changed(old: Profile, new: Profile) -> Iterator[str]:
    """Nobody: words about the data changed, not the data.

    Before: dataset: {name: wine-quality, title: Wines}
    After: dataset: {name: wine-quality, title: Wine quality}
    """
    keys = (old.dataset.keys() | new.dataset.keys()) - {LICENCE}
    changed = [key for key in sorted(keys) if old.dataset.get(key) != new.dataset.get(key)]
    if changed:
        yield f"documented otherwise: {ticked(changed)}"
    for name in shared(old.features, new.features):
        yield from _stated(
            f"the unit of column {tick(name)}", old.features[name].unit, new.features[name].unit
        )
        yield from _stated_model(name, old.features[name].model, new.features[name].model)
    # None is not known, as in profiles from before there was such a thing.
    if old.key == () and new.key:
        yield f"the key is stated now: {ticked(new.key)}"
    if old.label == "" and new.label:
        yield f"the label is stated now: {tick(new.label)}"
    if new.prompt and not old.prompt:
        yield f"the prompt{_titled(new.prompt)} is stated now"
    for name in shared(old.splits, new.splits):
        yield from _stated(
            f"the role of split {tick(name)}", old.splits[name].role, new.splits[name].role
        )


@rule(Bump.PATCH)
def content_changed(old: Profile, new: Profile) -> Iterator[str]:
    """Whoever compares checksums: the published files are not the same bytes.

    Before: snapshot: {files: 2, size: 1000, digest: 5d41}
    After: snapshot: {files: 2, size: 1010, digest: 7d79}
    """
    before, after = old.snapshot, new.snapshot
    # Another index of the same files is of another key, or of other splits: not this rule's business.
    if not before.same_files(after) and not _same_samples(before, after):
        amounts = [
            f"{numbered(published.files, 'file')} of {numbered(published.size, 'byte')}"
            for published in (after, before)
        ]
        yield "the published files differ" + (
            f": {' instead of '.join(amounts)}"
            if (before.files, before.size) != (after.files, after.size)
            else f", although they are {amounts[0]} as before"
        )


@rule(Bump.PATCH)
def encoding_changed(old: Profile, new: Profile) -> Iterator[str]:
    """Whoever compares checksums, and nobody else: the samples are the same in other bytes.

    The order of rows is another, or how they lie in files, the compression, or a file without samples.

    Before: snapshot: {files: 2, size: 1000, digest: 5d41, samples: a3c2}
    After: snapshot: {files: 2, size: 970, digest: 7d79, samples: a3c2}
    """
    before, after = old.snapshot, new.snapshot
    if not before.same_files(after) and _same_samples(before, after):
        size = numbered(after.size, "byte") + (
            f" instead of {before.size:,}" if after.size != before.size else " as before"
        )
        yield f"the samples are the same in other bytes: {size}"


def _same_samples(before: Published, after: Published) -> bool:
    return bool(before.samples) and before.samples == after.samples


def _stated(what: str, before: str, after: str) -> Iterator[str]:
    """A word that was missing or is; one for another is some other rule's business."""
    if after and not before:
        yield f"{what} is stated now: {after}"
    elif before and not after:
        yield f"{what} is not stated any more: it was {before}"


def _stated_model(column: str, before: str, after: str) -> Iterator[str]:
    """The embedding model, or its revision, where nothing says that it is another."""
    (one, at), (other, at_now) = (model.partition("@")[::2] for model in (before, after))
    if one == other:
        yield from _stated(f"the revision of the model of column {tick(column)}", at, at_now)
    else:
        yield from _stated(f"the model of column {tick(column)}", before, after)


# Whoever shares alike shares under the same licence: those of two houses don't mix.
_DUTIES = {
    "by": "attribution",
    "sa": "share-alike under Creative Commons",
    "nc": "non-commercial",
    "nd": "no derivatives",
}
_OPEN_DATA = {
    "cc0": frozenset[str](),
    "cc-zero": frozenset[str](),
    "pddl": frozenset[str](),
    "odc-by": frozenset({"attribution"}),
    "odbl": frozenset({"attribution", "share-alike under ODbL"}),
}
_CC = re.compile(r"cc-by(?:-(?:sa|nc|nd))*")


def duties(licence: str) -> frozenset[str] | None:
    """What a licence made for data asks of its users; None for one that dreg doesn't know."""
    name = re.sub(r"-v?\d+(?:\.\d+)*$", "", _spelled(licence))
    if _CC.fullmatch(name):
        return frozenset(_DUTIES[part] for part in name.split("-")[1:])
    return _OPEN_DATA.get(name)


def _spelled(licence: str) -> str:
    """One spelling for `CC BY 4.0`, `cc-by-4.0` and `CC_BY_4.0`."""
    return re.sub(r"[\s_-]+", "-", licence.strip().lower())


def _licences(old: Profile, new: Profile) -> tuple[str, str]:
    return old.dataset.get(LICENCE, ""), new.dataset.get(LICENCE, "")
