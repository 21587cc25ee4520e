"""JSON values in a byte stream: where each begins and ends, and the json-array importer.

Hides how a value is found without parsing it twice or holding more than one: brackets and
strings are scanned by two regular expressions, what lies between them is a matter of the
parser that gets the value. Each element of an array becomes one record, whose value is the
element's JSON without blanks (as `jq -c '.[]'` prints it; a string keeps its quotes).
"""

import re
from collections.abc import Iterator

import msgspec

from dataflare_cli.model import Record
from dataflare_cli.text.inputs import (
    BYTE_ORDER_MARK,
    JSON_GROWTH,
    OVERHEAD_BYTES,
    BadInput,
    Imported,
    InputOptions,
    make_item,
)
from dataflare_cli.text.inputs_lines import too_long
from dataflare_cli.text.inputs_records import describe

# Possessive (`*+`): without it, a string that isn't closed yet would be tried in every split.
_IN_STRING = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
_REST_OF_STRING = re.compile(_IN_STRING, re.DOTALL)
_NESTED = re.compile(rb'(?:[^"{}\[\]]++|"' + _IN_STRING + rb'")*+', re.DOTALL)
_OUTER = re.compile(rb'(?:[^"{}\[\],]++|"' + _IN_STRING + rb'")*+', re.DOTALL)
_BLANKS = re.compile(rb"[ \t\r\n]*+")
_decode_string = msgspec.json.Decoder(str).decode

QUOTE, BACKSLASH, COMMA = b'"\\,'
NOT_AN_ARRAY = 'not a JSON array: expected "["; nothing after this was read'

OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT = b"[]{}"


