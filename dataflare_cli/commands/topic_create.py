"""`dataflare topic create`: from options, or from a YAML file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from dataflare_cli.catalog import Catalog, check_name, check_spec, segment_bytes_for
from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.request import argument, option
from dataflare_cli.commands.stored import NOTHING_DONE, existing_store, read_config
from dataflare_cli.errors import AlreadyExists, UsageError
from dataflare_cli.model import (
    DEDUP_AGE_MS_DEFAULT,
    DEDUP_COUNT_DEFAULT,
    DEDUP_FILTER,
    Deduplication,
    Topic,
    TopicSpec,
)
from dataflare_cli.text.topicconfig import (
    NO_REPLICAS,
    NO_SERVERS,
    exact_bytes,
    format_compression,
    format_deduplication,
    format_retention,
    parse_compression,
    parse_dedup_age,
    parse_retention,
    parse_topic_config,
)
from dataflare_cli.text.units import parse_bytes

Compression = Literal["none", "gzip", "snappy", "lz4", "zstd", "any"]

RetentionOption = Annotated[
    str | None,
    option(
        "--retention-time",
        metavar="DURATION",
        help="Keep records so long, as in 12h or 7days; none: for ever",
    ),
]
SegmentOption = Annotated[
    str | None,
    option("--segment-size", metavar="BYTES", help="Fluvio's setting, without effect here"),
]
PartitionSizeOption = Annotated[
    str | None,
    option(
        "--max-partition-size", metavar="BYTES", help="Drop oldest records above it, as in 2 GiB"
    ),
]
CompressionOption = Annotated[
    Compression | None,
    option("--compression-type", case_sensitive=False, help="How producers have to compress"),
]

DedupOption = Annotated[
    bool,
    option(
        "--dedup", help="Leave out records whose value was among the last ones of their partition"
    ),
]
DedupCountOption = Annotated[
    int | None,
    option(
        "--dedup-count",
        metavar="N",
        min=1,
        help=f"Among so many ({DEDUP_COUNT_DEFAULT}); needs --dedup",
    ),
]
DedupAgeOption = Annotated[
    str | None,
    option(
        "--dedup-age",
        metavar="DURATION",
        help=f"No older than this ({DEDUP_AGE_MS_DEFAULT // 1000}s; none: of any age)",
    ),
]

NO_MIRRORS = "mirrors need other clusters, and this release has no connectors to them yet"
NO_SYSTEM = "there are no system topics here"


@dataclass(frozen=True, kw_only=True)
class Request:
    """Create a topic.

    Without options it has one partition and keeps records for 7 days, up to 100 GiB.

    \b
    Example:
      dataflare topic create logs --partitions 2 --retention-time 30days
      dataflare topic create audit --retention-time none --compression-type zstd
      dataflare topic create events --dedup --dedup-count 100000 --dedup-age 1h
      dataflare topic create -c topic.yaml --dry-run
    """

    name: Annotated[str | None, argument(metavar="NAME", help="Name of the topic")] = None
    config: Annotated[
        Path | None, option("-c", "--config", metavar="FILE", help="Take all of it from this YAML")
    ] = None
    partitions: Annotated[
        int | None, option("-p", "--partitions", metavar="N", help="How many partitions (1)")
    ] = None
    retention_time: RetentionOption = None
    max_partition_size: PartitionSizeOption = None
    segment_size: SegmentOption = None
    compression_type: CompressionOption = None
    dedup: DedupOption = False
    dedup_count: DedupCountOption = None
    dedup_age: DedupAgeOption = None
    if_not_exists: Annotated[
        bool, option("--if-not-exists", help="It is no error if there is one already")
    ] = False
    dry_run: Annotated[
        bool, option("-d", "--dry-run", help="Only check, and say what would be done")
    ] = False
    replication: Annotated[
        int | None, option("-r", "--replication", metavar="N", help="How many copies: 1")
    ] = None
    ignore_rack_assignment: Annotated[
        bool, option("-i", "--ignore-rack-assignment", hidden=True, help=NO_SERVERS)
    ] = False
    replica_assignment: Annotated[
        Path | None, option("-f", "--replica-assignment", hidden=True, help=NO_SERVERS)
    ] = None
    mirror_apply: Annotated[
        Path | None, option("-m", "--mirror-apply", hidden=True, help=NO_MIRRORS)
    ] = None
    mirror: Annotated[bool, option("--mirror", hidden=True, help=NO_MIRRORS)] = False
    home_to_remote: Annotated[bool, option("--home-to-remote", hidden=True, help=NO_MIRRORS)] = (
        False
    )
    system: Annotated[bool, option("-s", "--system", hidden=True, help=NO_SYSTEM)] = False


def create(env: Environment, request: Request) -> None:
    """Check everything before there is a data directory, then create the topic."""
    _refuse_impossible(request)
    name, given = _read(env, request)
    segment_bytes = segment_bytes_for(given.get("partition_bytes_max"), given.get("segment_bytes"))
    spec = TopicSpec(**{**given, "segment_bytes": segment_bytes})
    check_name(name)
    check_spec(spec)
    if request.dry_run:
        _rehearse(env, request, name, spec)
        return
    catalog = Catalog(env.open_store(create=True))
    _check_filter(catalog, spec)
    try:
        catalog.create_topic(name, spec)
    except AlreadyExists as exc:
        if not request.if_not_exists:
            exc.hint = (
                f"dataflare topic describe {name} shows it; --if-not-exists takes it as it is"
            )
            raise
        _accept(env, catalog.topic(name), given)
    else:
        env.print(f'topic "{name}" created')
        if spec.deduplication is not None and spec.partitions > 1:
            env.say(
                "each partition leaves out its own duplicates: "
                "give equal records equal keys, so that they meet"
            )


def _check_filter(catalog: Catalog | None, spec: TopicSpec) -> None:
    """Refuse a deduplication that would refuse every record; the default one needs no look."""
    dedup = spec.deduplication
    if dedup is None or (dedup.uses == DEDUP_FILTER and not dedup.params):
        return
    from dataflare_cli.stream.dedup import check_filter

    check_filter(catalog, dedup)


def settings_of(
    retention_time: str | None,
    segment_size: str | None,
    max_partition_size: str | None,
    compression_type: Compression | None,
) -> dict[str, Any]:
    """Return the fields of `TopicSpec` that options mention.

    Raises:
        UsageError: a value that can't be read.
    """
    given: dict[str, Any] = {}
    if retention_time is not None:
        given["retention_s"] = parse_retention(retention_time)
    if segment_size is not None:
        given["segment_bytes"] = parse_bytes(segment_size)
    if max_partition_size is not None:
        given["partition_bytes_max"] = parse_bytes(max_partition_size)
    if compression_type is not None:
        given["compression"] = parse_compression(compression_type)
    return given


def dedup_of(dedup: bool, count: int | None, age: str | None) -> dict[str, Any]:
    """Return the deduplication that options ask for, as a field of `TopicSpec`, if they do.

    Raises:
        UsageError: bounds without --dedup, or an age that can't be read.
    """
    if not dedup:
        for name, value in (("--dedup-count", count), ("--dedup-age", age)):
            if value is not None:
                raise UsageError(f"{name} needs --dedup", hint="add --dedup")
        return {}
    age_ms = DEDUP_AGE_MS_DEFAULT if age is None else parse_dedup_age(age)
    bounds = Deduplication(count=count or DEDUP_COUNT_DEFAULT, age_ms=age_ms)
    return {"deduplication": bounds}


def shown_settings(spec: TopicSpec) -> dict[str, str]:
    """Return the settings of a topic as options take them, by field."""
    return {
        "partitions": str(spec.partitions),
        "retention_s": format_retention(spec.retention_s),
        "segment_bytes": exact_bytes(spec.segment_bytes),
        "partition_bytes_max": exact_bytes(spec.partition_bytes_max),
        "compression": format_compression(spec.compression),
        "deduplication": format_deduplication(spec.deduplication),
    }


OPTIONS = {
    "partitions": "partitions",
    "retention_s": "retention-time",
    "segment_bytes": "segment-size",
    "partition_bytes_max": "max-partition-size",
    "compression": "compression-type",
    "deduplication": "dedup",
}


def _refuse_impossible(request: Request) -> None:
    impossible = (
        (request.replication not in (None, 1), "--replication", NO_REPLICAS),
        (request.ignore_rack_assignment, "--ignore-rack-assignment", NO_SERVERS),
        (request.replica_assignment is not None, "--replica-assignment", NO_SERVERS),
        (request.mirror_apply is not None, "--mirror-apply", NO_MIRRORS),
        (request.mirror, "--mirror", NO_MIRRORS),
        (request.home_to_remote, "--home-to-remote", NO_MIRRORS),
        (request.system, "--system", NO_SYSTEM),
    )
    for asked, flag, reason in impossible:
        if asked:
            raise UsageError(f"{flag}: {reason}", hint=f"leave {flag} out")


def _read(env: Environment, request: Request) -> tuple[str, dict[str, Any]]:
    """Return the topic's name, and the fields of its spec that were given."""
    given = settings_of(
        request.retention_time,
        request.segment_size,
        request.max_partition_size,
        request.compression_type,
    )
    if request.partitions is not None:
        given["partitions"] = request.partitions
    given |= dedup_of(request.dedup, request.dedup_count, request.dedup_age)
    if request.config is None:
        if request.name is None:
            raise UsageError("which topic?", hint="give its NAME, or a YAML file with --config")
        return request.name, given
    also = [f"--{OPTIONS[field]}" for field in given]
    also += ["NAME"] if request.name is not None else []
    also += ["--replication"] if request.replication is not None else []
    if also:
        raise UsageError(f"the argument '--config <PATH>' cannot be used with {', '.join(also)}")
    return parse_topic_config(read_config(env, request.config), str(request.config))


def _rehearse(env: Environment, request: Request, name: str, spec: TopicSpec) -> None:
    store = existing_store(env, read_only=True)
    _check_filter(None if store is None else Catalog(store), spec)
    if store is not None:
        try:
            Catalog(store).create_topic(name, spec, dry_run=True)
        except AlreadyExists:
            if not request.if_not_exists:
                raise
            env.print(f'topic "{name}" exists already; {NOTHING_DONE}')
            return
    env.print(f'topic "{name}" would be created; {NOTHING_DONE}')
    for field, value in shown_settings(spec).items():
        env.print(f"  {OPTIONS[field]}: {value}")


def _accept(env: Environment, topic: Topic, given: dict[str, Any]) -> None:
    """Be content with a topic that exists, but say where it is another than asked for."""
    env.print(f'topic "{topic.name}" exists already')
    asked = shown_settings(TopicSpec(**given))
    for field, value in shown_settings(topic.spec).items():
        if field in given and asked[field] != value:
            env.warn(f"warning: with {OPTIONS[field]} {value}, not {asked[field]}")
