"""The offset language of `-o/--offset`: from where to read, and up to where.

rpk's, with what kcl adds (same author). A spec is `START`, `START:`, `:END` or `START:END`;
the end is exclusive, and `end` on the right means the end as it is now.

    start  oldest          the first kept record        end  newest   only what comes from now on
    35                     an offset                    :end          all there is now
    +10  start+10          10 after the first kept      -10  end-10   10 before the end
    @T                     the first record at T or later
    @T1:T2  @T1:  @:T2     T2 may be `end`

T is 13 digits (ms), 10 digits (s), a date, RFC 3339, `now`, or a duration (`-1h`) that counts
from now; only a positive one on the right of a fixed T1 counts from there (`@2026-11-01:1h`).
"""

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from dataflare_cli.errors import UsageError
from dataflare_cli.model import OFFSET_MAX
from dataflare_cli.text.time import parse_moment

Kind = Literal["start", "end", "offset", "relative-start", "relative-end", "time"]

_NUMBER = re.compile(r"[0-9]{1,19}")
_DELTA = re.compile(r"(start|oldest|end|newest)?([+-])([0-9]{1,19})")
_DURATION = re.compile(r"[+-]?[0-9.]+\s*[A-Za-zµμ].*", re.DOTALL)
_FORMS = "write it like start, end, :end, 35, 35:50, -10, +10, @2026-11-01 or @-48h:-24h"


class Position(msgspec.Struct, frozen=True):
    """A place in every partition that is read.

    `value` is an offset, a distance from the start or before the end (never negative), or
    milliseconds since 1970; 0 for `start` and `end`.
    """

    kind: Kind
    value: int = 0


class OffsetSpec(msgspec.Struct, frozen=True):
    """Where to begin, and the first place not to be read; None: go on for ever."""

    start: Position
    end: Position | None = None


def parse_offset(text: str, now_ms: int) -> OffsetSpec:
    """Return what an offset argument means; durations count from `now_ms`.

    Raises:
        UsageError: not of this language, or an end that is not after its start.
    """
    word = text.strip()
    spec = _parse_times(word[1:], now_ms) if word.startswith("@") else _parse_offsets(word, now_ms)
    if spec is None:
        raise UsageError(f'invalid offset "{text}"', hint=_FORMS)
    if _is_empty(spec):
        raise UsageError(
            f'invalid offset "{text}": its end is not after its start',
            hint="the end is exclusive: 35:36 is one record",
        )
    return spec


def _parse_offsets(word: str, now_ms: int) -> OffsetSpec | None:
    left, colon, right = word.partition(":")
    if not colon and (pair := re.fullmatch(r"([0-9]+)-([0-9]+|end)", word)):
        left, right = pair.groups()  # rpk takes it, and does not tell
    start = Position("start") if not left and right else _place(left)
    if start is None or not right:
        return None if start is None else OffsetSpec(start)
    if right.startswith("@"):
        end = _moment(right[1:], now_ms)
    elif right.startswith("+") or right in ("start", "oldest"):
        return None  # "+5": from where? "start": nothing is before it
    else:
        end = _place(right)
    return None if end is None else OffsetSpec(start, end)


def _place(word: str) -> Position | None:
    if word in ("start", "oldest"):
        return Position("start")
    if word in ("end", "newest"):
        return Position("end")
    if _NUMBER.fullmatch(word):
        return Position("offset", int(word)) if int(word) <= OFFSET_MAX else None
    delta = _DELTA.fullmatch(word)
    if delta is None or int(delta[3]) > OFFSET_MAX:
        return None
    is_after_start = delta[2] == "+"
    if delta[1] and (delta[1] in ("start", "oldest")) != is_after_start:
        return None  # nothing is kept before the start, and nothing known after the end
    return Position("relative-start" if is_after_start else "relative-end", int(delta[3]))


def _parse_times(word: str, now_ms: int) -> OffsetSpec | None:
    for left, right in _splits(word):
        start = Position("start") if not left else _moment(left, now_ms)
        if start is None:
            continue
        if not right:
            return OffsetSpec(start) if left else None
        if right in ("end", "newest"):
            return OffsetSpec(start, Position("end"))
        is_from_left = left and not _DURATION.fullmatch(left) and not right.startswith("-")
        end = _moment(right.removeprefix("@"), start.value if is_from_left else now_ms)
        if end is not None:
            return OffsetSpec(start, end)
    return None


def _splits(word: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to read a text with colons: RFC 3339 has its own, so whole first."""
    yield word, ""
    at = len(word)
    while (at := word.rfind(":", 0, at)) >= 0:
        yield word[:at], word[at + 1 :]


def _moment(word: str, base_ms: int) -> Position | None:
    try:
        return Position("time", parse_moment(word, base_ms))
    except UsageError:
        return None


def _is_empty(spec: OffsetSpec) -> bool:
    """Tell whether a range can't hold anything, wherever the partition starts and ends."""
    start, end = spec.start, spec.end
    if end is None or start.kind != end.kind:
        return False  # also ":0": a script's range that happens to be empty reads nothing
    if start.kind == "relative-end":
        return start.value <= end.value
    return start.value >= end.value
