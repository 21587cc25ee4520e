"""Versions of packages, and what asks for one: `0.1.0`, `1`, `^1.2`, `~1.2.3`, `>=1.0, <2`.

Hides the library; versions are those of semver.org 2.0.0. A requirement without a sign
means that version, or with fewer numbers every one that begins so. `^` and `~` are Cargo's.
A pre-release is met only by who asks for one of the same three numbers; by `*`, if there
is nothing else.
"""

import re
from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from dataflare_cli.errors import UsageError

if TYPE_CHECKING:
    from semver import Version

_PART = re.compile(
    r"\s*(?P<sign>\^|~|=|>=|<=|>|<)?\s*v?(?P<major>\d{1,20}|[*xX])"
    r"(?:\.(?P<minor>\d{1,20}|[*xX])"
    r"(?:\.(?P<patch>\d{1,20}|[*xX])(?P<rest>[-+][0-9A-Za-z.+-]+)?)?)?\s*",
    re.ASCII,
)
Test = Callable[["Version"], bool]


def parse_version(text: str) -> "Version":
    """Return a version; fewer numbers than three are filled up with 0.

    Raises:
        UsageError: it is none.
    """
    from semver import Version

    try:
        return Version.parse(text, optional_minor_and_patch=True)
    except (ValueError, TypeError) as exc:
        raise UsageError(f"{text!r} is not a version", hint="write it like 0.1.0") from exc


def best(requirement: str, versions: Iterable[str]) -> str | None:
    """Return the highest of some versions that a requirement takes; None if it takes none.

    Raises:
        UsageError: it is no requirement.
    """
    parts = [_read(part, requirement) for part in requirement.split(",")]
    known = [(parse_version(text), text) for text in versions]
    found = [each for each in known if all(part.test(each[0]) for part in parts)]
    early = {part.early for part in parts}
    fit = [
        each
        for each in found
        if each[0].prerelease is None or each[0].finalize_version().to_tuple()[:3] in early
    ]
    if requirement == "*":
        fit = fit or found
    return max(fit)[1] if fit else None


class _Part(NamedTuple):
    """One comparison, and the three numbers of which it takes pre-releases, if of any."""

    test: Test
    early: tuple[int, ...] | None


def _read(part: str, requirement: str) -> _Part:
    match = _PART.fullmatch(part)
    given = match.group("major", "minor", "patch") if match is not None else ()
    numbers = [int(each) for each in takewhile(_is_number, given) if each is not None]
    is_torn = any(map(_is_number, given[len(numbers) :]))  # 1.*.3
    if match is None or is_torn or (match["rest"] and len(numbers) < 3):
        raise UsageError(
            f"{requirement!r} is not a version requirement",
            hint="write it like 0.1.0, 1, ^1.2, ~1.2.3 or >=1.0,<2",
        )
    low = parse_version(".".join(map(str, numbers or [0])) + (match["rest"] or ""))
    early = None if low.prerelease is None else tuple(numbers)
    return _Part(_test(match["sign"] or "", low, len(numbers)), early)


def _test(sign: str, low: "Version", count: int) -> Test:
    high = _after(low, sign, count)
    match sign:
        case ">":
            return (lambda version: version > low) if count == 3 else _from(high)
        case ">=":
            return _from(low)
        case "<":
            return lambda version: version < low
        case "<=":
            return (
                (lambda version: version <= low)
                if count == 3
                else (lambda version: high is None or version < high)
            )
    if count == 3 and sign in ("", "="):
        return lambda version: version == low
    return lambda version: version >= low and (high is None or version < high)


def _from(low: "Version | None") -> Test:
    return lambda version: low is not None and version >= low


def _is_number(text: str | None) -> bool:
    return text is not None and text.isdigit()


def _after(low: "Version", sign: str, count: int) -> "Version | None":
    """Return the first version that is not meant any more; None if all later ones are."""
    if not count:
        return None
    if sign == "^":
        if low.major or count == 1:
            return low.bump_major()
        return low.bump_minor() if low.minor or count == 2 else low.bump_patch()
    if sign == "~" and count == 3:
        return low.bump_minor()
    return (low.bump_major, low.bump_minor, low.bump_patch)[count - 1]()
