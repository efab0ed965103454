"""Semantic versions of datasets: bumps, tags and ranges. https://semver.org, version 2.0.0."""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from semver import Version

from dreg.errors import BadRequest

FIRST = Version(1, 0, 0)

NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
ENDS_LIKE_A_VERSION = re.compile(r"-v[0-9]+$")


class Bump(enum.IntEnum):
    """How much a difference costs; ordered, so that `max` of the prices is the bump."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    def __str__(self) -> str:
        return self.name.lower()

    def after(self, version: Version) -> Version:
        """The version that follows `version`. While 0.x, a major bump counts as minor (SemVer 4).

        After a prerelease comes the version that it announced, if that is bump enough.
        """
        if self is Bump.NONE:
            return version
        if version.prerelease:
            final = version.finalize_version()
            numbers = (final.patch, final.minor) if final.major else (final.patch,)
            if not any(numbers[: max(self - Bump.PATCH, 0)]):
                return final
        if self is Bump.MAJOR and version.major > 0:
            return version.bump_major()
        if self is Bump.PATCH:
            return version.bump_patch()
        return version.bump_minor()


def next_prerelease(version: Version, label: str, versions: Iterable[Version]) -> Version:
    """`1.1.0-rc.3` for 1.1.0 and `rc`, if `versions` has two such."""
    taken = [0]
    for other in versions:
        word, _, number = str(other.prerelease or "").rpartition(".")
        if other.finalize_version() == version and word == label and number.isdigit():
            taken.append(int(number))
    return version.replace(prerelease=f"{label}.{max(taken) + 1}")


def parse_version(text: str) -> Version:
    """A version from `1.2.3`, `v1.2.3`, `1.2.3-rc.1`. Raises BadRequest."""
    _refuse_build(text)
    try:
        return Version.parse(text.removeprefix("v"))
    except (ValueError, TypeError) as error:
        raise BadRequest(
            f"`{text}` is not a version", hint="versions look like 1.2.0 or 1.2.0-rc.1"
        ) from error


def check_name(name: str) -> str:
    """`name` if a dataset may be called that. Raises BadRequest."""
    if not NAME.fullmatch(name):
        raise BadRequest(
            f"`{name}` cannot name a dataset",
            hint="names have lower case letters, digits and single `-` between them: my-dataset",
        )
    if ENDS_LIKE_A_VERSION.search(name):
        raise BadRequest(
            f"`{name}` ends like a version, and tags are `<name>-v<version>`",
            hint=f"leave the version to dreg: {ENDS_LIKE_A_VERSION.sub('', name)}",
        )
    return name


def tag_of(name: str, version: Version) -> str:
    """The git tag of a release: `wine-quality-v1.0.0`."""
    return f"{name}-v{version}"


@functools.lru_cache(maxsize=1 << 12)  # each has many tags
def _can_be_a_name(name: str) -> bool:
    return bool(NAME.fullmatch(name)) and not ENDS_LIKE_A_VERSION.search(name)


@functools.lru_cache(maxsize=1 << 16)  # of 20,000 tags each is asked about several times
def parse_tag(tag: str) -> tuple[str, Version] | None:
    """Dataset and version of a release's tag, or None for a tag of another kind.

    The name ends at the last `-v` that a version follows, so `x-v2-foo-v1.0.0` is `x-v2-foo`. A version
    with build metadata has the precedence of the one without (SemVer 10), so no release has any.
    """
    for match in reversed(list(re.finditer(r"-v(?=\d)", tag))):
        name, text = tag[: match.start()], tag[match.end() :]
        if _can_be_a_name(name):
            try:
                version = Version.parse(text)
            except ValueError:
                continue
            return None if version.build else (name, version)
    return None


@dataclass(frozen=True)
class Range:
    """A set of versions: `^1.2`, `~1.2`, `>=1.0,<2`, `1.x`, `1.2.3`, `latest`.

    As npm and Cargo read them: `^` keeps the leftmost number that is not zero, `~` keeps major and
    minor, a missing number is any. Prereleases match only when the range names one.
    """

    text: str
    bounds: tuple[tuple[str, Version], ...]
    prereleases: bool = False

    @classmethod
    def parse(cls, text: str) -> Range:
        """Raises BadRequest when `text` is not a range."""
        wanted = text.strip()
        if wanted in ("", "*", "x", "latest"):
            return cls(text=wanted or "latest", bounds=())
        bounds: list[tuple[str, Version]] = []
        for part in re.split(r"\s*,\s*|\s+(?=[<>=^~])", wanted):
            bounds += _bounds(part, wanted)
        return cls(wanted, tuple(bounds), prereleases=bool(re.search(r"\d-", wanted)))

    @classmethod
    def exactly(cls, version: Version) -> Range:
        """Just this version."""
        return cls(str(version), (("=", version),), bool(version.prerelease))

    def __contains__(self, version: Version) -> bool:
        if version.prerelease and not self.prereleases:
            return False
        tests = {
            ">=": lambda a, b: a >= b,
            "<": lambda a, b: a < b,
            ">": lambda a, b: a > b,
            "<=": lambda a, b: a <= b,
            "=": lambda a, b: a == b,
        }
        return all(tests[operator](version, bound) for operator, bound in self.bounds)

    def newest(self, versions: Iterable[Version]) -> Version | None:
        """The newest of `versions` in this range."""
        return max((version for version in versions if version in self), default=None)

    def __str__(self) -> str:
        return self.text


_PART = re.compile(
    r"(\^|~|>=|<=|>|<|==|=|)\s*v?(\d+|[x*])(?:\.(\d+|[x*]))?(?:\.(\d+|[x*]))?(-[0-9A-Za-z.-]+)?"
)


def _refuse_build(text: str) -> None:
    if re.search(r"\d\+", text):
        raise BadRequest(
            f"`{text}` has build metadata, and releases have none",
            hint=f"ask for the version: {text.partition('+')[0]}; a tag of that name: --rev TAG",
        )


def _bounds(part: str, whole: str) -> list[tuple[str, Version]]:
    _refuse_build(part)
    match = _PART.fullmatch(part)
    if match is None:
        raise BadRequest(
            f"`{whole}` is not a version range",
            hint="ranges look like ^1.0, ~1.2, '>=1.0,<2', 1.x, 1.2.0 or latest",
        )
    operator, *numbers, prerelease = match.groups()
    known = [int(n) for n in _before_wildcard(numbers)]
    low = _version(known, prerelease and prerelease[1:])
    exact = len(known) == 3
    if not known:
        return []
    if operator == "^":
        leading = next((i for i, n in enumerate(known) if n), len(known) - 1)
        return [(">=", low), ("<", _next(known, leading))]
    if operator == "~":
        return [(">=", low), ("<", _next(known, min(1, len(known) - 1)))]
    if operator in ("", "=", "=="):
        if exact:
            return [("=", low)]
        return [(">=", low), ("<", _next(known, len(known) - 1))]
    if operator in (">", "<=") and not exact:  # >1.2 is >=1.3.0, <=1.2 is <1.3.0
        return [(">=" if operator == ">" else "<", _next(known, len(known) - 1))]
    return [(operator, low)]


def _before_wildcard(numbers: Iterable[str | None]) -> list[str]:
    known = []
    for number in numbers:
        if number is None or number in "x*":
            break
        known.append(number)
    return known


def _version(numbers: list[int], prerelease: str | None) -> Version:
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    return Version(major, minor, patch, prerelease=prerelease)


def _next(known: list[int], position: int) -> Version:
    """The first version whose number at `position` is one higher."""
    raised = [*known[:position], known[position] + 1]
    # A prerelease of the upper bound lies below it, yet is not what `^1` means: exclude it too.
    return _version(raised, "0")


def parse_request(text: str) -> tuple[str, Range]:
    """Dataset and range of `name@range`; without `@`, the latest. Raises BadRequest."""
    name, _, wanted = text.partition("@")
    return check_name(name), Range.parse(wanted)


REVISION = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?|[A-Za-z][A-Za-z0-9._/+-]*")


def range_or_revision(text: str) -> tuple[Range, str | None]:
    """What is behind the `@`: a range, or else a branch, tag or whole commit id. Raises BadRequest."""
    if re.fullmatch(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", text):
        return Range.parse("latest"), text
    try:
        return Range.parse(text), None
    except BadRequest:
        if REVISION.fullmatch(text):
            return Range.parse("latest"), text
        raise


def as_revision(text: str) -> str:
    """A tag, branch or whole commit id as `range_or_revision` reads it, which takes `v1.0` for a range:
    then a tag is meant. Raises BadRequest."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/+-]*", text):
        raise BadRequest(
            f"`{text}` is no tag, branch or whole commit id",
            hint="a range goes with the name: NAME@^1.0",
        )
    return text if range_or_revision(text)[1] else f"refs/tags/{text}"
