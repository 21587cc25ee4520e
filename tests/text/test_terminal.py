"""Text made safe and fitted for a terminal."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.text.terminal import cut, display_width, neutralise, neutralise_json, one_line


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"plain\ttext\nlines\r\n", "plain\ttext\nlines\r\n"),
        (b"\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        (b"over\rwritten", r"over\rwritten"),
        ("\x9b31m\x7f".encode(), r"\x9b31m\x7f"),
        (b"\x9b31m\xff", "\ufffd31m\ufffd"),
        ("größe 日本".encode(), "größe 日本"),
    ],
)
def test_control_characters_are_written_out(data, shown):
    """What could act on a terminal is shown; tabs, line ends and text stay as they are."""
    assert shown == neutralise(data).decode()


@given(st.binary() | st.text().map(str.encode))
def test_nothing_acts(data):
    """Invariants: no control character but tab and line ends is left; safe text is unchanged."""
    shown = neutralise(data).decode()

    assert not [
        each
        for each in shown.replace("\r\n", "\n")
        if unicodedata.category(each) == "Cc" and each not in "\t\n"
    ]
    assert shown == neutralise(shown.encode()).decode()


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_stays_the_same_value(value):
    """Invariants: JSON means what it meant, and holds no control character."""
    shown = neutralise_json(json.dumps(value, ensure_ascii=False).encode())

    assert value == json.loads(shown)
    assert not [each for each in shown.decode() if unicodedata.category(each) == "Cc"]


def test_one_line_is_one_line():
    """Line breaks of any kind and tabs are written out too."""
    assert r"a\nb\tc\r\nd\u2028e\x1b" == one_line("a\nb\tc\r\nd\u2028e\x1b")


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("short", 5, "short"),
        ("longer", 5, "long…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"),
        ("any", 1, "…"),
        ("any", 0, ""),
    ],
)
def test_text_is_cut_by_columns(text, width, shown):
    """Wide characters take two columns, combining ones none; an ellipsis takes one."""
    assert shown == cut(text, width)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])), st.integers(0, 20))
def test_what_is_cut_fits(text, width):
    """Invariants: never wider than asked; text that fits is unchanged."""
    shown = cut(text, width)

    assert display_width(shown) <= width
    assert (shown == text) == (display_width(text) <= width)
