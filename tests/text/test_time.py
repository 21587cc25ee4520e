"""Durations and moments."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.codec.program import Instruction, Op, render
from dataflare_cli.errors import UsageError
from dataflare_cli.model import Record
from dataflare_cli.text.time import format_time, humantime, parse_duration, parse_moment

NOW_MS = 1_793_534_400_123  # 2026-11-01T12:00:00.123Z
TEN_THOUSAND_YEARS_S = 10_000 * 31_557_600


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("10s", 10),
        ("2h 37m", 2 * 3600 + 37 * 60),
        ("2h37m", 2 * 3600 + 37 * 60),
        ("7days", 604_800),
        ("30 days", 30 * 86_400),
        ("2 weeks", 14 * 86_400),
        ("1.5h", 5400),
        ("500ms", 0.5),
        ("1500us", 0.0015),
        ("1year 2months", 31_557_600 + 2 * 2_630_016),
        ("1M", 2_630_016),
        ("1m", 60),
    ],
)
def test_durations_are_humantime(text, seconds):
    """Every unit of humantime is known, joined in any way, with decimals too."""
    assert seconds == parse_duration(text)


@pytest.mark.parametrize("text", ["", " ", "5", "s", "5 fortnights", "-5s", "1s,", "1..5s", "1e3s"])
def test_what_is_no_duration_is_refused(text):
    """A number without a unit, a sign or an unknown unit is an error that names units."""
    with pytest.raises(UsageError, match="not a duration") as caught:
        parse_duration(text)

    assert "7days" in (caught.value.hint or "")


def test_durations_have_a_limit():
    """More than ten thousand years is refused, however it is spelled."""
    assert TEN_THOUSAND_YEARS_S == parse_duration("10000y")
    with pytest.raises(UsageError):
        parse_duration("10001y")
    with pytest.raises(UsageError):
        parse_duration("9" * 400 + "s")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (604_800, "7days"),
        (86_400, "1day"),
        (120, "2m"),
        (5400, "1h 30m"),
        (31_557_600 + 2 * 2_630_016 + 1, "1year 2months 1s"),
        (0.0015, "1ms 500us"),
        (-60, "-1m"),
    ],
)
def test_humantime_is_fluvios(seconds, text):
    """Years, months and days are words with a plural, the rest are letters."""
    assert text == humantime(seconds)


@given(st.integers(0, TEN_THOUSAND_YEARS_S))
def test_humantime_round_trip(seconds):
    """Invariants: a whole number of seconds survives being shown and read."""
    assert seconds == parse_duration(humantime(seconds))


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("now", NOW_MS),
        ("today", 1_793_491_200_000),
        ("yesterday", 1_793_404_800_000),
        ("1700000000000", 1_700_000_000_000),
        ("1700000000", 1_700_000_000_000),
        ("2026-11-01", 1_793_491_200_000),
        ("2026-11-01T12:00:00Z", 1_793_534_400_000),
        ("2026-11-01T12:00:00.5+02:00", 1_793_527_200_500),
        ("2026-11-01 12:00", 1_793_534_400_000),
        ("-1h", NOW_MS - 3_600_000),
        ("-1h 30m", NOW_MS - 5_400_000),
        ("+1s", NOW_MS + 1000),
        ("1s", NOW_MS + 1000),
    ],
)
def test_moments(text, ms):
    """A moment is a word, digits, a date in UTC or a distance from now."""
    assert ms == parse_moment(text, NOW_MS)


@pytest.mark.parametrize(
    "text", ["", "12", "20261101", "2026-13-01", "2026-11-01T", "--1h", "+-1h", "noon", "1h-2m"]
)
def test_what_is_no_moment_is_refused(text):
    """Digits whose unit can only be guessed, and what has no date, are errors with examples."""
    with pytest.raises(UsageError, match="not a moment") as caught:
        parse_moment(text, NOW_MS)

    assert "2026-11-01" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (1_672_628_645_678, "2023-01-02T03:04:05.678Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "NA"),
        (-2, "1969-12-31T23:59:59.998Z"),
        (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        (-62_167_219_200_001, "-62167219200001"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "253402300800000"),
        (2**63 - 1, "9223372036854775807"),
    ],
)
def test_times_are_rfc_3339(ms, text):
    """Time is UTC with milliseconds; where RFC 3339 ends, the number itself is shown."""
    assert text == format_time(ms)


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_round_trip(moment):
    """Invariants: shown as datetime would show it; read back to the same millisecond."""
    ms = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    if ms == -1:
        return
    shown = format_time(ms)

    assert moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") == shown
    assert ms == parse_moment(shown, NOW_MS)


@given(st.integers(-(2**63), 2**63 - 1) | st.integers(-62_167_219_200_001, 253_402_300_800_000))
def test_times_are_the_codecs(ms):
    """Invariants: the codec's TIME writes what format_time does, for any timestamp."""
    record = Record(value=None, timestamp_ms=ms)

    assert format_time(ms).encode() == render((Instruction(Op.TIME),), record, 0)
