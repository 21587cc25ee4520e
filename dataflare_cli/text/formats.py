"""Formatters: how records become the bytes that `consume` writes.

Hides which of the output types, templates and tables is at work, and which of them the
codec can render in bulk.

    -O dynamic     a pipe: the value's bytes. A terminal: text, or a hexdump if it is binary
    -O text        a pipe: the value's bytes. A terminal: text, or `binary: (N bytes)`
    -O raw         the value's bytes, also on a terminal
    -O binary      a hexdump
    -O json        the value as JSON over several lines, names sorted
    -O records     the lossless envelope dataflare.record/v1, one JSON object a line
    -O csv         topic, partition, offset, timestamp, key, value; null is empty, "" is ""
    -O table       a header, then a row a JSON object
    -O full_table  a table redrawn in place, on a terminal
    -F, -f         templates (handlebars.py, verbs.py)

Invariants
- With a `program`, render(program, record, partition) gives the bytes of `format`.
- A record ends in one newline, or with print0 in one NUL. (-f has no end of its own: a
  newline at its end becomes the NUL.)
- On a terminal no control character of the data is written, but by -O raw.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from dataflare_cli.codec.program import (
    EVERYTHING,
    Encoding,
    Instruction,
    Needs,
    Op,
    Program,
)
from dataflare_cli.errors import DataError, UsageError
from dataflare_cli.model import NO_TIMESTAMP, Record
from dataflare_cli.text.tableformat import TableFormat
from dataflare_cli.text.template import Part, Template, literal
from dataflare_cli.text.terminal import cut, neutralise, neutralise_json, one_line

OUTPUTS = ("dynamic", "text", "binary", "json", "raw", "table", "full_table", "records", "csv")
CSV_COLUMNS = ("topic", "partition", "offset", "timestamp", "key", "value")

_KEY_ALREADY = ("records", "csv")
_TABLES = ("table", "full_table")
_CSV_SPECIAL = (b",", b'"', b"\n", b"\r")


@dataclass(frozen=True)
class FormatOptions:
    """What was asked for, and where it goes; width and height of the terminal in characters."""

    output: str | None = None
    template: str | None = None  # -F
    verbs: str | None = None  # -f
    key_value: bool = False
    print0: bool = False
    suppress_unknown: bool = False
    truncate: bool = False
    table_format: TableFormat | None = None
    topic: str = ""
    terminal: bool = False
    width: int = 80
    height: int = 24
    null_value: bytes | None = None  # how a null is written; None: as the form has it


@dataclass(eq=False)
class Formatter:
    """Writes the records of one topic.

    `format` takes a record and its partition. A caller that is about to wait for records
    writes what `refresh` returns: a redrawn table may have more to show. `problems` are
    records that could not be shown, as sentences for stderr; `needs` is what any of it shows
    of a record beside key and value.
    """

    options: FormatOptions
    format: Callable[[Record, int], bytes]
    needs: Needs = EVERYTHING
    program: Program | None = None
    begin: bytes = b""
    refresh: Callable[[], bytes] = bytes
    finish: Callable[[], bytes] = bytes
    problems: list[str] = field(default_factory=list)

    def header(self) -> bytes:
        """Return what comes once before the first record, whatever the topics."""
        return self.begin

    def footer(self) -> bytes:
        """Return what comes once after the last record; there may be `problems` after it."""
        return self.finish()

    def take_problems(self) -> list[str]:
        """Return the problems since the last call."""
        taken = self.problems[:]
        self.problems.clear()
        return taken

    def for_topic(self, topic: str) -> "Formatter":
        """Return a formatter for another topic of the same output; they share a table."""
        if _checked_output(self.options) in _TABLES:
            return self
        return make_formatter(replace(self.options, topic=topic))


def make_formatter(
    options: FormatOptions, *, clock: Callable[[], float] = time.monotonic
) -> Formatter:
    """Return the formatter that options ask for.

    Raises:
        UsageError: options that contradict each other, a template that can't be read.
    """
    output = _checked_output(options)
    ending = b"\0" if options.print0 else b"\n"
    if options.verbs is not None:
        return _from_verbs(options, options.verbs)
    if options.template is not None:
        return _from_handlebars(options, options.template, ending)
    match output:
        case "records":
            return _templated([*_envelope(options.topic), literal(ending)], options)
        case "csv":
            return _csv(options, ending)
        case "table" | "full_table":
            return _table(options, output, ending, clock)
        case "json":
            return _json(options, ending)
        case "binary":
            return _valued(options, ending, lambda value: _dump(value or b""))
    if output == "raw" or not options.terminal:
        null = options.null_value or b""
        parts = [*_key_prefix(options), Instruction(Op.VALUE, null=null), literal(ending)]
        # -O raw means the bytes, whoever reads them.
        return _templated(parts, options, terminal=False)
    return _valued(options, ending, _text_shower(options, output))


# ---------------------------------------------------------------- what fits together


def _checked_output(options: FormatOptions) -> str:
    """Return the output type after refusing what contradicts it."""
    given = {
        "-O/--output": options.output is not None,
        "-F/--format": options.template is not None,
        "-f": options.verbs is not None,
        "--truncate": options.truncate,
    }
    both = [name for name, is_given in given.items() if is_given]
    if len(both) > 1:
        raise UsageError(
            f"the argument '{both[0]}' cannot be used with '{both[1]}'", hint="leave one out"
        )
    output = _output_name(options)
    if options.key_value and options.verbs is not None:
        raise UsageError(
            "the argument '--key-value' cannot be used with '-f'", hint=r"write -f '[%k] %v\n'"
        )
    if options.key_value and output in _KEY_ALREADY:
        raise UsageError(
            f"the argument '--key-value' cannot be used with '--output {output}'",
            hint="the key is part of it: leave --key-value out",
        )
    if options.table_format is not None and output not in _TABLES:
        raise UsageError(
            f"the argument '--table-format' cannot be used with '--output {output}'",
            hint="add -O table or -O full_table",
        )
    if output == "full_table" and not options.terminal:
        raise UsageError(
            "-O full_table redraws a terminal, and the output is none",
            hint="use -O table in a pipe or a file",
        )
    return output


def _output_name(options: FormatOptions) -> str:
    if options.output is None:
        return "dynamic" if options.table_format is None else "table"
    output = options.output.lower().replace("-", "_")
    if output not in OUTPUTS:
        from difflib import get_close_matches

        matches = get_close_matches(output, OUTPUTS, n=1)
        hint = f'did you mean "{matches[0]}"? ' if matches else ""
        raise UsageError(
            f"Invalid argument: unknown output type {options.output!r}",
            hint=f"{hint}types are {', '.join(OUTPUTS)}",
        )
    return output


# ---------------------------------------------------------------- templates


def _templated(
    parts: list[Part], options: FormatOptions, *, terminal: bool | None = None
) -> Formatter:
    is_safe = options.terminal if terminal is None else terminal
    template = Template(parts, terminal=is_safe)
    return Formatter(options, template.format, template.needs, template.program)


def _from_verbs(options: FormatOptions, verbs: str) -> Formatter:
    from dataflare_cli.text.verbs import parse_verbs

    parts = parse_verbs(verbs, options.topic, null=options.null_value or b"")
    if options.print0:
        last = parts[-1] if parts else None
        if isinstance(last, Instruction) and last.op is Op.LITERAL and last.literal == b"\n":
            parts.pop()
        parts.append(literal(b"\0"))
    return _templated(parts, options)


def _from_handlebars(options: FormatOptions, template: str, ending: bytes) -> Formatter:
    from dataflare_cli.text.handlebars import parse_template

    null = b"null" if options.null_value is None else options.null_value
    parts = parse_template(template, options.topic, null=null)
    return _templated([*_key_prefix(options), *parts, literal(ending)], options)


def _key_prefix(options: FormatOptions) -> list[Part]:
    if not options.key_value:
        return []
    null = b"null" if options.null_value is None else options.null_value
    return [literal("["), Instruction(Op.KEY, null=null), literal("] ")]


def _envelope(topic: str) -> list[Part]:
    """Return dataflare.record/v1 without its newline."""
    named = Record(value=topic.encode())
    name = Template([Instruction(Op.VALUE, encoding=Encoding.JSON)]).format(named, 0)
    return [
        literal(b'{"topic":' + name + b',"partition":'),
        Instruction(Op.PARTITION),
        literal(',"offset":'),
        Instruction(Op.OFFSET),
        Instruction(Op.TIMESTAMP_JSON),
        literal(',"key":'),
        Instruction(Op.KEY, encoding=Encoding.JSON),
        literal(',"value":'),
        Instruction(Op.VALUE, encoding=Encoding.JSON),
        Instruction(Op.HEADERS_JSON),
        literal("}"),
    ]


# ---------------------------------------------------------------- values one at a time


def _valued(
    options: FormatOptions, ending: bytes, show: Callable[[bytes | None], bytes | None]
) -> Formatter:
    """Show the value by a function; None of it leaves the record out."""
    prefix = Template(_key_prefix(options), terminal=options.terminal)

    def write(record: Record, partition: int) -> bytes:
        shown = show(record.value)
        return b"" if shown is None else prefix.format(record, partition) + shown + ending

    return Formatter(options, write, Needs())


def _dump(value: bytes) -> bytes:
    from dataflare_cli.text.hexdump import hexdump

    return hexdump(value).encode()


def _json(options: FormatOptions, ending: bytes) -> Formatter:
    """Show values as JSON; what is none is Fluvio's error object, and told with its place."""
    from dataflare_cli.text import jsontext

    prefix = Template(_key_prefix(options), terminal=options.terminal)
    problems: list[str] = []

    def write(record: Record, partition: int) -> bytes:
        try:
            value = b"null" if record.value is None else record.value
            shown = jsontext.pretty(jsontext.decode(value))
        except DataError as exc:
            if options.suppress_unknown:
                return b""
            problems.append(f"partition {partition}, offset {record.offset}: {exc.message}")
            shown = jsontext.pretty({"error": exc.message})
        if options.terminal:
            shown = neutralise_json(shown)
        return prefix.format(record, partition) + shown + ending

    # A problem says where it is.
    return Formatter(options, write, Needs(offsets=True), problems=problems)


