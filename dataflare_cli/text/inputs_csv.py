r"""CSV (RFC 4180) and TSV: a first line with names, then a row for each record.

Two layouts, told by the names in the first line:
- Records, if there is a value column: one that was chosen, or one named `value` beside nothing
  but `key`, `timestamp` (ms or RFC 3339), `partition`, `header.NAME`, `topic` and `offset` (the
  last two are ignored). Cells are bytes. An empty cell is an empty value, and no key, timestamp,
  partition or header. Beside a chosen value column, other columns are left out.
- Rows, in every other case: the value is a JSON object of all columns, strings throughout;
  the key is the key column (one that was chosen, or one named `key`), which stays in the object.

CSV cells may be quoted, a quote inside is doubled, newlines inside are kept; a quote that
does not begin a cell is nothing special. TSV has no quotes and no escapes: cells are what is
between tabs. Lines end as the first one does, in `\n` or `\r\n`; blank ones are skipped.
"""

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from dataflare_cli.model import NO_TIMESTAMP, Headers, Record
from dataflare_cli.text.inputs import (
    BYTE_ORDER_MARK,
    CSV_GROWTH,
    OVERHEAD_BYTES,
    PARTITION_MAX,
    BadInput,
    Imported,
    InputOptions,
    make_item,
    parse_timestamp,
)
from dataflare_cli.text.inputs_lines import Lines, too_long

HEADER_PREFIX = "header."
RESERVED = frozenset(("key", "value", "timestamp", "partition", "topic", "offset"))
# Up to a quote that is not doubled.
_QUOTED = re.compile(rb'[^"]*+(?:""[^"]*+)*+')

MakeItem = Callable[[list[bytes], int], Imported | BadInput]


class _OpenRow:
    """A row whose last cell is quoted and goes on in the next line."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.cells: list[bytes] = []
        self.pieces: list[bytes] = []  # of the cell whose quotes are open
        self.is_quoted = False
        self.size = 0
        self.problem: str | None = None


class CsvImporter:
    """Rows of a table with a header."""

    def __init__(self, options: InputOptions, *, separator: bytes, quoted: bool) -> None:
        self.broken = False
        self._options = options
        self._separator = separator
        self._quoted = quoted
        self._lines = Lines(options.record_bytes_max * CSV_GROWTH + OVERHEAD_BYTES)
        self._row: _OpenRow | None = None
        self._make_item: MakeItem | None = None  # None until the header has come
        self._has_returns = True  # whether lines end in \r\n: as the header does

    def feed(self, data: bytes) -> Iterator[Imported | BadInput]:
        """Yield the items of the rows that a chunk completes."""
        if self.broken:
            return iter(())
        number = self._lines.number
        return self._items(number, self._lines.take(data))

    def finish(self) -> Iterator[Imported | BadInput]:
        """Yield the item of a last row without a newline, and what is not closed."""
        if self.broken:
            return
        number = self._lines.number
        yield from self._items(number, self._lines.take_rest())
        if self._row is not None:
            yield BadInput(
                self._row.line,
                "a quoted cell begins here that is never closed: the rest was not read",
            )

    def _items(self, number: int, lines: Sequence[bytes | None]) -> Iterator[Imported | BadInput]:
        separator, is_quoted = self._separator, self._quoted
        for at, line in enumerate(lines, number):
            begin = at
            if self._row is not None or line is None or (is_quoted and b'"' in line):
                if self._row is not None:
                    begin = self._row.line
                found = self._quoted_row(line, at)
                if found is None:
                    continue
                if isinstance(found, BadInput):
                    # Rows can't be understood without the first line.
                    self.broken = self.broken or self._make_item is None
                    yield found
                    if self.broken:
                        return
                    continue
                cells = found
            else:
                row = line[:-1] if self._has_returns and line.endswith(b"\r") else line
                if not row:
                    continue
                cells = row.split(separator)
            if self._make_item is not None:
                yield self._make_item(cells, begin)
                continue
            self._has_returns = line is not None and line.endswith(b"\r")
            cells[0] = cells[0].removeprefix(BYTE_ORDER_MARK)
            layout = make_layout(cells, self._options)
            if isinstance(layout, str):
                self.broken = True
                yield BadInput(begin, f"{layout}; nothing after this was read")
                return
            self._make_item = layout

    def _quoted_row(self, line: bytes | None, at: int) -> list[bytes] | BadInput | None:
        """Return a row's cells, what is wrong with it, or None while it goes on."""
        limit = self._lines.line_bytes_max
        row = self._row or _OpenRow(at)
        self._row = None
        row.size += limit + 1 if line is None else len(line) + 1
        if line is None or row.size > limit + 1:
            # With quotes, nobody knows whether what comes next is inside a cell.
            self.broken = self._quoted
            problem = too_long(limit)
            if self._quoted:
                problem += ", or a quote that is never closed; nothing after this was read"
            return BadInput(row.line, problem)
        if self._make_item is None and row.line == at == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        _split_quoted(line, self._separator, row, has_returns=self._has_returns)
        if row.is_quoted:
            self._row = row
            return None
        return row.cells if row.problem is None else BadInput(row.line, row.problem)


