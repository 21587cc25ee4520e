"""`dataflare produce`: lines, files or formatted input into a topic."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from dataflare_cli.catalog import Catalog, check_name, partition_id_of
from dataflare_cli.codec.lines import TextOptions
from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.request import argument, command_of, option
from dataflare_cli.commands.shared import refuse_mirror
from dataflare_cli.errors import AlreadyExists, DataError, NotFound, UsageError
from dataflare_cli.model import (
    BATCH_BYTES_MAX,
    REQUEST_BYTES_DEFAULT,
    REQUEST_BYTES_MAX,
    Codec,
    Headers,
    Partitioner,
    Topic,
    TopicSpec,
)
from dataflare_cli.stream.ingest import IngestOptions
from dataflare_cli.text.time import parse_duration, parse_moment
from dataflare_cli.text.units import parse_bytes

if TYPE_CHECKING:
    from dataflare_cli.store import Durability

INPUT_FORMATS = ("lines", "records", "csv", "tsv", "json-array", "kcat", "rpk", "kafka-console")
DURABILITIES: "dict[str, Durability]" = {"full": "full", "relaxed": "relaxed"}
PARTITIONERS = {
    "sip": Partitioner.SIP,
    "murmur2": Partitioner.MURMUR2,
    "round-robin": Partitioner.ROUND_ROBIN,
}
CODECS = {each.name.lower(): each for each in Codec}
# Below this a batch is mostly header.
BATCH_BYTES_MIN = 128
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}
RATE_MIN, RATE_MAX = 1 / 3600, 1e9
_SECONDS_DIGITS = 10
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Request:
    """Write records to a topic: lines from stdin or files, or records in another format.

    \b
    Example:
      tail -f app.log | dataflare produce logs --create
      dataflare produce orders -f orders.txt --key-separator :
      dataflare consume a -B -d -O records | dataflare produce b --input records
    """

    topic: Annotated[str, argument(metavar="TOPIC", help="Topic to write to")]
    file: Annotated[
        list[Path] | None,
        option("-f", "--file", metavar="FILE", help="Read this file instead of stdin (repeatable)"),
    ] = None
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
    partition: Annotated[
        int | None, option("-p", "--partition", metavar="N", min=0, help="Write to this partition")
    ] = None
    partitioner: Annotated[
        str,
        option(
            "--partitioner",
            metavar="|".join(PARTITIONERS),
            help="Which hash of the key chooses: Fluvio's, Kafka's, none",
        ),
    ] = "sip"
    keep_partitions: Annotated[
        bool, option("--keep-partitions", help="Take each record's partition from the input")
    ] = False
    compression: Annotated[
        str | None,
        option(
            "--compression",
            metavar="|".join(CODECS),
            help="Of the batches; the topic's, if it has one",
        ),
    ] = None
    linger: Annotated[
        str, option("--linger", metavar="DURATION", help="Wait for more input before storing")
    ] = "0ms"
    batch_size: Annotated[
        str, option("--batch-size", metavar="BYTES", help="No batch is larger, in bytes")
    ] = str(BATCH_BYTES_MAX)
    max_request_size: Annotated[
        str, option("--max-request-size", metavar="BYTES", help="No record is larger, in bytes")
    ] = str(REQUEST_BYTES_DEFAULT)
    durability: Annotated[
        str | None,
        option(
            "--durability",
            metavar="full|relaxed",
            help="relaxed: a power cut may lose the last commit",
        ),
    ] = None
    atomic: Annotated[
        bool, option("--atomic", help="Store all of the input or none of it (up to 64 MiB)")
    ] = False
    create: Annotated[bool, option("--create", help="Create the topic if it is missing")] = False
    rate: Annotated[
        str | None, option("--rate", metavar="RATE", help="At most this fast, as in 500/s")
    ] = None
    tee: Annotated[bool, option("--tee", help="Pass the input on to stdout once it is stored")] = (
        False
    )
    report: Annotated[
        str | None, option("--report", metavar="json", help="Say on stderr what was stored")
    ] = None
    verbose: Annotated[
        bool, option("-v", "--verbose", help="With --key-separator: print [key] value")
    ] = False
    mirror: Annotated[
        str | None, option("-m", "--mirror", hidden=True, help="Mirrors need a cluster")
    ] = None
    isolation: Annotated[str | None, option("--isolation", hidden=True, help="No effect")] = None
    delivery_semantic: Annotated[
        str | None, option("--delivery-semantic", hidden=True, help="No effect")
    ] = None


def produce(env: Environment, request: Request) -> None:
    """Store the input and say what became of it."""
    from dataflare_cli.commands.produce_run import Session
    from dataflare_cli.log import Log

    options = _plan(request)
    durability = None
    if request.durability is not None:
        durability = _choice("--durability", request.durability, DURABILITIES)
    store = env.open_store(create=request.create, durability=durability)
    topic = _find_topic(Catalog(store), request)
    text = options.text
    if request.partition is not None:
        partition_id_of(topic, request.partition)  # NotFound, with what there is
    options.text = replace(text, partition_count=len(topic.partition_ids))
    options.compression = _compression(request, topic)
    session = Session(env, request, Log(store), topic, options)
    with session.ended_well():
        session.run()
    session.finish()


def _plan(request: Request) -> IngestOptions:
    """Check everything that can be checked without the store."""
    _refuse_contradictions(request)
    record_bytes = _bytes("--max-request-size", request.max_request_size, 1, REQUEST_BYTES_MAX)
    batch_bytes = _bytes("--batch-size", request.batch_size, BATCH_BYTES_MIN, None)
    text = TextOptions(
        delimiter=unescape("--delimiter", request.delimiter),
        key_separator=_maybe(request.key_separator),
        null_value=_maybe(request.null_value),
        key=_maybe(request.key),
        headers=parse_headers(request.header or []),
        partition=request.partition,
        partitioner=_choice("--partitioner", request.partitioner, PARTITIONERS),
        batch_bytes_max=min(batch_bytes, BATCH_BYTES_MAX),
        record_bytes_max=record_bytes,
    )
    return IngestOptions(
        text=text,
        timestamp_ms=None if request.timestamp is None else parse_timestamp(request.timestamp),
        linger_s=parse_duration(request.linger),
        rate=None if request.rate is None else parse_rate(request.rate),
        keep_partitions=request.keep_partitions,
        keep_source=request.tee or request.verbose,
    )


def _refuse_contradictions(request: Request) -> None:
    check_name(request.topic)
    _choice("--input", request.input, dict.fromkeys(INPUT_FORMATS))
    if request.report is not None:
        _choice("--report", request.report, {"json": None})
    refuse_mirror(request.mirror)
    contradictions = (
        (request.key is not None and request.key_separator is not None, "--key, --key-separator"),
        (request.raw and request.key_separator is not None, "--raw, --key-separator"),
        (request.raw and request.input != "lines", "--raw, --input"),
        (request.raw and request.rate is not None, "--raw, --rate"),
        (
            request.input != "lines" and request.key_separator is not None,
            "--input, --key-separator",
        ),
        (request.input != "lines" and request.rate is not None, "--input, --rate"),
        (
            request.partition is not None and request.keep_partitions,
            "--partition, --keep-partitions",
        ),
        (request.atomic and request.tee, "--atomic, --tee"),
        (request.atomic and request.verbose, "--atomic, --verbose"),
        (request.tee and request.verbose, "--tee, --verbose"),
    )
    for wrong, names in contradictions:
        if wrong:
            raise UsageError(f"{names} can't be used together")
    if request.key_separator == "":
        raise UsageError("--key-separator must not be empty")
    if request.keep_partitions and request.input == "lines":
        raise UsageError("--keep-partitions needs an --input format that has partitions")


def _find_topic(catalog: Catalog, request: Request) -> Topic:
    try:
        return catalog.topic(request.topic)
    except NotFound as exc:
        if not request.create:
            meant = f"{exc.hint}; " if exc.suggestions else ""
            exc.hint = f"{meant}--create makes it, dataflare topic list shows all"
            raise
    try:
        return catalog.create_topic(request.topic, TopicSpec())
    except AlreadyExists:  # another producer was first
        return catalog.topic(request.topic)


def _compression(request: Request, topic: Topic) -> Codec:
    """The topic's codec, unless it leaves the choice to the producer (Fluvio's rule)."""
    fixed = topic.spec.compression
    if request.compression is None:
        return fixed or Codec.NONE
    wanted = _choice("--compression", request.compression, CODECS)
    if fixed is not None and fixed != wanted:
        raise DataError(
            "Producer error: Invalid configuration in producer: Compression in the producer "
            f"({wanted.name.lower()}) does not match with topic level compression "
            f"({fixed.name.lower()})",
            hint="leave --compression out, or: dataflare topic alter "
            f"{topic.name} --compression-type any",
        )
    return wanted


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


def parse_rate(text: str) -> float:
    """Read a rate such as 500/s, 30/min or 1000 (a second)."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/(s|sec|m|min|h))?", text.strip())
    if match is None or not float(match[1]):
        raise UsageError(f"--rate: {text!r} is not a rate such as 500/s, 30/min or 0.5/s")
    rate = float(match[1]) / {"m": 60, "min": 60, "h": 3600}.get(match[2] or "s", 1)
    if not RATE_MIN <= rate <= RATE_MAX:
        raise UsageError(f"--rate: {text!r} is out of its limits (1/h to 1000000000/s)")
    return rate


def _utf8(name: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as exc:
        raise UsageError(f"{name}: {text!r} is not UTF-8") from exc


def _maybe(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")


def _bytes(name: str, text: str, least: int, most: int | None) -> int:
    value = parse_bytes(text)
    if value < least or (most is not None and value > most):
        limits = f"at least {least}" if most is None else f"{least} to {most}"
        raise UsageError(f"{name}: {value} bytes is out of its limits ({limits})")
    return value


def _choice(name: str, text: str, choices: Mapping[str, _T]) -> _T:
    found = {key.lower(): value for key, value in choices.items()}
    if text.lower() not in found:
        raise UsageError(f"{name}: {text!r} is not one of {', '.join(choices)}")
    return found[text.lower()]


command = command_of(Request, produce)
