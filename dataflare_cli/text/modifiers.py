"""What rpk's braces behind a verb do: shapes of numbers, packed numbers, times.

Each is a function from a number or bytes to the bytes that are written; which ones
there are is decided when a template is read, never while records pass.
"""

import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from dataflare_cli.model import NO_TIMESTAMP
from dataflare_cli.text.time import format_time

Shape = Callable[[int], bytes]


def _hex(digits: int) -> Shape:
    mask = (1 << 4 * digits) - 1
    return lambda number: b"%0*x" % (digits, number & mask)


def _big(size: int) -> Shape:
    mask = (1 << 8 * size) - 1
    return lambda number: (number & mask).to_bytes(size, "big")


def _little(size: int) -> Shape:
    mask = (1 << 8 * size) - 1
    return lambda number: (number & mask).to_bytes(size, "little")


def _decimal(number: int) -> bytes:
    return b"%d" % number


# Numbers are cut to what a shape can hold, as in rpk.
SHAPES: dict[str, Shape] = {
    "ascii": _decimal,
    "number": _decimal,
    "hex": lambda number: b"%x" % (number & (1 << 64) - 1),
    "hex4": _hex(1),
    "hex8": _hex(2),
    "hex16": _hex(4),
    "hex32": _hex(8),
    "hex64": _hex(16),
    "byte": _big(1),
    "big8": _big(1),
    "big16": _big(2),
    "big32": _big(4),
    "big64": _big(8),
    "little8": _little(1),
    "little16": _little(2),
    "little32": _little(4),
    "little64": _little(8),
    "bool": lambda number: b"true" if number else b"false",
}

_PACKED_BYTES = {letter: struct.calcsize("=" + letter) for letter in "bBhHiIqQ"}


def unpacker(layout: str) -> Callable[[bytes], bytes]:
    """Return what writes packed numbers in decimal, one right behind the other.

    As in rpk: `<` (at first) and `>` hold for what follows, `x` reads nothing; too little
    data, or some left over at `$`, is told in place.

    Raises:
        ValueError: the layout has a letter that is not known.
    """
    steps: list[tuple[str, str]] = []
    order = "<"
    for index, letter in enumerate(layout):
        if letter in "<>":
            order = letter
        elif letter in _PACKED_BYTES or letter in "c.s$":
            steps.append((letter, order))
            if letter in "s$" and index + 1 < len(layout):
                raise ValueError(f"unpack: nothing may follow {letter}")
        elif letter != "x":
            raise ValueError(f"unpack: {letter!r} is none of <>xbBhHiIqQc.s$")
    return lambda data: _unpack(data, steps)


def _unpack(data: bytes, steps: list[tuple[str, str]]) -> bytes:
    out, at = [], 0
    for letter, order in steps:
        left = len(data) - at
        size = _PACKED_BYTES.get(letter, 1)
        if letter == "s":
            out.append(data[at:])
        elif letter == "$":
            out.append(b"%!$(not end-of-input)" if left else b"")
        elif letter in "c.":
            out.append(data[at : at + 1] or b"%!c(no bytes available)")
            at = min(at + 1, len(data))
        elif left < size:
            out.append(b"%%!(have %d bytes, need %d)" % (left, size))
            at = len(data)
        else:
            (number,) = struct.unpack_from(order + letter, data, at)
            out.append(b"%d" % number)
            at += size
    return b"".join(out)


class _Fraction(NamedTuple):
    """Go's `.000` (digits as they are) or `.999` (without zeros at the end)."""

    separator: str
    digits: str


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# strftime's own %s takes the local zone into account.
_SECONDS = re.compile("%[%s]")
_GO = {
    "January": "%B",
    "Jan": "%b",
    "Monday": "%A",
    "Mon": "%a",
    "2006": "%Y",
    "Z07:00": "Z",
    "Z0700": "Z",
    "-07:00": "+00:00",
    "-0700": "+0000",
    "-07": "+00",
    "MST": "UTC",
    "002": "%j",
    "01": "%m",
    "02": "%d",
    "03": "%I",
    "04": "%M",
    "05": "%S",
    "06": "%y",
    "15": "%H",
    "_2": "%e",
    "PM": "%p",
    "pm": "%P",
    "1": "%-m",
    "2": "%-d",
    "3": "%-I",
    "4": "%-M",
    "5": "%-S",
    "%": "%%",
}
_GO_FRACTION = re.compile(r"([.,])(0+|9+)(?![0-9])")
_GO_TOKEN = re.compile("|".join(map(re.escape, _GO)))


def time_writer(kind: str, layout: str) -> Callable[[int], bytes]:
    """Return what writes milliseconds in UTC, by a layout of `strftime` or of `go`.

    `NA` without a timestamp; a time that has no date (beyond the year 9999) is a number.

    Raises:
        ValueError: the layout can't be used.
    """
    pieces = _go_pieces(layout) if kind == "go" else [layout]

    def write(ms: int) -> bytes:
        if ms == NO_TIMESTAMP:
            return b"NA"
        try:
            moment = _EPOCH + timedelta(milliseconds=ms)
        except OverflowError:
            return format_time(ms).encode()
        return "".join([_write_piece(piece, moment, ms) for piece in pieces]).encode()

    write(0)
    return write


def _go_pieces(layout: str) -> list[str | _Fraction]:
    pieces: list[str | _Fraction] = []
    at = 0
    for match in _GO_FRACTION.finditer(layout):
        pieces.append(_go_text(layout[at : match.start()]))
        pieces.append(_Fraction(match[1], match[2]))
        at = match.end()
    return [*pieces, _go_text(layout[at:])]


def _go_text(text: str) -> str:
    return _GO_TOKEN.sub(lambda match: _GO[match[0]], text)


def _write_piece(piece: str | _Fraction, moment: datetime, ms: int) -> str:
    if isinstance(piece, str):
        layout = _SECONDS.sub(
            lambda found: found[0] if found[0] == "%%" else f"{ms // 1000}", piece
        )
        return moment.strftime(layout)
    count = len(piece.digits)
    digits = f"{ms % 1000:03d}".ljust(count, "0")[:count]
    if piece.digits[0] == "9":
        digits = digits.rstrip("0")
    return piece.separator + digits if digits else ""
