"""A template: literals, fields and functions, written one after the other.

Hides which templates the codec can render in bulk: those of instructions only are a
`program`, which the kernel runs; a function among them makes it a slow one.

Invariants
- Without a terminal, `format` gives the bytes that `render(program, …)` gives.
- On a terminal, what comes from the data is made safe; what the template itself says
  is left alone, so a template may colour its text.
"""

from collections.abc import Callable, Iterable

from dataflare_cli.codec.program import (
    EVERYTHING,
    Encoding,
    Instruction,
    Op,
    Program,
    needs_of,
    render,
)
from dataflare_cli.model import Record
from dataflare_cli.text.terminal import neutralise, neutralise_json

Function = Callable[[Record, int], bytes]
Part = Instruction | Function

_HEADERS: Program = (Instruction(Op.HEADERS_JSON),)


def literal(text: str | bytes) -> Instruction:
    """Return text that is the same for every record; an argument's own bytes are kept."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    return Instruction(Op.LITERAL, literal=data)


def headers_json(record: Record, partition: int) -> bytes:
    """Write the headers as a JSON array of pairs."""
    return render(_HEADERS, record, partition).removeprefix(b',"headers":') or b"[]"


class Template:
    """Parts, ready to write records."""

    def __init__(self, parts: Iterable[Part], *, terminal: bool = False) -> None:
        self.parts = _joined(parts)
        self.program: Program | None = None
        instructions = [part for part in self.parts if isinstance(part, Instruction)]
        # A function may show anything.
        is_told = len(instructions) == len(self.parts)
        if is_told and not terminal:
            self.program = tuple(instructions)
        self.needs = needs_of(tuple(instructions)) if is_told else EVERYTHING
        self._steps = [_step(part, terminal=terminal) for part in self.parts]

    def format(self, record: Record, partition: int) -> bytes:
        """Return the bytes of one record."""
        if self.program is not None:
            return render(self.program, record, partition)
        return b"".join([step(record, partition) for step in self._steps])


def _joined(parts: Iterable[Part]) -> list[Part]:
    """Merge neighbouring literals and drop empty ones."""
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, Instruction) and part.op is Op.LITERAL:
            last = joined[-1] if joined else None
            if isinstance(last, Instruction) and last.op is Op.LITERAL:
                joined[-1] = literal(last.literal + part.literal)
            elif part.literal:
                joined.append(part)
        else:
            joined.append(part)
    return joined


def _step(part: Part, *, terminal: bool) -> Function:
    if not isinstance(part, Instruction):
        return (lambda record, partition: neutralise(part(record, partition))) if terminal else part
    program: Program = (part,)

    def run(record: Record, partition: int) -> bytes:
        return render(program, record, partition)

    if not terminal or part.op is Op.LITERAL:
        return run
    is_json = part.op is Op.HEADERS_JSON or part.encoding is Encoding.JSON
    safe = neutralise_json if is_json else neutralise
    return lambda record, partition: safe(run(record, partition))