class Scanner:
    """A window on the stream: `at` is the next byte, a value may be open since `begin`.

    What precedes them is forgotten by `trim`. A value above the limit is scanned to its end
    but not kept: `is_dropped`.
    """

    def __init__(self, value_bytes_max: int) -> None:
        self.buffer = bytearray()
        self.at = 0
        self.value_bytes_max = value_bytes_max
        self.is_dropped = False
        self.depth = 0
        self._begin: int | None = None
        self._is_in_string = False
        self._line = 1  # the line of the byte at _counted
        self._counted = 0
        self._has_started = False

    def append(self, data: bytes) -> None:
        """Take a chunk."""
        self.buffer += data

    def line(self) -> int:
        """Return the line of the next byte."""
        self._line += self.buffer.count(b"\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def peek(self) -> int | None:
        """Skip blanks and return the next byte, None if it has not come yet."""
        if not self._has_started:
            if len(self.buffer) < 3 and BYTE_ORDER_MARK.startswith(self.buffer):
                return None
            self._has_started = True
            if self.buffer.startswith(BYTE_ORDER_MARK):
                self.at = len(BYTE_ORDER_MARK)
        found = _BLANKS.match(self.buffer, self.at)
        assert found is not None
        self.at = found.end()
        return self.buffer[self.at] if self.at < len(self.buffer) else None

    def begin(self) -> None:
        """Open a value at the next byte."""
        self._begin, self.depth = self.at, 0
        self.is_dropped = self._is_in_string = False

    def find_stop(self, *, is_array: bool) -> int | None:
        """Scan the open value and return the byte that ends it, None if it has not come yet.

        In an array that is the comma or bracket after the value (`at` is before it); else the
        value's own closing bracket (`at` is behind it).
        """
        buffer = self.buffer
        while True:
            if self._is_in_string and not self._leave_string():
                self._need_more()
                return None
            found = (_NESTED if self.depth else _OUTER).match(buffer, self.at)
            assert found is not None
            self.at = found.end()
            if self.at == len(buffer):
                self._need_more()
                return None
            stop = buffer[self.at]
            if stop == COMMA or (stop == CLOSE_ARRAY and not self.depth):
                self._check_size()
                return stop
            self.at += 1
            if stop == QUOTE:
                self._is_in_string = True
            elif stop in (OPEN_ARRAY, OPEN_OBJECT):
                self.depth += 1
            elif self.depth:  # a stray closing bracket is the parser's to refuse
                self.depth -= 1
                if not self.depth and not is_array:
                    self._check_size()
                    return stop

    def take(self) -> bytearray:
        """Return the text of the open value up to the next byte and close it."""
        assert self._begin is not None
        text = self.buffer[self._begin : self.at]
        self._begin = None
        return text

    def is_whole(self) -> bool:
        """Tell whether the open value is certainly complete, though nothing follows it."""
        assert self._begin is not None
        text = self.buffer[self._begin : self.at].rstrip()
        return (
            not (self.depth or self._is_in_string or self.is_dropped)
            and len(text) > 1
            and text[-1] in (QUOTE, CLOSE_ARRAY, CLOSE_OBJECT)
        )

    def trim(self) -> None:
        """Forget what is not needed any more."""
        self._forget(self.at if self._begin is None else self._begin)

    def skip_line(self) -> bool:
        """Move behind the next newline; tell whether it has come."""
        found = self.buffer.find(b"\n", self.at)
        self.at = found + 1 if found >= 0 else len(self.buffer)
        return found >= 0

    def _leave_string(self) -> bool:
        found = _REST_OF_STRING.match(self.buffer, self.at)
        assert found is not None
        self.at = found.end()
        if self.at == len(self.buffer) or self.buffer[self.at] == BACKSLASH:
            return False  # a backslash stays until its other half comes
        self.at += 1
        self._is_in_string = False
        return True

    def _need_more(self) -> None:
        self._check_size()
        if self.is_dropped:
            self._forget(self.at)
            self._begin = 0

    def _check_size(self) -> None:
        assert self._begin is not None
        if self.at - self._begin > self.value_bytes_max:
            self.is_dropped = True

    def _forget(self, count: int) -> None:
        if self._counted < count:
            self._line += self.buffer.count(b"\n", self._counted, count)
            self._counted = count
        del self.buffer[:count]
        self.at -= count
        self._counted -= count
        if self._begin is not None:
            self._begin -= count


class JsonArrayImporter:
    """Elements of an array, or of several arrays one after the other."""

    def __init__(self, options: InputOptions) -> None:
        self.broken = False
        self._options = options
        self._scanner = Scanner(options.record_bytes_max * JSON_GROWTH + OVERHEAD_BYTES)
        self._array_line: int | None = None  # of the array that is open
        self._value_line: int | None = None  # of the element that is open
        self._is_first = True

    def feed(self, data: bytes) -> Iterator[Imported | BadInput]:
        """Yield the elements that a chunk completes."""
        if not self.broken:
            self._scanner.append(data)
        return self._run()

    def finish(self) -> Iterator[Imported | BadInput]:
        """Yield the last element if it is whole, and what is not closed."""
        if self.broken:
            return
        if self._array_line is None:
            if self._scanner.buffer:  # one or two bytes of a byte order mark, and no more
                yield BadInput(1, NOT_AN_ARRAY)
            return
        if self._value_line is not None and not self._scanner.is_whole():
            yield BadInput(self._value_line, "the input ends inside this value")
            return
        if self._value_line is not None:
            yield from self._element(self._value_line)
        yield BadInput(self._array_line, "the array that begins here is never closed")

    def _run(self) -> Iterator[Imported | BadInput]:
        scanner = self._scanner
        while not self.broken:
            if self._value_line is not None:
                stop = scanner.find_stop(is_array=True)
                if stop is None:
                    break
                line, self._value_line = self._value_line, None
                if stop == CLOSE_ARRAY:
                    self._array_line = None
                yield from self._element(line, is_last=stop == CLOSE_ARRAY)
                scanner.at += 1
                continue
            byte = scanner.peek()
            if byte is None:
                break
            if self._array_line is not None:
                self._value_line = scanner.line()
                scanner.begin()
            elif byte == OPEN_ARRAY:
                self._array_line, self._is_first = scanner.line(), True
                scanner.at += 1
            else:
                self.broken = True
                yield BadInput(scanner.line(), NOT_AN_ARRAY)
        scanner.trim()

    def _element(self, line: int, *, is_last: bool = False) -> Iterator[Imported | BadInput]:
        scanner, options = self._scanner, self._options
        is_first, self._is_first = self._is_first, False
        is_dropped = scanner.is_dropped
        text = scanner.take()
        if is_dropped:
            yield BadInput(line, too_long(scanner.value_bytes_max))
            return
        if not text:
            if not (is_first and is_last):
                yield BadInput(line, "a value is missing here")
            return
        try:
            value = compact(text)
        except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
            yield BadInput(line, describe(exc))
            return
        record = Record(None if value == options.null_value else value)
        yield make_item(record, None, line, options.record_bytes_max)


def raw_content(raw: msgspec.Raw) -> bytes | None:
    """Return what a key or value of a foreign envelope stands for.

    Strings are their text, null is null; anything else (a decoded Avro record) is its JSON.
    Bytes that are not UTF-8 are taken as they are: kcat writes them into its strings so.
    """
    text = bytes(raw)
    if text == b"null":
        return None
    if not text.startswith(b'"'):
        return compact(text)
    try:
        return _decode_string(text).encode()
    except UnicodeDecodeError:
        return _foreign_bytes(text)


def _foreign_bytes(text: bytes) -> bytes:
    # Lone surrogates stand for the odd bytes here; the text has none of its own, since the
    # decoder that made it Raw refuses them.
    import json

    shown = text.decode("utf-8", "surrogateescape")
    value = json.loads(shown)
    assert isinstance(value, str)
    return value.encode("utf-8", "surrogateescape")


def compact(text: bytes | bytearray) -> bytes:
    """Return a JSON text without blanks, checked, everything else as it was."""
    value = msgspec.json.format(bytes(text), indent=-1)
    if not value.isascii():
        value.decode()  # format() leaves encodings alone
    return value
