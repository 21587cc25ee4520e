"""Filters on records."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.errors import UsageError
from dataflare_cli.model import Record
from dataflare_cli.text.grep import compile_filter

RECORD = Record(
    value="an error: größe 5".encode(),
    key=b"user-123",
    headers=((b"trace-id", b"abc123"), (b"empty", None), (b"trace-id", b"xyz")),
)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("k:^user-123$", True),
        ("k:^user$", False),
        ("!k:^user$", True),
        ("v:error", True),
        ("v:gr..e", True),
        ("v:größe", True),
        ("!v:warning", True),
        ("v:a:b", False),
        ("hk:^trace", True),
        ("hk:missing", False),
        ("hv:^abc", True),
        ("h:trace-id=abc.*", True),
        ("h:trace-id=^xyz$", True),
        ("h:trace=abc", False),
        ("h:empty=", False),
        ("h:trace-id=a=b", False),
        ("t:^logs\\.", True),
        ("!t:logs", False),
    ],
)
def test_filters(text, passes):
    """Each kind looks at its own part of the record, anywhere in it, with `!` the other way."""
    assert passes == compile_filter([text], "logs.app")(RECORD)


def test_filters_are_joined_by_and():
    """A record passes when it passes all; no filter lets everything through."""
    assert compile_filter(["v:error", "k:user", "!v:warning"])(RECORD)
    assert not compile_filter(["v:error", "k:nobody"])(RECORD)
    assert compile_filter([])(RECORD)


def test_null_is_not_empty():
    """A null matches nothing, an empty text matches what an empty text does."""
    null, empty = Record(value=None), Record(value=b"", key=b"")

    assert [False, True] == [compile_filter(["k:^$"])(each) for each in (null, empty)]
    assert [True, False] == [compile_filter(["!v:"])(each) for each in (null, empty)]


def test_bytes_that_are_not_text_are_characters():
    """A stray byte is met by `.` and does not hide the text around it."""
    record = Record(value=b"a\xffb caf\xc3\xa9")

    assert compile_filter(["v:^a.b"])(record)
    assert compile_filter(["v:café$"])(record)


@pytest.mark.parametrize(
    "text", ["", "error", "x:y", "!", "h:name", "v:(", "K:a", "v:*", "v:a{99999999999}"]
)
def test_what_is_no_filter_is_refused(text):
    """An unknown kind, a missing `=` and a bad expression are errors that show the forms."""
    with pytest.raises(UsageError, match="-G") as caught:
        compile_filter(["v:fine", text])

    assert "hk:REGEX" in (caught.value.hint or "")


def test_the_topic_has_to_be_known():
    """A filter on the topic is refused where records have none, and does not just fail."""
    with pytest.raises(UsageError, match="no topic here"):
        compile_filter(["t:logs"])


@given(
    st.text("ab.^$ é", max_size=6),
    st.text("ab.^$ éx", max_size=12) | st.none(),
)
def test_plain_text_is_found_where_it_is(needle, value):
    """Invariants: an escaped text passes exactly the values that contain it; `!` the others."""
    record = Record(value=None if value is None else value.encode())
    expected = value is not None and needle in value

    assert expected == compile_filter([f"v:{re.escape(needle)}"])(record)
    assert expected != compile_filter([f"!v:{re.escape(needle)}"])(record)