def _text_shower(options: FormatOptions, output: str) -> Callable[[bytes | None], bytes]:
    """Show text on a terminal, as Fluvio does."""
    from dataflare_cli.text.hexdump import is_binary

    is_cut = options.truncate and not options.key_value
    null = options.null_value or b""

    def show(value: bytes | None) -> bytes:
        data = null if value is None else value
        if is_binary(data):
            if output == "dynamic":
                return _dump(data)
            if not options.suppress_unknown:
                return b"binary: (%d bytes)" % len(data)
        if is_cut:
            return cut(one_line(data.decode("utf-8", "replace")), options.width).encode()
        return neutralise(data)

    return show


# ---------------------------------------------------------------- csv and tables


def _csv(options: FormatOptions, ending: bytes) -> Formatter:
    topic = _csv_field(options.topic.encode())

    def write(record: Record, partition: int) -> bytes:
        stamp = b"" if record.timestamp_ms == NO_TIMESTAMP else b"%d" % record.timestamp_ms
        row = b"%b,%d,%d,%b,%b,%b" % (
            topic,
            partition,
            record.offset,
            stamp,
            _csv_field(record.key),
            _csv_field(record.value),
        )
        return (neutralise(row) if options.terminal else row) + ending

    return Formatter(options, write, begin=",".join(CSV_COLUMNS).encode() + ending)


def _csv_field(data: bytes | None) -> bytes:
    """Quote where it is needed, and what is empty but not null."""
    if data is None:
        return b""
    if not data or any(special in data for special in _CSV_SPECIAL):
        return b'"' + data.replace(b'"', b'""') + b'"'
    return data


def _table(
    options: FormatOptions, output: str, ending: bytes, clock: Callable[[], float]
) -> Formatter:
    from dataflare_cli.text.tables import FullTable, Rows, Table

    problems: list[str] = []
    told = None if options.suppress_unknown else problems
    rows = Rows(options.table_format, with_key=options.key_value)
    if output == "table":
        return Formatter(options, Table(rows, ending, told).format, problems=problems)
    size = (options.width, options.height)
    full = FullTable(rows, told, size=size, clock=clock)
    return Formatter(
        options, full.format, refresh=full.refresh, finish=full.finish, problems=problems
    )
