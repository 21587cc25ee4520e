"""The options that say what an input is, and the inputs themselves: files, or stdin.

What produce and transform have in common. An option that has a special meaning for one
importer is checked by that importer (`text.inputs`).
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from dataflare_cli.codec.lines import TextOptions
from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.request import option
from dataflare_cli.errors import RecordTooLarge, Unreachable, UsageError
from dataflare_cli.model import (
    BATCH_BYTES_MAX,
    MIB,
    REQUEST_BYTES_DEFAULT,
    REQUEST_BYTES_MAX,
    Headers,
    Partitioner,
)
from dataflare_cli.stream.ingest import BadRecord, Ingest
from dataflare_cli.text.time import parse_moment
from dataflare_cli.text.units import parse_bytes

INPUT_FORMATS = ("lines", "records", "csv", "tsv", "json-array", "kcat", "rpk", "kafka-console")
STDIN = Path("-")
# More are counted, not shown: a wrong separator is wrong on every line.
BAD_LINES_SHOWN = 10
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}
_SECONDS_DIGITS = 10
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """How input becomes records."""

    input: Annotated[
        str, option("--input", metavar="|".join(INPUT_FORMATS), help="What the input is")
    ] = "lines"
    key_column: Annotated[
        str | None, option("--key-column", metavar="NAME", help="csv, tsv: the column with the key")
    ] = None
    value_column: Annotated[
        str | None,
        option("--value-column", metavar="NAME", help="csv, tsv: the column with the value"),
    ] = None
    console_fields: Annotated[
        str | None,
        option(
            "--console-fields",
            metavar="NAMES",
            help="kafka-console: what stands before the value, as timestamp,key",
        ),
    ] = None
    raw: Annotated[bool, option("--raw", help="The whole input is one record")] = False
    delimiter: Annotated[
        str,
        option(
            "-D",
            "--delimiter",
            metavar="TEXT",
            help="What ends a record; knows \\n, \\t, \\0 and \\xNN",
        ),
    ] = "\\n"
    key: Annotated[
        str | None, option("--key", metavar="TEXT", help="The same key for every record")
    ] = None
    key_separator: Annotated[
        str | None,
        option(
            "--key-separator",
            metavar="TEXT",
            help="Split every line at its first separator: key, value",
        ),
    ] = None
    header: Annotated[
        list[str] | None,
        option(
            "--header",
            metavar="HEADER",
            help="NAME=VALUE, NAME= (empty) or NAME (null); repeatable",
        ),
    ] = None
    timestamp: Annotated[
        str | None,
        option("--timestamp", metavar="TIME", help="Of every record: ms, RFC 3339 or -1h"),
    ] = None
    null_value: Annotated[
        str | None, option("--null-value", metavar="MARK", help="This value means null")
    ] = None
    max_request_size: Annotated[
        str, option("--max-request-size", metavar="BYTES", help="No record is larger, in bytes")
    ] = str(REQUEST_BYTES_DEFAULT)


def refuse_input_contradictions(request: InputOptions) -> None:
    """Refuse input options that exclude each other.

    Raises:
        UsageError: naming them.
    """
    choose("--input", request.input, dict.fromkeys(INPUT_FORMATS))
    contradictions = (
        (request.key is not None and request.key_separator is not None, "--key, --key-separator"),
        (request.raw and request.key_separator is not None, "--raw, --key-separator"),
        (request.raw and request.input != "lines", "--raw, --input"),
        (
            request.input != "lines" and request.key_separator is not None,
            "--input, --key-separator",
        ),
    )
    for wrong, names in contradictions:
        if wrong:
            raise UsageError(f"{names} can't be used together")
    if request.key_separator == "":
        raise UsageError("--key-separator must not be empty")


def plan_text(
    request: InputOptions,
    *,
    partition: int | None = None,
    partitioner: Partitioner = Partitioner.SIP,
    batch_bytes_max: int = BATCH_BYTES_MAX,
) -> TextOptions:
    """Return how text becomes records.

    Raises:
        UsageError: an option that can't be read.
    """
    record_bytes = read_bytes("--max-request-size", request.max_request_size, 1, REQUEST_BYTES_MAX)
    return TextOptions(
        delimiter=unescape("--delimiter", request.delimiter),
        key_separator=_maybe(request.key_separator),
        null_value=_maybe(request.null_value),
        key=_maybe(request.key),
        headers=parse_headers(request.header or []),
        partition=partition,
        partitioner=partitioner,
        batch_bytes_max=batch_bytes_max,
        record_bytes_max=record_bytes,
    )


def take_input(
    ingest: Ingest, request: InputOptions, text: TextOptions, handle: int, name: str
) -> None:
    """Feed one input to its end.

    Raises:
        what reading, converting or the target raises.
    """
    if request.raw:
        ingest.raw(_read_whole(handle, name, text.record_bytes_max), name)
    elif request.input == "lines":
        ingest.text(handle, name)
    else:
        from dataflare_cli.text.inputs import make_importer

        fields = request.console_fields
        importer = make_importer(
            request.input,
            null_value=text.null_value,
            key_column=request.key_column,
            value_column=request.value_column,
            console_fields=None if fields is None else tuple(fields.split(",")),
            record_bytes_max=text.record_bytes_max,
        )
        ingest.imported(handle, name, importer)


@contextmanager
def opened_input(env: Environment, path: Path) -> Iterator[int]:
    """Open an input; `-` is stdin, which stays open."""
    if path == STDIN:
        yield env.stdin_fd
        return
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as exc:
        raise Unreachable(str(path), exc.strerror or str(exc)) from exc
    try:
        yield handle
    except IsADirectoryError as exc:
        raise Unreachable(
            str(path), "is a directory", hint=f"name the files in it, as {path}/X"
        ) from exc
    finally:
        os.close(handle)


def input_bytes(path: Path) -> int:
    """Return a file's size, 0 where it has none to show progress by."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _read_whole(handle: int, name: str, limit: int) -> bytes:
    parts, size = [], 0
    while chunk := os.read(handle, MIB):
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            raise RecordTooLarge(size, limit, where=f"{name}, not read further")
    return b"".join(parts)