def _split_quoted(line: bytes, separator: bytes, row: _OpenRow, *, has_returns: bool) -> None:
    """Add a line's cells to a row; afterwards `is_quoted` tells whether it goes on."""
    line_end = len(line) - (has_returns and line.endswith(b"\r"))
    at = 0
    while True:
        if row.is_quoted or line.startswith(b'"', at):
            at = _leave_quotes(line, at if row.is_quoted else at + 1, row)
            if at < 0:
                return
            row.cells.append(b"".join(row.pieces))
            row.pieces.clear()
            end = line.find(separator, at)
            if at < line_end and end != at:
                row.problem = "text after a closing quote: a quote inside a cell must be doubled"
        else:
            end = line.find(separator, at)
            row.cells.append(line[at : line_end if end < 0 else end])
        if end < 0:
            return
        at = end + 1


def _leave_quotes(line: bytes, at: int, row: _OpenRow) -> int:
    """Return the place behind the closing quote, -1 if it is not in this line."""
    found = _QUOTED.match(line, at)
    assert found is not None
    piece = found[0].replace(b'""', b'"')
    row.is_quoted = found.end() == len(line)
    row.pieces.append(piece + b"\n" if row.is_quoted else piece)
    return -1 if row.is_quoted else found.end() + 1


def make_layout(header: list[bytes], options: InputOptions) -> MakeItem | str:
    """Return what makes an item of a row, from the cells of the first line; or its problem."""
    try:
        names = [each.decode() for each in header]
    except UnicodeDecodeError:
        return "the names of the columns are not UTF-8"
    key_column = options.key_column
    for chosen in (key_column, options.value_column):
        if chosen is not None and chosen not in names:
            return f'no column "{chosen}"; there are ' + ", ".join(names)
    if key_column is None and "key" in names:
        key_column = "key"
    key_at = None if key_column is None else names.index(key_column)
    known = RESERVED | {key_column}
    is_records = options.value_column is not None or (
        "value" in names and all(each in known or each.startswith(HEADER_PREFIX) for each in names)
    )
    for name in names:
        is_header = is_records and name.startswith(HEADER_PREFIX)
        if names.count(name) > 1 and not is_header:
            return f'the column "{name}" is there twice'
    if is_records:
        return _records_layout(names, key_at, options)
    return _rows_layout(names, key_at, options)


def _rows_layout(names: list[str], key_at: int | None, options: InputOptions) -> MakeItem:
    count, limit, null = len(names), options.record_bytes_max, options.null_value
    encode = msgspec.json.Encoder().encode

    def make(cells: list[bytes], line: int) -> Imported | BadInput:
        if len(cells) != count:
            return _wrong_count(cells, count, line)
        try:
            texts: list[str | None] = [each.decode() for each in cells]
        except UnicodeDecodeError:
            return BadInput(line, "not UTF-8, which JSON can't hold; choose a value column")
        if null is not None:
            texts = [
                None if cell == null else text for cell, text in zip(cells, texts, strict=True)
            ]
        value = encode(dict(zip(names, texts, strict=True)))
        key = None if key_at is None else cells[key_at] or None
        return make_item(Record(value, key), None, line, limit)

    return make


def _records_layout(names: list[str], key_at: int | None, options: InputOptions) -> MakeItem:
    count, limit, null = len(names), options.record_bytes_max, options.null_value
    value_at = names.index(options.value_column or "value")
    taken = {value_at, key_at}
    places = {name: at for at, name in enumerate(names) if at not in taken}
    timestamp_at, partition_at = places.get("timestamp"), places.get("partition")
    header_places = [
        (at, name.removeprefix(HEADER_PREFIX).encode())
        for at, name in enumerate(names)
        if name.startswith(HEADER_PREFIX) and at not in taken
    ]

    def make(cells: list[bytes], line: int) -> Imported | BadInput:
        if len(cells) != count:
            return _wrong_count(cells, count, line)
        moment = NO_TIMESTAMP
        if timestamp_at is not None and cells[timestamp_at]:
            found = parse_timestamp(cells[timestamp_at].decode("utf-8", "replace"))
            if found is None:
                return BadInput(line, "not a timestamp: expected milliseconds or RFC 3339")
            moment = found
        partition: int | None = None
        if partition_at is not None and cells[partition_at]:
            digits = cells[partition_at]
            if not digits.isdigit() or len(digits) > 10 or int(digits) > PARTITION_MAX:
                return BadInput(line, "not a partition")
            partition = int(digits)
        headers: Headers = ()
        if header_places:
            headers = tuple(
                [
                    (name, None if cells[at] == null else cells[at])
                    for at, name in header_places
                    if cells[at] or null == b""
                ]
            )
        value: bytes | None = cells[value_at]
        if value == null:
            value = None
        key = None if key_at is None else cells[key_at] or None
        return make_item(Record(value, key, headers, moment), partition, line, limit)

    return make


def _wrong_count(cells: list[bytes], count: int, line: int) -> BadInput:
    return BadInput(line, f"{len(cells)} cells where the first line has {count}")
