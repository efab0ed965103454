"""A review as a comment on GitHub: whatever is in it, it is text, and it is no longer than GitHub takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from dreg.core.ci.markup import code, literal, row, sentence
from dreg.core.ci.reviewed import Picture, Reviewed
from dreg.core.wording import numbered

MARK = "<!-- dreg review -->"
LIMIT = 65_536  # characters of a comment, as UTF-16 counts them
SPARE = 200  # for what is said of what is left out
LONGEST = 200  # characters of a name or a sentence
MOST_ROWS = 40
MOST_DATASETS = 100
MOST_PICTURES = 2
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
WORDS = {
    "changed": "its pipeline was changed and not run since, so this is of the last run",
    "never run": "it was never run",
    "broken": "its files cannot be read",
}


@dataclass(frozen=True)
class Place:
    """The repository on GitHub that a comment is for: `https://github.com`, `owner/name`, and the `run` that reviewed."""

    server: str
    repository: str
    run: str = ""


def comment(
    datasets: Sequence[Reviewed],
    *,
    gone: Sequence[str] = (),
    head: str = "",
    place: Place | None = None,
    limit: int = LIMIT,
) -> str:
    """The comment's text, never longer than `limit`. Pictures are shown where a `place` has them."""
    lines = [MARK, "### Data review", ""]
    if not datasets and not gone:
        lines.append("No dataset is touched.")
    if datasets:
        lines += [row("dataset", "released", "next", "findings", "gates and promises")]
        lines += [row(*["---"] * 5)]
        lines += [_summary(one) for one in datasets[:MOST_DATASETS]]
        if len(datasets) > MOST_DATASETS:
            lines += ["", f"and {numbered(len(datasets) - MOST_DATASETS, 'dataset')} more"]
    for name in gone[:MOST_DATASETS]:
        lines += ["", f"{code(_short(name))} is removed; its releases stay."]
    if COMMIT.fullmatch(head):
        lines += ["", f"<sub>{numbered(len(datasets), 'dataset')} touched, at {head[:12]}</sub>"]
    text = _fitting(lines, limit - SPARE)
    left_out = []
    for at, one in enumerate(datasets):
        # What the first ones leave is for those behind them.
        share = (limit - SPARE - _length(text)) // (len(datasets) - at)
        section = _section(one, place, share)
        if section:
            text += section
        else:
            left_out.append(one.name)
    if left_out:
        text += f"\n\n{numbered(len(left_out), 'dataset')} did not fit in here: dreg diff NAME"
    return text


def _summary(one: Reviewed) -> str:
    if one.error:
        return row(code(_short(one.name)), one.last or "", "", sentence(_short(one.error)), "")
    following = f"**{literal(one.next or '')}** {literal(one.bump)}" if one.next else ""
    if one.bump == "none":
        following = "nothing to release"
    if one.last is None and one.next:
        following = f"**{literal(one.next)}** first release"
    broken = f"**{numbered(len(one.problems), 'problem')}**" if one.problems else "kept"
    found = numbered(len(one.findings), "finding") if one.findings else ""
    doubt = "; ".join([*([WORDS[one.state]] if one.state in WORDS else []), *one.unseen])
    told = "; ".join(part for part in (found, sentence(_short(doubt))) if part)
    return row(code(_short(one.name)), literal(one.last or "-"), following, told, broken)


def _section(one: Reviewed, place: Place | None, share: int) -> str:
    """What there is to say of one dataset, as much as fits; empty if not even its beginning does."""
    begin = f"\n\n<details><summary>{code(_short(one.name))}</summary>\n"
    end = f"\n\n<sub>all of it: dreg diff {literal(_short(one.name))}</sub>\n\n</details>"
    room = share - _length(begin) - _length(end)
    told = ""
    for block in _blocks(one, place):
        text = "\n" + "\n".join(block)
        if _length(told) + _length(text) > room:
            break
        told += text
    return f"{begin}{told}{end}" if told else ""