def unescape(name: str, text: str) -> bytes:
    """Read the escapes of a delimiter: \\n, \\t, \\r, \\0, \\\\ and \\xNN."""

    def one(match: "re.Match[str]") -> str:
        found = match[1]
        if found[0] == "x" and len(found) == 3:
            return chr(int(found[1:], 16))
        if found not in _ESCAPES:
            raise UsageError(f"{name}: \\{found} is not an escape; \\n \\t \\r \\0 \\\\ \\xNN are")
        return _ESCAPES[found]

    # Escapes are bytes, the rest is UTF-8: keep the two apart by way of surrogates.
    parts = re.split(r"(\\(?:x[0-9A-Fa-f]{2}|.))", text, flags=re.DOTALL)
    delimiter = b"".join(
        re.sub(r"\\(x[0-9A-Fa-f]{2}|.)", one, part, flags=re.DOTALL).encode("latin-1")
        if number % 2
        else part.encode("utf-8", "surrogateescape")
        for number, part in enumerate(parts)
    )
    if not delimiter:
        raise UsageError(f"{name} must not be empty")
    return delimiter


def parse_headers(texts: list[str]) -> Headers:
    """Read NAME=VALUE, NAME= (empty value) and NAME (null value), in order."""
    headers = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not name and not equals:
            raise UsageError("--header must be NAME=VALUE, NAME= or NAME")
        encoded = value.encode("utf-8", "surrogateescape") if equals else None
        headers.append((_utf8("--header", name), encoded))
    return tuple(headers)


def parse_timestamp(text: str) -> int:
    """Read a moment, or milliseconds of any length (ten digits are seconds, as elsewhere)."""
    if text.isascii() and text.isdigit() and len(text) < _SECONDS_DIGITS:
        return int(text)
    return parse_moment(text, time.time_ns() // 1_000_000)


def _utf8(name: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as exc:
        raise UsageError(f"{name}: {text!r} is not UTF-8") from exc


def _maybe(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")


def read_bytes(name: str, text: str, least: int, most: int | None) -> int:
    """Read a number of bytes within its limits (`most` None: the sky)."""
    value = parse_bytes(text)
    if value < least or (most is not None and value > most):
        limits = f"at least {least}" if most is None else f"{least} to {most}"
        raise UsageError(f"{name}: {value} bytes is out of its limits ({limits})")
    return value


def choose(name: str, text: str, choices: Mapping[str, _T]) -> _T:
    """Return what one of several words stands for; case does not matter."""
    found = {key.lower(): value for key, value in choices.items()}
    if text.lower() not in found:
        raise UsageError(f"{name}: {text!r} is not one of {', '.join(choices)}")
    return found[text.lower()]


def bad_lines(env: Environment) -> Callable[[BadRecord], None]:
    """Return what tells of records that can't be read, of the first ones."""
    count = 0

    def tell(bad: BadRecord) -> None:
        nonlocal count
        count += 1
        if count <= BAD_LINES_SHOWN:
            env.warn(f"{bad.source}, line {bad.line}: {bad.problem}")
        elif count == BAD_LINES_SHOWN + 1:
            env.warn("further bad lines are counted, not shown")

    return tell
