"""`dataflare consume`: records of topics to stdout."""

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from dataflare_cli.catalog import Catalog, check_name
from dataflare_cli.commands.chain_options import ChainOptions, choose_chain, read_policy
from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.output_options import (
    OutputOptions,
    find_table_format,
    formatter_of,
    settle_output,
)
from dataflare_cli.commands.request import argument, command_of, option
from dataflare_cli.commands.shared import refuse_mirror
from dataflare_cli.errors import DataError, NothingProcessed, UsageError
from dataflare_cli.model import Topic
from dataflare_cli.text.offsets import OffsetSpec, Position, parse_offset
from dataflare_cli.text.time import parse_duration

if TYPE_CHECKING:
    from dataflare_cli.stream.positions import Wanted

# Fluvio's offsets are u32; ours are as wide as Kafka's.
_OFFSET = {"min": 0, "max": 2**63 - 1}


@dataclass(frozen=True, kw_only=True)
class Request(OutputOptions, ChainOptions):
    """Print records of topics, and go on with new ones as they come (-d: stop at the end).

    Without an offset it begins at the end: only new records are printed.

    \b
    Example:
      dataflare consume logs -B -d
      dataflare consume logs -T 20
      dataflare consume orders -o @-1h: -F '{{key}} {{value}}'
      dataflare consume orders -B -d -O records | jq .key
      dataflare consume orders -B -d --smartmodule json-filter -e field=level -e equals=error
      dataflare consume orders --match timeout --redact user.email
      dataflare consume kafka://127.0.0.1:9092/orders -B -d
    """

    topic: Annotated[
        list[str] | None, argument(metavar="[TOPIC]...", help="Topics to read, or a URL")
    ] = None
    regex: Annotated[
        str | None,
        option(
            "-r",
            "--regex",
            metavar="PATTERN",
            help="Read all topics whose whole name matches, later ones too",
        ),
    ] = None
    partition: Annotated[
        list[int] | None,
        option("-p", "--partition", metavar="N", min=0, help="Only this one (repeatable)"),
    ] = None
    all_partitions: Annotated[
        bool, option("-A", "--all-partitions", help="All partitions (the default)")
    ] = False
    disable_continuous: Annotated[
        bool,
        option("-d", "--disable-continuous", "--until-now", help="Stop at the end as it is now"),
    ] = False
    beginning: Annotated[bool, option("-B", "--beginning", help="Begin at the beginning")] = False
    head: Annotated[
        int | None,
        option("-H", "--head", metavar="N", help="Skip N from the beginning", **_OFFSET),
    ] = None
    tail: Annotated[
        int | None, option("-T", "--tail", metavar="N", help="Begin N before the end", **_OFFSET)
    ] = None
    start: Annotated[
        int | None, option("--start", metavar="OFFSET", help="Begin at this offset", **_OFFSET)
    ] = None
    end: Annotated[
        int | None,
        option("--end", metavar="OFFSET", help="Stop after this offset (inclusive)", **_OFFSET),
    ] = None
    offset: Annotated[
        str | None,
        option(
            "-o",
            "--offset",
            metavar="OFFSET",
            help="start, end, N, N:M, -10, +10, @TIME, @T1:T2, @-1h: (right ends exclusive)",
        ),
    ] = None
    max_records: Annotated[
        int | None,
        option("-n", "--max-records", metavar="N", min=0, help="Stop after so many records"),
    ] = None
    idle_timeout: Annotated[
        str | None,
        option("--idle-timeout", metavar="DURATION", help="Stop when nothing comes for so long"),
    ] = None
    timeout: Annotated[
        str | None, option("--timeout", metavar="DURATION", help="Give up after so long (124)")
    ] = None
    grep: Annotated[
        list[str] | None,
        option(
            "-G",
            "--grep",
            metavar="FILTER",
            help="Only records that match: k:, v:, h: and a pattern (all of them)",
        ),
    ] = None
    order: Annotated[
        str | None, option("--order", metavar="time", help="Merge partitions by timestamp")
    ] = None
    consumer: Annotated[
        str | None,
        option("-c", "--consumer", metavar="CONSUMER", help="Resume where this consumer stopped"),
    ] = None
    no_commit: Annotated[bool, option("--no-commit", help="Look without moving the consumer")] = (
        False
    )
    disable_progressbar: Annotated[
        bool, option("--disable-progressbar", hidden=True, help="No effect")
    ] = False
    maxbytes: Annotated[int | None, option("-b", "--maxbytes", hidden=True, help="No effect")] = (
        None
    )
    isolation: Annotated[str | None, option("--isolation", hidden=True, help="No effect")] = None
    mirror: Annotated[
        str | None, option("-m", "--mirror", hidden=True, help="Mirrors need a cluster")
    ] = None


