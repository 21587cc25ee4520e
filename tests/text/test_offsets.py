"""The offset language: rpk's own examples, kcl's additions, and what neither takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.errors import UsageError
from dataflare_cli.text.offsets import OffsetSpec, Position, parse_offset

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
NOVEMBER_MS = 1_793_491_200_000  # 2026-11-01T00:00:00Z

START, END = Position("start"), Position("end")


def at(offset: int) -> Position:
    return Position("offset", offset)


def time(ms: int) -> Position:
    return Position("time", ms)


TABLE = {
    "start": (START, None),
    "oldest": (START, None),
    "start:": (START, None),
    "end": (END, None),
    "newest": (END, None),
    ":end": (START, END),
    ":newest": (START, END),
    "start:end": (START, END),
    "+3": (Position("relative-start", 3), None),
    "+3:": (Position("relative-start", 3), None),
    "start+3": (Position("relative-start", 3), None),
    "-3": (Position("relative-end", 3), None),
    "end-3": (Position("relative-end", 3), None),
    "-10:-3": (Position("relative-end", 10), Position("relative-end", 3)),
    "-10:end": (Position("relative-end", 10), END),
    ":-3": (START, Position("relative-end", 3)),
    ":end-3": (START, Position("relative-end", 3)),
    "+5:start+9": (Position("relative-start", 5), Position("relative-start", 9)),
    "35": (at(35), None),
    " 35 ": (at(35), None),
    "35:": (at(35), None),
    ":23": (START, at(23)),
    ":0": (START, at(0)),
    "start:23": (START, at(23)),
    "90:91": (at(90), at(91)),
    "90-91": (at(90), at(91)),
    "90:end": (at(90), END),
    "90-end": (at(90), END),
    "90:-5": (at(90), Position("relative-end", 5)),
    "9223372036854775807": (at(2**63 - 1), None),
    "@2026-11-01": (time(NOVEMBER_MS), None),
    "@2026-11-01:": (time(NOVEMBER_MS), None),
    "@2026-11-01T12:00:00Z": (time(NOVEMBER_MS + 12 * HOUR_MS), None),
    "@2026-11-01T12:00:00.5Z": (time(NOVEMBER_MS + 12 * HOUR_MS + 500), None),
    "@2026-11-01T12:00:00+02:00": (time(NOVEMBER_MS + 10 * HOUR_MS), None),
    "@1700000000000": (time(1_700_000_000_000), None),
    "@1700000000": (time(1_700_000_000_000), None),
    "@now": (time(NOW_MS), None),
    "@-1h": (time(NOW_MS - HOUR_MS), None),
    "@-1h:": (time(NOW_MS - HOUR_MS), None),
    "@1h": (time(NOW_MS + HOUR_MS), None),
    "@-48h:-24h": (time(NOW_MS - 48 * HOUR_MS), time(NOW_MS - 24 * HOUR_MS)),
    "@-1m:end": (time(NOW_MS - 60_000), END),
    "@:end": (START, END),
    "@:-1h": (START, time(NOW_MS - HOUR_MS)),
    "@:2026-11-01": (START, time(NOVEMBER_MS)),
    "@-1h:now": (time(NOW_MS - HOUR_MS), time(NOW_MS)),
    "@-1h:@now": (time(NOW_MS - HOUR_MS), time(NOW_MS)),
    "@1648021901749:1748021901749": (time(1_648_021_901_749), time(1_748_021_901_749)),
    "@1648021901:1748021901": (time(1_648_021_901_000), time(1_748_021_901_000)),
    "@2026-11-01T01:00:00Z:2026-11-01T02:00:00Z": (
        time(NOVEMBER_MS + HOUR_MS),
        time(NOVEMBER_MS + 2 * HOUR_MS),
    ),
    "@2026-11-01T01:00:00+01:00:1h": (time(NOVEMBER_MS), time(NOVEMBER_MS + HOUR_MS)),
    "5:@now": (at(5), time(NOW_MS)),
    # A positive duration on the right counts from a fixed left side, else from now.
    "@2026-11-01:1h": (time(NOVEMBER_MS), time(NOVEMBER_MS + HOUR_MS)),
    "@2026-11-01:+1h": (time(NOVEMBER_MS), time(NOVEMBER_MS + HOUR_MS)),
    "@2026-11-01:-1h": (time(NOVEMBER_MS), time(NOW_MS - HOUR_MS)),
    "@-2h:1h": (time(NOW_MS - 2 * HOUR_MS), time(NOW_MS + HOUR_MS)),
}  # fmt: skip

REFUSED = [
    "", ":", "::", "@", "@:", "@end", "@@now", "x", "+a", "-a", "- 5", "90:a", "a:90", "1:2:3",
    "start-3", "end+3", ":start", "5:start", ":+5", "5:+5", "1.5", "0x5",
    "\N{ARABIC-INDIC DIGIT THREE}",
    "9223372036854775808", "-9223372036854775808", "2026-11-01", "@12345", "@2026-13-01",
    "@1648021901749:asdf", "@-03-23T07:51:41.Z", "@1h:x", "5:@x", "90-", "-90-91",
]  # fmt: skip

EMPTY = [
    "90:39", "90-39", "5:5", "0:0", "-5:-10", "-5:-5", "+9:start+5", "end:end", "@-24h:-48h",
    "@now:now", "@2026-11-01:2026-10-01",
]  # fmt: skip


@pytest.mark.parametrize(("text", "places"), TABLE.items())
def test_each_form_has_one_meaning(text, places):
    """Start and end of every form in rpk's help, its tests, and kcl's additions."""
    assert OffsetSpec(*places) == parse_offset(text, NOW_MS)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_form_is_refused(text):
    """The message names the text and the hint shows the forms."""
    with pytest.raises(UsageError, match="invalid offset") as caught:
        parse_offset(text, NOW_MS)
    assert f'"{text}"' in caught.value.message
    assert "@-48h:-24h" in str(caught.value.hint)


@pytest.mark.parametrize("text", EMPTY)
def test_an_end_that_is_not_after_its_start_is_refused(text):
    """As in rpk: such a range is a mistake, not a request for nothing."""
    with pytest.raises(UsageError, match="not after its start"):
        parse_offset(text, NOW_MS)


@given(st.text(alphabet="@:+-0123456789hendstar.TZ ", max_size=20))
def test_any_text_is_a_spec_or_a_usage_error(text):
    """Invariants: nothing else is raised; values are never negative but for times before 1970."""
    try:
        spec = parse_offset(text, NOW_MS)
    except UsageError:
        return
    for place in (spec.start, spec.end):
        assert place is None or place.kind == "time" or 0 <= place.value < 2**63
