r"""Text made safe and fitted for a terminal.

Hides which characters can do harm. Control characters of the data (C0 but tab and
newline, DEL, C1) are shown as `\x1b`: a record can't move the cursor, set the title
or forge a prompt. Bytes that are not UTF-8 are shown as U+FFFD.
"""

import re
import unicodedata

# A carriage return that only ends a line is harmless and common.
_CONTROL = re.compile(r"(?!\r\n)[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_CONTROL_OR_BREAK = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
# In UTF-8, C1 characters are these pairs and nothing else.
_JSON_CONTROL = re.compile(rb"\x7f|\xc2[\x80-\x9f]")

ELLIPSIS = "…"


def neutralise(data: bytes) -> bytes:
    """Return data as UTF-8 whose control characters are written out; lines stay lines."""
    text = data.decode("utf-8", "replace")
    return _CONTROL.sub(_escape, text).encode()


def neutralise_json(data: bytes) -> bytes:
    """Return JSON with the same meaning and without DEL and C1 characters."""
    return _JSON_CONTROL.sub(lambda match: b"\\u%04x" % match[0][-1], data)


def one_line(text: str) -> str:
    """Return text whose control characters, tabs and line breaks are written out."""
    return _CONTROL_OR_BREAK.sub(_escape, text)


def display_width(text: str) -> int:
    """Return how many columns a text without control characters takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, width: int) -> str:
    """Return the beginning of a text that fits; what was cut leaves an ellipsis."""
    if display_width(text) <= width:
        return text
    left, kept = width - 1, []
    for character in text:
        left -= _columns(character)
        if left < 0:
            break
        kept.append(character)
    return "".join(kept) + ELLIPSIS if width > 0 else ""


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
