"""Tables of JSON records: one row each, or one row a primary key redrawn in place.

Hides how rows are aligned while nobody knows what is to come: a column is as wide as
its label and the widest cell so far (up to a limit: one long text must not fill every
later row with blanks), unless its format says how wide it is.

Invariants
- A row is one line: line breaks and control characters of the data are written out.
- A record that has no row changes nothing; it is told in `problems`.
- A redrawn table is never wider or higher than the terminal, so that it can be redrawn.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

import msgspec

from dataflare_cli.errors import DataError
from dataflare_cli.model import Record
from dataflare_cli.text import jsontext
from dataflare_cli.text.tableformat import Column, TableFormat, ansi
from dataflare_cli.text.terminal import cut, display_width, one_line

# A terminal can't show more changes than these; drawing each one would hold up the reading.
REDRAW_S = 0.05
# What a redrawn table holds; beyond it the row that was not touched for longest goes.
ROWS_MAX = 100_000
# A cell may be wider, but does not widen its column.
AUTO_WIDTH_MAX = 60

_KEY_COLUMN = Column(key_path="", header_label="KEY")


class Rows:
    """Turns records into rows of cells, and rows into aligned lines."""

    def __init__(self, table_format: TableFormat | None, *, with_key: bool) -> None:
        self._with_key = with_key
        self.columns: list[Column] = []
        self._widths: list[int] = []
        if table_format is not None and table_format.columns is not None:
            self._settle(table_format.columns)

    def objects(self, record: Record, partition: int) -> list[dict[str, Any]]:
        """Return the JSON objects of a record: one, or those of an array.

        Raises:
            DataError: it is anything else.
        """
        try:
            value = jsontext.decode(b"null" if record.value is None else record.value)
        except DataError as exc:
            raise DataError(
                f"partition {partition}, offset {record.offset}: "
                f"error parsing record as json: {exc.message}"
            ) from exc
        rows = value if isinstance(value, list) else [value]
        if not all(isinstance(row, dict) for row in rows):
            raise DataError(
                f"partition {partition}, offset {record.offset}: "
                "error: Unable to parse json as object map"
            )
        if not self.columns and any(rows):
            self._settle(Column(key_path=name) for name in next(filter(None, rows)))
        return rows if self.columns else []

    def cells(self, row: Mapping[str, Any], record: Record) -> list[str]:
        """Return what stands in the columns; makes room for it."""
        cells = [one_line(_text(column.of(row))) for column in self._shown()]
        if self._with_key:
            cells[0] = one_line(_key_text(record.key))
        self._widths = [
            max(width, cell_width)
            if (cell_width := display_width(cell)) <= AUTO_WIDTH_MAX
            else width
            for width, cell in zip(self._widths, cells, strict=True)
        ]
        return cells

    def labels(self) -> list[tuple[str, Column]]:
        """Return what stands above each column, as wide as the column is now."""
        shown = self._shown()
        return list(zip(self._padded([one_line(each.label) for each in shown]), shown, strict=True))

    def header(self) -> str:
        """Return the labels as a line."""
        return "".join([label for label, _ in self.labels()]).rstrip(" ")

    def line(self, cells: list[str]) -> str:
        """Return cells as a line."""
        return "".join(self._padded(cells)).rstrip(" ")

    def _padded(self, cells: list[str]) -> list[str]:
        return [
            f" {_aligned(cell, column, width)} "
            for cell, column, width in zip(cells, self._shown(), self._widths, strict=True)
        ]

    def _shown(self) -> list[Column]:
        return [column for column in self.columns if column.display]

    def _settle(self, columns: Iterable[Column]) -> None:
        self.columns = [_KEY_COLUMN, *columns] if self._with_key else list(columns)
        self._widths = [display_width(one_line(column.label)) for column in self._shown()]


class Table:
    """A header, then a line a record."""

    def __init__(self, rows: Rows, ending: bytes, problems: list[str] | None) -> None:
        self._rows, self._ending, self._problems = rows, ending, problems
        self._is_begun = False

    def format(self, record: Record, partition: int) -> bytes:
        """Return the lines of one record; before the first one, the header."""
        try:
            rows = self._rows.objects(record, partition)
        except DataError as exc:
            if self._problems is not None:
                self._problems.append(exc.message)
            return b""
        all_cells = [self._rows.cells(row, record) for row in rows]
        lines = [self._rows.line(cells) for cells in all_cells]
        if lines and not self._is_begun:
            lines.insert(0, self._rows.header())
            self._is_begun = True
        return b"".join([line.encode() + self._ending for line in lines])


class FullTable:
    """A table on a terminal that is redrawn in place.

    Drawing is put off while records come quickly; `refresh` draws what is left.
    """

    def __init__(
        self,
        rows: Rows,
        problems: list[str] | None,
        *,
        size: tuple[int, int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rows, self._problems = rows, problems
        self._width, self._height = size
        self._clock, self._drawn_at = clock, float("-inf")
        self._kept: dict[tuple[str, ...], list[str]] = {}
        self._touched: dict[tuple[str, ...], int] = {}
        self._count = 0
        self._skipped: list[str] = []
        self._skipped_count = 0
        self._line_count = 0
        self._is_stale = False

    def format(self, record: Record, partition: int) -> bytes:
        """Take a record in; return what redraws the table, if it is time to."""
        self._is_stale = True
        try:
            for row in self._rows.objects(record, partition):
                self._put(row, record)
        except DataError as exc:
            if self._problems is not None:
                self._skipped = [exc.message]
                self._skipped_count += 1
        if self._clock() - self._drawn_at < REDRAW_S:
            return b""
        return self.refresh()

    def refresh(self) -> bytes:
        """Return what redraws the table, if anything changed since."""
        if not self._is_stale:
            return b""
        self._is_stale = False
        self._drawn_at = self._clock()
        lines = self._lines()
        up = f"\x1b[{self._line_count}A" if self._line_count else ""
        self._line_count = len(lines)
        body = "".join(f"{line}\x1b[K\n" for line in lines)
        return f"\r{up}{body}\x1b[J".encode()

    def finish(self) -> bytes:
        """Draw for the last time; only now the skipped records become a problem."""
        drawn = self.refresh()
        if self._problems is not None and self._skipped:
            self._problems.append(f"{self._skipped_text()}: {self._skipped[0]}")
        self._skipped = []
        return drawn

    def _put(self, row: Mapping[str, Any], record: Record) -> None:
        cells = self._rows.cells(row, record)
        self._count += 1
        # Without a primary key every row is its own.
        key = tuple(
            _text(column.of(row)) for column in self._rows.columns if column.primary_key
        ) or (str(self._count),)
        self._kept[key] = cells
        self._touched.pop(key, None)
        self._touched[key] = self._count
        if len(self._kept) > ROWS_MAX:
            oldest = next(iter(self._touched))
            del self._touched[oldest], self._kept[oldest]

    def _lines(self) -> list[str]:
        """Return header, rows and summary; rows keep their place, the latest are shown."""
        room = max(1, self._height - 3)
        recent = set(islice(reversed(self._touched), room))
        shown = [cells for key, cells in self._kept.items() if key in recent]
        lines = [cut(self._rows.line(cells), self._width) for cells in shown]
        summary = f"Items: {len(self._kept)}"
        if self._skipped:
            summary += f"  {self._skipped_text()}: {one_line(self._skipped[0])}"
        header = [self._header()] if self._rows.columns else []
        return [*header, *lines, cut(summary, self._width)]

    def _header(self) -> str:
        labels = self._rows.labels()
        if sum(display_width(label) for label, _ in labels) > self._width:
            return f"\x1b[1m{cut(self._rows.header(), self._width)}\x1b[0m"
        styles = [";".join(filter(None, ["1", ansi(column)])) for _, column in labels]
        return "".join(
            f"\x1b[{style}m{label}\x1b[0m" for style, (label, _) in zip(styles, labels, strict=True)
        )

    def _skipped_text(self) -> str:
        return f"{self._skipped_count} record{'s' if self._skipped_count > 1 else ''} not shown"


def _text(value: Any) -> str:
    if value is msgspec.UNSET:
        return ""
    return value if isinstance(value, str) else jsontext.compact(value)


def _key_text(key: bytes | None) -> str:
    return "[null]" if key is None else f"[{key.decode('utf-8', 'replace')}]"


def _aligned(cell: str, column: Column, width: int) -> str:
    if column.width is not None:
        width = column.width
        cell = cut(cell, width)
    blanks = width - display_width(cell)
    match column.alignment:
        case "right":
            return " " * blanks + cell
        case "center":
            return " " * (blanks // 2) + cell + " " * (blanks - blanks // 2)
    return cell + " " * blanks