def consume(env: Environment, request: Request) -> None:
    """Print what was asked for, in one of two ways: by the kernel, or record by record."""
    from dataflare_cli.commands.consume_run import Session
    from dataflare_cli.connect import is_url

    request = settle_output(env, request)
    _refuse_contradictions(request)
    if any(is_url(topic) for topic in request.topic or ()):
        from dataflare_cli.commands.consume_remote import consume_remote

        consume_remote(env, request, _wanted(request))
        return
    moves_consumer = request.consumer is not None and not request.no_commit
    _, dead_letters = read_policy(request.on_error)
    store = env.open_store(create=False, read_only=not moves_consumer and dead_letters is None)
    wanted = _wanted(request)
    catalog = Catalog(store)
    topics = _find_topics(catalog, request)
    table_format = find_table_format(catalog, request.table_format)
    module = None if table_format is None else table_format.smartmodule
    chosen = choose_chain(env, request, lambda: catalog, module=module)
    output = formatter_of(env, request, topics[0].name, table_format)
    Session(env, request, store, topics, wanted, output=output, chosen=chosen).run()


def _wanted(request: Request) -> "Wanted":
    from dataflare_cli.stream.positions import Wanted

    return Wanted(
        spec=_offset_spec(request),
        stop_at_end=request.disable_continuous,
        consumer=request.consumer,
        partitions=sorted(set(request.partition or ())),
    )


def _refuse_contradictions(request: Request) -> None:
    starts = {
        "-B": request.beginning,
        "-H": request.head is not None,
        "-T": request.tail is not None,
        "--start": request.start is not None,
        "-o": request.offset is not None,
    }
    given = [name for name, is_given in starts.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{', '.join(given)} can't be used together")
    refuse_mirror(request.mirror)
    pairs = (
        (request.all_partitions and request.partition, "-A, -p"),
        (request.end is not None and request.offset is not None, "--end, -o"),
        (request.topic and request.regex, "topic names, --regex"),
        (request.no_commit and not request.consumer, "--no-commit without --consumer"),
    )
    for wrong, names in pairs:
        if wrong:
            raise UsageError(f"{names} can't be used together")
    if request.order not in (None, "time"):
        raise UsageError(f"--order: {request.order!r} is not time")
    if not request.topic and not request.regex:
        raise UsageError("which topic?", hint="dataflare topic list shows all topics")
    if request.consumer is not None:
        check_name(request.consumer, noun="Consumer")
    for text in (request.idle_timeout, request.timeout):
        if text is not None:
            parse_duration(text)


def _offset_spec(request: Request) -> OffsetSpec:
    if request.offset is not None:
        return parse_offset(request.offset, time.time_ns() // 1_000_000)
    if request.start is not None and request.end is not None and request.end < request.start:
        raise DataError(
            f"End offset: {request.end} cannot be less than starting offset: {request.start}",
            hint="Argument end-offset must be greater than or equal to specified start offset",
        )
    end = None if request.end is None else Position("offset", request.end + 1)
    if request.beginning:
        return OffsetSpec(Position("start", 0), end)
    if request.head is not None:
        return OffsetSpec(Position("relative-start", request.head), end)
    if request.tail is not None:
        return OffsetSpec(Position("relative-end", request.tail), end)
    if request.start is not None:
        return OffsetSpec(Position("offset", request.start), end)
    return OffsetSpec(Position("end", 0), end)


def _find_topics(catalog: Catalog, request: Request) -> list[Topic]:
    if request.regex is None:
        return [catalog.topic(name) for name in dict.fromkeys(request.topic or ())]
    try:
        pattern = re.compile(request.regex)
    except re.error as exc:
        raise UsageError(f"--regex: {request.regex!r} is not a pattern: {exc}") from exc
    found = [topic for topic in catalog.topics() if pattern.fullmatch(topic.name)]
    if not found:
        raise NothingProcessed(
            f"no topic matches {request.regex!r}", hint="dataflare topic list shows all topics"
        )
    return found


command = command_of(Request, consume)
