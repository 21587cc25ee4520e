"""Secrets among parameters: whatever a module says, they are not in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.model import Secret
from dataflare_cli.smartmodule.mask import CHARS_MIN, PART_CHARS, Mask

KEY = "-----BEGIN KEY-----\nMIIEsecretline1\nab12\n-----END KEY-----"


def masked(text: str, secret: str) -> str:
    return Mask({"open": "value", "key": Secret(secret)}).apply(text)


@pytest.mark.parametrize(
    ("text", "secret", "expected"),
    [
        ("it is hunter2!", "hunter2", "it is ***!"),
        ("hunter2hunter2", "hunter2", "******"),
        ("value of a", "abc", "value of a"),
        (
            "Invalid param eyJhbGciOiJIUzI1...",
            "eyJhbGciOiJIUzI1NiIsInR5cCI6",
            "Invalid param ***...",
        ),
        ("…NiIsInR5cCI6!", "eyJhbGciOiJIUzI1NiIsInR5cCI6", "…***!"),
        ("1: MIIEsecretline1", KEY, "1: ***"),
        ("line ab12 is short", KEY, "line *** is short"),
        ("pass\ufffdword-secret", "pass\udcffword-secret", "***"),
        ("nothing of it", "hunter2", "nothing of it"),
    ],
)
def test_secrets_are_taken_out(text, secret, expected):
    """Whole, cut off, a line at a time, and as bytes that are no text."""
    assert expected == masked(text, secret)


@given(st.text(), st.text(min_size=CHARS_MIN), st.text(), st.data())
def test_no_longer_part_is_left(before, secret, after, data):
    """Invariants: of any piece of a secret, nothing as long as what is looked for is told."""
    begin = data.draw(st.integers(0, len(secret)))
    end = data.draw(st.integers(begin, len(secret)))
    told = masked(before + secret[begin:end] + after, secret)

    assert not any(
        secret[at : at + PART_CHARS] in told for at in range(len(secret) - PART_CHARS + 1)
    )


@given(st.text())
def test_without_secrets_nothing_is_taken_out(text):
    """Invariants: parameters that are no secrets are told."""
    assert text == Mask({"open": text, "other": "hunter2"}).apply(text)
