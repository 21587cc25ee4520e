"""Lines of a byte stream, for the importers whose elements are lines.

Hides carries between chunks. Invariants: lines come out once, in order, without their
newline; a line above the limit is never held in memory, wherever the chunks are cut.
"""

from collections.abc import Callable, Iterator, Sequence

from dataflare_cli.text.inputs import BYTE_ORDER_MARK, BadInput, Imported


class Lines:
    """Splits chunks at newlines. `number` is the line (from 1) that comes next."""

    def __init__(self, line_bytes_max: int) -> None:
        self.number = 1
        self.line_bytes_max = line_bytes_max
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._is_skipping = False

    def take(self, data: bytes) -> Sequence[bytes | None]:
        """Return the lines that a chunk completes, None for each that is too long."""
        lines: list[bytes | None] = []
        first, newline, rest = data.partition(b"\n")
        self._hold(first)
        if not newline:
            return lines
        lines.append(self._release())
        if rest:
            lines += rest.split(b"\n")
            last = lines.pop()
            if last:
                self._hold(last)
            limit = self.line_bytes_max
            if len(rest) > limit:
                lines = [None if each and len(each) > limit else each for each in lines]
        self.number += len(lines)
        return lines

    def take_rest(self) -> Sequence[bytes | None]:
        """Return the last line if the input did not end in a newline."""
        if not self._held_bytes:
            return []
        self.number += 1
        return [self._release()]

    def _hold(self, piece: bytes) -> None:
        self._held_bytes += len(piece)
        if self._held_bytes > self.line_bytes_max:
            self._is_skipping = True
            self._pieces.clear()
        elif piece:
            self._pieces.append(piece)

    def _release(self) -> bytes | None:
        line = None if self._is_skipping else b"".join(self._pieces)
        self._pieces.clear()
        self._held_bytes = 0
        self._is_skipping = False
        return line


class LineImporter:
    """An importer that needs one line at a time; `parse_line` returns None for nothing."""

    def __init__(
        self,
        parse_line: Callable[[bytes, int], Imported | BadInput | None],
        *,
        line_bytes_max: int,
        skips_mark: bool = True,
    ) -> None:
        self.broken = False
        self._parse_line = parse_line
        self._lines = Lines(line_bytes_max)
        self._skips_mark = skips_mark

    def feed(self, data: bytes) -> Iterator[Imported | BadInput]:
        """Yield the items of the lines that a chunk completes."""
        number = self._lines.number
        return self._parse(number, self._lines.take(data))

    def finish(self) -> Iterator[Imported | BadInput]:
        """Yield the item of a last line without a newline."""
        number = self._lines.number
        return self._parse(number, self._lines.take_rest())

    def _parse(self, number: int, lines: Sequence[bytes | None]) -> Iterator[Imported | BadInput]:
        parse_line = self._parse_line
        for at, line in enumerate(lines, number):
            if line is None:
                yield BadInput(at, too_long(self._lines.line_bytes_max))
                continue
            if at == 1 and self._skips_mark:
                line = line.removeprefix(BYTE_ORDER_MARK)  # noqa: PLW2901
            item = parse_line(line, at)
            if item is not None:
                yield item


def too_long(limit: int) -> str:
    """Return the problem of an element that is too long to be held in memory."""
    return f"longer than {limit} bytes; raise --max-request-size to read it"
