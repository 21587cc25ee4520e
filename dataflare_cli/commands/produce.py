"""`dataflare produce`: lines, files or formatted input into a topic."""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from dataflare_cli.catalog import Catalog, check_name, partition_id_of
from dataflare_cli.commands.chain_options import ChainOptions, choose_chain
from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.input_options import (
    STDIN,
    InputOptions,
    choose,
    opened_input,
    parse_timestamp,
    plan_text,
    read_bytes,
    refuse_input_contradictions,
)
from dataflare_cli.commands.request import argument, command_of, option
from dataflare_cli.commands.shared import refuse_mirror
from dataflare_cli.connect import is_url
from dataflare_cli.errors import AlreadyExists, DataError, NotFound, UsageError
from dataflare_cli.model import (
    BATCH_BYTES_MAX,
    Codec,
    Partitioner,
    Topic,
    TopicSpec,
)
from dataflare_cli.stream.ingest import IngestOptions
from dataflare_cli.text.time import parse_duration

if TYPE_CHECKING:
    from dataflare_cli.commands.chain_options import Chosen
    from dataflare_cli.store import Durability

DURABILITIES: "dict[str, Durability]" = {"full": "full", "relaxed": "relaxed"}
PARTITIONERS = {
    "sip": Partitioner.SIP,
    "murmur2": Partitioner.MURMUR2,
    "round-robin": Partitioner.ROUND_ROBIN,
}
CODECS = {each.name.lower(): each for each in Codec}
# Below this a batch is mostly header.
BATCH_BYTES_MIN = 128
RATE_MIN, RATE_MAX = 1 / 3600, 1e9


@dataclass(frozen=True, kw_only=True)
class Request(InputOptions, ChainOptions):
    """Write records to a topic: lines from stdin or files, or records in another format.

    \b
    Example:
      tail -f app.log | dataflare produce logs --create
      dataflare produce orders -f orders.txt --key-separator :
      dataflare consume a -B -d -O records | dataflare produce b --input records
      dataflare produce orders -f orders.ndjson --smartmodule key-from-json -e field=customer
    """

    topic: Annotated[str, argument(metavar="TOPIC", help="Topic to write to")]
    file: Annotated[
        list[Path] | None,
        option("-f", "--file", metavar="FILE", help="Read this file instead of stdin (repeatable)"),
    ] = None
    partition: Annotated[
        int | None, option("-p", "--partition", metavar="N", min=0, help="Write to this partition")
    ] = None
    partitioner: Annotated[
        str | None,
        option(
            "--partitioner",
            metavar="|".join(PARTITIONERS),
            help="Which hash of the key chooses: Fluvio's (sip), Kafka's (of kafka://…), none",
        ),
    ] = None
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
    from dataflare_cli.stream.dedup import open_log

    options = _plan(request)
    if is_url(request.topic):
        from dataflare_cli.commands.produce_remote import produce_remote

        produce_remote(env, request, options)
        return
    durability = None
    if request.durability is not None:
        durability = choose("--durability", request.durability, DURABILITIES)
    store = env.open_store(create=request.create, durability=durability)
    catalog = Catalog(store)
    chosen = choose_chain(env, request, lambda: catalog)
    topic = _find_topic(env, catalog, request, chosen)
    text = options.text
    if request.partition is not None:
        partition_id_of(topic, request.partition)  # NotFound, with what there is
    options.text = replace(text, partition_count=len(topic.partition_ids))
    options.compression = compression_of(request, topic)
    session = Session(env, request, open_log(store), topic, options, chosen=chosen)
    with session.ended_well():
        session.run()
    session.finish()


def _plan(request: Request) -> IngestOptions:
    """Check everything that can be checked without the store."""
    _refuse_contradictions(request)
    batch_bytes = read_bytes("--batch-size", request.batch_size, BATCH_BYTES_MIN, None)
    text = plan_text(
        request,
        partition=request.partition,
        partitioner=choose("--partitioner", _partitioner(request), PARTITIONERS),
        batch_bytes_max=min(batch_bytes, BATCH_BYTES_MAX),
    )
    return IngestOptions(
        text=text,
        timestamp_ms=None if request.timestamp is None else parse_timestamp(request.timestamp),
        linger_s=parse_duration(request.linger),
        rate=None if request.rate is None else parse_rate(request.rate),
        keep_partitions=request.keep_partitions,
        keep_source=request.tee or request.verbose,
    )


