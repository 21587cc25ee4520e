"""JSON of `rpk topic consume` and of `kcl consume -f json`.

    {"topic": "t", "key": "k", "value": "v", "headers": [{"key": "h", "value": "1"}],
     "timestamp": 1700000000000, "partition": 0, "offset": 7}

Objects may span lines, as rpk prints them unless told otherwise. rpk leaves out a key that is
null or empty (taken as null) and a value that is null, and has already replaced bytes that
are not UTF-8 by U+FFFD. kcl is exact: null is written, other bytes are in `key_base64`,
`value_base64` and a header's `value_base64`, decoded values are JSON and stay JSON.
"""

from collections.abc import Iterator

import msgspec
from msgspec import UNSET, UnsetType

from dataflare_cli.model import NO_TIMESTAMP, Record
from dataflare_cli.text.inputs import (
    JSON_GROWTH,
    OVERHEAD_BYTES,
    BadInput,
    Imported,
    InputOptions,
    make_item,
)
from dataflare_cli.text.inputs_json import OPEN_OBJECT, Scanner, raw_content
from dataflare_cli.text.inputs_lines import too_long
from dataflare_cli.text.inputs_records import Offset, Partition, Timestamp, describe


class _Header(msgspec.Struct, gc=False):
    key: str
    value: msgspec.Raw | UnsetType = UNSET
    value_base64: bytes | UnsetType = UNSET


class _Message(msgspec.Struct, gc=False):
    # These are always there; without them it is some other JSON, not a record of nulls.
    topic: str
    partition: Partition
    offset: Offset
    timestamp: Timestamp = NO_TIMESTAMP
    key: msgspec.Raw | UnsetType = UNSET
    value: msgspec.Raw | UnsetType = UNSET
    key_base64: bytes | UnsetType = UNSET
    value_base64: bytes | UnsetType = UNSET
    headers: tuple[_Header, ...] = ()
    value_size: int | UnsetType = UNSET


class RpkImporter:
    """JSON objects one after the other, however they are laid out."""

    def __init__(self, options: InputOptions) -> None:
        self.broken = False
        self._record_bytes_max = options.record_bytes_max
        self._scanner = Scanner(options.record_bytes_max * JSON_GROWTH + OVERHEAD_BYTES)
        self._value_line: int | None = None  # of the object that is open
        self._is_skipping = False  # the rest of a line that is no object
        self._decode = msgspec.json.Decoder(_Message).decode

    def feed(self, data: bytes) -> Iterator[Imported | BadInput]:
        """Yield the records whose objects a chunk completes."""
        self._scanner.append(data)
        return self._run()

    def finish(self) -> Iterator[Imported | BadInput]:
        """Yield what is not closed."""
        if self._value_line is not None:
            yield BadInput(self._value_line, "the object that begins here is never closed")
        elif self._scanner.buffer:  # one or two bytes of a byte order mark, and no more
            yield BadInput(1, "expected a JSON object")

    def _run(self) -> Iterator[Imported | BadInput]:
        scanner = self._scanner
        while True:
            if self._is_skipping:
                if not scanner.skip_line():
                    break
                self._is_skipping = False
            if self._value_line is not None:
                if scanner.find_stop(is_array=False) is None:
                    break
                line, self._value_line = self._value_line, None
                yield self._item(line)
                continue
            byte = scanner.peek()
            if byte is None:
                break
            if byte == OPEN_OBJECT:
                self._value_line = scanner.line()
                scanner.begin()
            else:
                self._is_skipping = True
                yield BadInput(scanner.line(), "expected a JSON object")
        scanner.trim()

    def _item(self, line: int) -> Imported | BadInput:
        is_dropped = self._scanner.is_dropped
        text = self._scanner.take()
        if is_dropped:
            return BadInput(line, too_long(self._scanner.value_bytes_max))
        try:
            found = self._decode(text)
            if found.value_size is not UNSET:
                return BadInput(line, "printed with --meta-only: its value is not there")
            record = Record(
                _content(found.value, found.value_base64),
                _content(found.key, found.key_base64),
                tuple([(e.key.encode(), _content(e.value, e.value_base64)) for e in found.headers]),
                found.timestamp,
                found.offset,
            )
        except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
            return BadInput(line, describe(exc))
        return make_item(record, found.partition, line, self._record_bytes_max)


def _content(raw: msgspec.Raw | UnsetType, other: bytes | UnsetType) -> bytes | None:
    if not isinstance(other, UnsetType):
        return other
    return None if isinstance(raw, UnsetType) else raw_content(raw)
