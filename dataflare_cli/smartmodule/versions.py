"""Versions of packages, and what asks for one: `0.1.0`, `1`, `^1.2`, `~1.2.3`, `>=1.0, <2`.

Hides the library; versions are those of semver.org 2.0.0. A requirement without a sign
means that version, or with fewer numbers every one that begins so. `^` and `~` are Cargo's.
A pre-release is met only by who asks for one.
"""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dataflare_cli.errors import UsageError

if TYPE_CHECKING:
    from semver import Version

_PART = re.compile(
    r"\s*(?P<sign>\^|~|=|>=|<=|>|<)?\s*v?(?P<major>\d+|\*)"
    r"(?:\.(?P<minor>\d+|\*|x)(?:\.(?P<patch>\d+|\*|x)(?P<rest>[-+][0-9A-Za-z.+-]+)?)?)?\s*"
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
    tests = [_test(part, requirement) for part in requirement.split(",")]
    wants_early = "-" in requirement
    known = [(parse_version(text), text) for text in versions]
    found = [each for each in known if all(test(each[0]) for test in tests)]
    released = [each for each in found if each[0].prerelease is None]
    if not wants_early and (released or requirement != "*"):
        found = released
    return max(found)[1] if found else None


def _test(part: str, requirement: str) -> Test:
    match = _PART.fullmatch(part)
    if match is None:
        raise UsageError(
            f"{requirement!r} is not a version requirement",
            hint="write it like 0.1.0, 1, ^1.2, ~1.2.3 or >=1.0,<2",
        )
    sign = match["sign"] or ""
    numbers = [int(each) for each in match.group("major", "minor", "patch") if _is_number(each)]
    low = parse_version(".".join(map(str, numbers or [0])) + (match["rest"] or ""))
    high = _after(low, sign, len(numbers))
    match sign:
        case ">":
            return (lambda version: version > low) if len(numbers) == 3 else _from(high)
        case ">=":
            return _from(low)
        case "<":
            return lambda version: version < low
        case "<=":
            return (
                (lambda version: version <= low)
                if len(numbers) == 3
                else (lambda version: high is None or version < high)
            )
    if len(numbers) == 3 and sign in ("", "="):
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