def _partitioner(request: Request) -> str:
    """Keys go where the other clients of a cluster put them, unless something else is wanted."""
    if request.partitioner is not None:
        return request.partitioner
    return "murmur2" if request.topic.startswith("kafka://") else "sip"


def _refuse_contradictions(request: Request) -> None:
    if not is_url(request.topic):
        check_name(request.topic)
    refuse_input_contradictions(request)
    if request.report is not None:
        choose("--report", request.report, {"json": None})
    refuse_mirror(request.mirror)
    contradictions = (
        (request.raw and request.rate is not None, "--raw, --rate"),
        (request.input != "lines" and request.rate is not None, "--input, --rate"),
        (
            request.partition is not None and request.keep_partitions,
            "--partition, --keep-partitions",
        ),
        (request.atomic and request.tee, "--atomic, --tee"),
        (
            request.atomic and request.on_error.startswith("dead-letter"),
            "--atomic, --on-error dead-letter",
        ),
        (request.atomic and request.verbose, "--atomic, --verbose"),
        (request.tee and request.verbose, "--tee, --verbose"),
    )
    for wrong, names in contradictions:
        if wrong:
            raise UsageError(f"{names} can't be used together")
    if request.keep_partitions and request.input == "lines":
        raise UsageError("--keep-partitions needs an --input format that has partitions")


def _find_topic(
    env: Environment, catalog: Catalog, request: Request, chosen: "Chosen | None"
) -> Topic:
    try:
        return catalog.topic(request.topic)
    except NotFound as exc:
        if not request.create:
            meant = f"{exc.hint}; " if exc.suggestions else ""
            exc.hint = f"{meant}--create makes it, dataflare topic list shows all"
            raise
    _refuse_before_creating(env, request, chosen)
    try:
        return catalog.create_topic(request.topic, TopicSpec())
    except AlreadyExists:  # another producer was first
        return catalog.topic(request.topic)


def _refuse_before_creating(env: Environment, request: Request, chosen: "Chosen | None") -> None:
    """Refuse what is bound to fail, so that it leaves no topic behind.

    Raises:
        NotFound, Unreachable, InitFailed, …: what would be raised later.
    """
    if request.partition:
        raise NotFound(
            "partition",
            f"{request.topic}-{request.partition}",
            hint="--create makes a topic with partition 0 only; "
            f"dataflare topic create {request.topic} -p {request.partition + 1} makes more",
        )
    for path in request.file or ():
        if path != STDIN and not os.access(path, os.R_OK):
            with opened_input(env, path):
                pass  # it says why
    if chosen is not None:
        chosen.plan.start()


def compression_of(request: Request, topic: Topic) -> Codec:
    """The topic's codec, unless it leaves the choice to the producer (Fluvio's rule)."""
    fixed = topic.spec.compression
    if request.compression is None:
        return fixed or Codec.NONE
    wanted = choose("--compression", request.compression, CODECS)
    if fixed is not None and fixed != wanted:
        raise DataError(
            "Producer error: Invalid configuration in producer: Compression in the producer "
            f"({wanted.name.lower()}) does not match with topic level compression "
            f"({fixed.name.lower()})",
            hint="leave --compression out, or: dataflare topic alter "
            f"{topic.name} --compression-type any",
        )
    return wanted


def parse_rate(text: str) -> float:
    """Read a rate such as 500/s, 30/min or 1000 (a second)."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/(s|sec|m|min|h))?", text.strip())
    if match is None or not float(match[1]):
        raise UsageError(f"--rate: {text!r} is not a rate such as 500/s, 30/min or 0.5/s")
    rate = float(match[1]) / {"m": 60, "min": 60, "h": 3600}.get(match[2] or "s", 1)
    if not RATE_MIN <= rate <= RATE_MAX:
        raise UsageError(f"--rate: {text!r} is out of its limits (1/h to 1000000000/s)")
    return rate


command = command_of(Request, produce)
