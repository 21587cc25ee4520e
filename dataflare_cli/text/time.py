"""Durations and moments as people write them.

Hides the grammars: humantime's (`2h 37m`, `7days`) for durations, rpk's for moments.
Everything is UTC; a moment is milliseconds since 1970.

Invariants
- parse_duration(humantime(s)) == s for every whole number of seconds.
- parse_moment(format_time(ms), …) == ms for every year that has four digits but 0000.
"""

import re
from datetime import UTC, datetime, timedelta

from dataflare_cli.codec import program
from dataflare_cli.errors import UsageError

_NS = 1
_US = 1000 * _NS
_MS = 1000 * _US
_SECOND = 1000 * _MS
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_WEEK = 7 * _DAY
# humantime's: 30.44 and 365.25 days.
_MONTH = 2_630_016 * _SECOND
_YEAR = 31_557_600 * _SECOND

_UNITS_NS = {
    name: size
    for size, names in (
        (_NS, "nanoseconds nanosecond nanos nsec ns"),
        (_US, "microseconds microsecond micros usec us µs μs"),
        (_MS, "milliseconds millisecond millis msec ms"),
        (_SECOND, "seconds second secs sec s"),
        (_MINUTE, "minutes minute mins min m"),
        (_HOUR, "hours hour hrs hr h"),
        (_DAY, "days day d"),
        (_WEEK, "weeks week wks wk w"),
        (_MONTH, "months month M"),
        (_YEAR, "years year yrs yr y"),
    )
    for name in names.split()
}
_PARTS = (
    (_YEAR, "year", True),
    (_MONTH, "month", True),
    (_DAY, "day", True),
    (_HOUR, "h", False),
    (_MINUTE, "m", False),
    (_SECOND, "s", False),
    (_MS, "ms", False),
    (_US, "us", False),
    (_NS, "ns", False),
)
_PART = re.compile(r"\s*([0-9]{1,20})(?:\.([0-9]{1,9}))?\s*([A-Za-zµμ]+)")
_DURATION_MAX_NS = 10_000 * _YEAR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS_DELTA = timedelta(milliseconds=1)
_DAY_MS = 86_400_000


def parse_duration(text: str) -> float:
    """Return the seconds of `2h 37m`, `1.5 days`, `500ms`; a bare number other than 0 is refused.

    Raises:
        UsageError: with the units there are.
    """
    return _duration_ns(text) / _SECOND


def parse_moment(text: str, now_ms: int) -> int:
    """Return a moment in milliseconds since 1970.

    `now`, `today`, `yesterday` (midnights in UTC); 13 digits (ms) or 10 digits (s); a date
    `2026-11-01` with or without a time (RFC 3339; no zone means UTC); or a duration before
    (`-1h`) or after (`1h`, `+1h`) `now_ms`, which may be any moment a caller counts from.

    Raises:
        UsageError: with the forms there are.
    """
    word = text.strip()
    midnight_ms = now_ms - now_ms % _DAY_MS
    named = {"now": now_ms, "today": midnight_ms, "yesterday": midnight_ms - _DAY_MS}
    if word in named:
        return named[word]
    if re.fullmatch(r"[0-9]+", word):
        if len(word) == 13:
            return int(word)
        if len(word) == 10:
            return int(word) * 1000
        raise _bad_moment(text)
    if re.match(r"[0-9]{4}-[0-9]{2}", word):
        return _calendar_ms(word, text)
    sign, length = (-1, word[1:]) if word.startswith("-") else (1, word.removeprefix("+"))
    try:
        return now_ms + sign * (_duration_ns(length) // _MS)
    except UsageError:
        raise _bad_moment(text) from None


def format_time(ms: int) -> str:
    """Return RFC 3339 in UTC with milliseconds; `NA` for no timestamp.

    Beyond the years 0000 to 9999 it is the number itself. The codec's, as text.
    """
    return program.format_time(ms).decode()


def humantime(seconds: float) -> str:
    """Return a duration as Fluvio shows it: `7days`, `2m`, `1h 30m`, `0s`."""
    rest = round(seconds * _SECOND)
    if rest == 0:
        return "0s"
    sign, rest = ("-", -rest) if rest < 0 else ("", rest)
    parts = []
    for size, name, is_plural in _PARTS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{name}{'s' if is_plural and count > 1 else ''}")
    return sign + " ".join(parts)


def _duration_ns(text: str) -> int:
    word = text.strip()
    if word == "0":
        return 0
    total, at = 0, 0
    while at < len(word):
        match = _PART.match(word, at)
        if match is None or match[3] not in _UNITS_NS:
            break
        decimals = match[2] or ""
        total += int(match[1] + decimals) * _UNITS_NS[match[3]] // 10 ** len(decimals)
        at = match.end()
    if at < len(word) or not word or total > _DURATION_MAX_NS:
        raise UsageError(
            f"Invalid argument: not a duration: {text!r}",
            hint="write a number and its unit, as in 500ms, 10s, 2m, 1h 30m, 7days, 2 weeks",
        )
    return total


def _calendar_ms(word: str, text: str) -> int:
    try:
        moment = datetime.fromisoformat(word)
    except ValueError:
        raise _bad_moment(text) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MS_DELTA


def _bad_moment(text: str) -> UsageError:
    return UsageError(
        f"Invalid argument: not a moment: {text!r}",
        hint="write now, today, 2026-11-01, 2026-11-01T12:00:00Z, -1h, "
        "13 digits (milliseconds) or 10 digits (seconds)",
    )
