"""Output of kafka-console-consumer, with any of its `print.*` properties (Kafka 2.7 and later).

    CreateTime:1700000000000<tab>Partition:0<tab>Offset:7<tab>h1:v1,h2:v2<tab>key<tab>value

Which fields there are is told by `console_fields` or found out from the first line: the first
four say what they are (`Delivery:` is a share consumer's); of what is left, one column is the
value, two are key and value, and with three or more the first is headers if it looks like it
(`NO_HEADERS`, `name:value`). The value is the rest of the line, tabs included.

The format has no escapes: a newline inside a value, or a comma and a colon inside a header,
can't be told from the format's own. `null` is null, unless another null value is given.
"""

import re

import msgspec

from dataflare_cli.errors import UsageError
from dataflare_cli.model import NO_TIMESTAMP, OFFSET_MAX, Headers, Record, TimestampType
from dataflare_cli.text.inputs import (
    CONSOLE_FIELDS,
    OVERHEAD_BYTES,
    PARTITION_MAX,
    TIMESTAMP_MS_MAX,
    TIMESTAMP_MS_MIN,
    BadInput,
    Imported,
    InputOptions,
    make_item,
)
from dataflare_cli.text.inputs_lines import LineImporter

NULL_LITERAL = b"null"

# What the console prints for the fields that name themselves, in its order.
_LABELLED = {
    "timestamp": re.compile(rb"(?:(CreateTime|LogAppendTime):(-?[0-9]{1,19})|NO_TIMESTAMP)"),
    "partition": re.compile(rb"Partition:([0-9]{1,10})"),
    "offset": re.compile(rb"Offset:([0-9]{1,19})"),
    "delivery": re.compile(rb"Delivery:(?:[0-9]{1,10}|[A-Z_]{1,20})"),
}


_KINDS = {b"CreateTime": TimestampType.CREATE, b"LogAppendTime": TimestampType.APPEND}


class _Fields(msgspec.Struct):
    """What the columns before the value say."""

    key: bytes | None = None
    headers: Headers = ()
    partition: int | None = None
    offset: int = 0
    timestamp_ms: int = NO_TIMESTAMP
    kind: TimestampType = TimestampType.CREATE


_HEADERS = re.compile(rb"NO_HEADERS\Z|[^:,]+:")


def make_console_importer(options: InputOptions) -> LineImporter:
    """Return the importer of kafka-console-consumer's lines.

    Raises:
        UsageError: console fields that do not exist.
    """
    lines = _ConsoleLines(options)
    limit = options.record_bytes_max + OVERHEAD_BYTES
    return LineImporter(lines.parse, line_bytes_max=limit, skips_mark=False)


class _ConsoleLines:
    """What all lines of one input have in common."""

    def __init__(self, options: InputOptions) -> None:
        self.record_bytes_max = options.record_bytes_max
        self.null = NULL_LITERAL if options.null_value is None else options.null_value
        self.fields: tuple[str, ...] | None = None
        if options.console_fields is not None:
            unknown = sorted(set(options.console_fields) - set(CONSOLE_FIELDS))
            if unknown:
                raise UsageError(
                    f'unknown console field "{unknown[0]}"',
                    hint="the fields are " + ", ".join(CONSOLE_FIELDS),
                )
            self.fields = tuple(each for each in CONSOLE_FIELDS if each in options.console_fields)

    def parse(self, line: bytes, number: int) -> Imported | BadInput:
        """Return the item of one line."""
        if self.fields is None:
            self.fields = find_fields(line)
        fields = self.fields
        columns = line.split(b"\t", len(fields))
        if len(columns) <= len(fields):
            return BadInput(
                number, f"{len(columns)} columns where {', '.join(fields)} and value are printed"
            )
        found = _Fields()
        for name, column in zip(fields, columns, strict=False):
            problem = self._read(name, column, found)
            if problem is not None:
                return BadInput(number, problem)
        value = None if columns[-1] == self.null else columns[-1]
        record = Record(
            value, found.key, found.headers, found.timestamp_ms, found.offset, found.kind
        )
        return make_item(record, found.partition, number, self.record_bytes_max)

    def _read(self, name: str, column: bytes, found: "_Fields") -> str | None:
        """Read one field; return what is wrong with it."""
        if name == "key":
            found.key = None if column == self.null else column
            return None
        if name == "headers":
            headers = self._headers(column)
            if headers is None:
                return "not headers: expected name:value,… or NO_HEADERS"
            found.headers = headers
            return None
        match = _LABELLED[name].fullmatch(column)
        if match is None:
            return f"no {name} in the column where it is printed"
        if name == "timestamp" and match[1]:
            found.timestamp_ms = int(match[2])
            found.kind = _KINDS[match[1]]
        elif name == "partition":
            found.partition = int(match[1])
        elif name == "offset":
            found.offset = int(match[1])
        if (
            not TIMESTAMP_MS_MIN <= found.timestamp_ms <= TIMESTAMP_MS_MAX
            or found.offset > OFFSET_MAX
            or (found.partition or 0) > PARTITION_MAX
        ):
            return f"the {name} is out of range"
        return None

    def _headers(self, column: bytes) -> Headers | None:
        """Return the headers of a column; None if it can't hold any."""
        if column == b"NO_HEADERS":
            return ()
        pairs: list[list[bytes]] = []
        for piece in column.split(b","):
            name, colon, value = piece.partition(b":")
            if colon:
                pairs.append([name, value])
            elif pairs:
                pairs[-1][1] += b"," + piece  # a comma inside a value
            else:
                return None
        try:
            for name, _ in pairs:
                name.decode()
        except UnicodeDecodeError:
            return None
        return tuple((name, None if value == self.null else value) for name, value in pairs)


def find_fields(line: bytes) -> tuple[str, ...]:
    """Return the fields before the value that a line seems to have."""
    columns = line.split(b"\t")
    fields = []
    for name, label in _LABELLED.items():
        if len(columns) > 1 and label.fullmatch(columns[0]):
            fields.append(name)
            del columns[0]
    is_headers = columns[0] == b"NO_HEADERS" if len(columns) < 3 else _HEADERS.match(columns[0])
    if is_headers and len(columns) > 1:
        fields.append("headers")
        del columns[0]
    if len(columns) > 1:
        fields.append("key")
    return tuple(fields)