def _blocks(one: Reviewed, place: Place | None) -> Iterator[list[str]]:
    """Parts that make sense alone: a heading and a table, a row more, a picture."""
    yield [f"Touched by: {literal(_short('; '.join(one.why)))}"]
    if one.problems:
        problems = (f"- {sentence(_short(problem))}" for problem in one.problems)
        yield from _listed(["", "**Promises and gates**", ""], problems)
    if one.findings:
        head = ["", row("price", "what changed", "who is hurt"), row("---", "---", "---")]
        told = (
            row(
                literal(_short(f.price)),
                f"{sentence(_short(f.text))} ({code(_short(f.rule))})",
                sentence(_short(f.hurts)),
            )
            for f in one.findings
        )
        yield from _listed(head, told)
    if one.columns:
        head = ["", row("column", "before", "now"), row("---", "---", "---")]
        columns = (
            row(
                code(_short(c.name)),
                literal(_short(c.before or "-")),
                literal(_short(c.after or "-")),
            )
            for c in one.columns
        )
        yield from _listed(head, columns)
    if any(split.before != split.after for split in one.splits):
        head = ["", row("split", "samples before", "now"), row("---", "---:", "---:")]
        splits = (row(code(_short(s.split)), _count(s.before), _count(s.after)) for s in one.splits)
        yield from _listed(head, splits)
    if len(one.counts) > 1:
        first, *rows = one.counts
        head = ["", row(*map(literal, first)), row(*["---"] * len(first))]
        yield from _listed(
            head, (row(*(literal(_short(cell)) for cell in cells)) for cells in rows)
        )
    if one.samples:
        head = ["", row("sample", "split", "key"), row("---", "---", "---")]
        samples = (
            row(literal(_short(s.kind)), literal(_short(s.where)), code(_short(s.key)))
            for s in one.samples
        )
        yield from _listed(head, samples)
        if one.more_samples > 0:
            yield ["", f"and {numbered(one.more_samples, 'sample')} more"]
    for picture in one.pictures if place else ():
        if address := _address(picture, place):
            yield ["", f'<img alt="{quote(picture.path)}" src="{address}">']
    if one.pictures_beside:
        files = ", ".join(code(_short(name)) for name in one.pictures_beside[:MOST_PICTURES])
        yield ["", f"Thumbnails, {_where_files_are(place)}: {files}"]
    if one.downstream:
        made = (
            f"- {code(_short(d.name))} asks for {literal(_short(d.wanted))}: "
            + ("the next version is in it" if d.fits else "**the next version is not in it**")
            for d in one.downstream
        )
        yield from _listed(["", "**Datasets made from it**", ""], made)


def _listed(head: list[str], rows: Iterable[str]) -> Iterator[list[str]]:
    """The head with the first row, then row by row."""
    for at, line in enumerate(rows):
        if at == MOST_ROWS:
            yield ["", "and more"]
            return
        yield [line] if at else [*head, line]


def _address(picture: Picture, place: Place | None) -> str:
    """Where GitHub shows a file of the repository; empty for what is no picture of a dataset's."""
    inside = re.fullmatch(r"data/[^/]+/[^/]+\.png", picture.path)
    if place is None or inside is None or not COMMIT.fullmatch(picture.commit):
        return ""
    return f"{place.server}/{place.repository}/blob/{picture.commit}/{quote(picture.path)}?raw=true"


def _where_files_are(place: Place | None) -> str:
    if place is None or not re.fullmatch(r"[0-9]+", place.run):
        return "beside this review"
    run = f"{place.server}/{place.repository}/actions/runs/{place.run}"
    return f"in the artifact of [its run]({run}#artifacts)"


def _fitting(lines: Sequence[str], limit: int) -> str:
    text = ""
    for line in lines:
        if _length(text) + _length(line) + 1 > limit:
            break
        text += f"\n{line}" if text else line
    return text


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
