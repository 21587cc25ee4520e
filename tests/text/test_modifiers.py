"""What braces behind a verb do."""

import struct
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.text.modifiers import SHAPES, time_writer, unpacker

MS = 1_672_628_645_078  # 2023-01-02T03:04:05.078Z, a Monday


@given(st.integers(-(2**63), 2**63 - 1))
def test_shapes_hold_numbers_modulo_their_size(number):
    """Invariants: a shape of n bits is the number modulo 2^n, in base 16 or in bytes."""
    for bits in (8, 16, 32, 64):
        expected = number % 2**bits
        assert expected == int(SHAPES[f"hex{bits}"](number), 16)
        assert bits // 4 == len(SHAPES[f"hex{bits}"](number))
        assert expected.to_bytes(bits // 8, "big") == SHAPES[f"big{bits}"](number)
        assert expected.to_bytes(bits // 8, "little") == SHAPES[f"little{bits}"](number)
    assert number % 16 == int(SHAPES["hex4"](number), 16)
    assert number % 2**64 == int(SHAPES["hex"](number), 16)
    assert number == int(SHAPES["ascii"](number))
    assert SHAPES["big8"](number) == SHAPES["byte"](number)
    assert (b"true" if number else b"false") == SHAPES["bool"](number)


@given(st.sampled_from("<>"), st.lists(st.sampled_from("bBhHiIqQ"), max_size=5), st.binary())
def test_unpacking_is_structs(order, letters, data):
    """Invariants: the numbers struct finds, in decimal; what is left over is told at `$`."""
    layout = order + "".join(letters)
    size = struct.calcsize(layout)
    data = data[:size].ljust(size, b"\1")
    numbers = b"".join(b"%d" % number for number in struct.unpack(layout, data))

    assert numbers == unpacker(layout + "$")(data)
    assert numbers + b"%!$(not end-of-input)" == unpacker(layout + "$")(data + b"x")
    assert numbers + b"rest" == unpacker(layout + "s")(data + b"rest")


@pytest.mark.parametrize(
    ("layout", "data", "expected"),
    [
        ("", b"abc", b""),
        ("h", b"\1\0", b"1"),
        (">h<h", b"\0\1\1\0", b"11"),
        ("xbx", b"\5", b"5"),
        ("c.s", b"abcd", b"abcd"),
        ("cc", b"a", b"a%!c(no bytes available)"),
        ("q", b"abc", b"%!(have 3 bytes, need 8)"),
        ("ii$", b"\1\0\0\0\2", b"1%!(have 1 bytes, need 4)"),
        ("s", b"", b""),
    ],
)
def test_unpacking(layout, data, expected):
    """Little endian at first; too little data is told in its place, as in rpk."""
    assert expected == unpacker(layout)(data)


@pytest.mark.parametrize("layout", ["z", "s<", "$b", "b b"])
def test_unpacking_is_refused(layout):
    """A letter that is not known, or one behind the end, is an error."""
    with pytest.raises(ValueError, match="unpack: "):
        unpacker(layout)


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("2006-01-02T15:04:05Z07:00", "2023-01-02T03:04:05Z"),
        ("2006-01-02T15:04:05.000-0700", "2023-01-02T03:04:05.078+0000"),
        ("05,000000", "05,078000"),
        ("05.0", "05.0"),
        ("05.99", "05.07"),
        ("05.9", "05"),
        ("05.999999", "05.078"),
        ("Mon, Jan _2 3:04PM 06 MST", "Mon, Jan  2 3:04AM 23 UTC"),
        ("Monday January 002", "Monday January 002"),
        ("1/2 100% %Y", "1/2 100% %Y"),
        ("", ""),
    ],
)
def test_go_layouts(layout, expected):
    """Go's reference time stands for the moment; everything else for itself."""
    assert expected.encode() == time_writer("go", layout)(MS)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_strftime_is_utc(zone, monkeypatch):
    """The machine's zone changes nothing, not even %s."""
    monkeypatch.setenv("TZ", zone)

    assert b"2023-01-02 03:04:05 1672628645 %s %" == time_writer("strftime", "%F %T %s %%s %%")(MS)


@pytest.mark.parametrize(
    ("ms", "expected"), [(-1, b"NA"), (2**62, b"%d" % 2**62), (-2, b"1969-12-31")]
)
def test_times_without_a_date(ms, expected):
    """No timestamp is NA; a number too large for a date is the number."""
    assert expected == time_writer("strftime", "%Y-%m-%d")(ms)


def test_a_layout_that_can_not_be_used_is_refused():
    """Half a character is an error when the template is read, not later."""
    with pytest.raises(ValueError, match="surrogates"):
        time_writer("strftime", "%Y\udcff")


@given(st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_both_languages_agree(moment):
    """Invariants: a Go layout and its strftime layout write the same."""
    ms = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    go, strftime = "2006-01-02 15:04:05 Mon Jan 002 PM 03 06", "%F %T %a %b %j %p %I %y"

    assert time_writer("strftime", strftime)(ms) == time_writer("go", go)(ms)
