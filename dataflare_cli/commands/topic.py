"""`dataflare topic`: what topics there are, and everything that changes one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataflare_cli.catalog import Catalog, check_spec
from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.render import Column, clean, show_list, show_one, table_lines
from dataflare_cli.commands.request import command_of
from dataflare_cli.commands.shared import (
    DryRunOption,
    OutputOption,
    SystemOption,
    TopicArgument,
    TopicsArgument,
    YesOption,
    environment,
    noun,
)
from dataflare_cli.commands.stored import (
    LEADER,
    NOTHING_DONE,
    counted,
    existing_store,
    latest,
    offsets_at,
    partition_row,
    shown_time,
    store_with,
)
from dataflare_cli.commands.topic_create import (
    OPTIONS,
    CompressionOption,
    DedupAgeOption,
    DedupCountOption,
    DedupOption,
    PartitionSizeOption,
    Request,
    RetentionOption,
    SegmentOption,
    create,
    dedup_of,
    settings_of,
    shown_settings,
)
from dataflare_cli.errors import (
    DataflareError,
    NotFound,
    PartialFailure,
    UsageError,
)
from dataflare_cli.model import Deduplication, PartitionInfo, Topic, TopicSpec
from dataflare_cli.text.time import humantime
from dataflare_cli.text.topicconfig import exact_bytes, format_compression, format_retention
from dataflare_cli.text.units import format_bytes

if TYPE_CHECKING:
    from dataflare_cli.log import Log

app = noun("Create, list, change and delete topics.")

COLUMNS: tuple[Column, ...] = (
    ("NAME", "name"),
    ("TYPE", "type"),
    ("PARTITIONS", "partition_count"),
    ("REPLICAS", lambda row: row["spec"]["replicas"]["computed"]["replicationFactor"]),
    ("RETENTION TIME", lambda row: format_retention(row["retention_s"])),
    ("COMPRESSION", "compression"),
    ("DEDUPLICATION", lambda row: _filter_of(row) or "none"),
    ("STATUS", lambda row: f"resolution::{row['status']['resolution'].lower()}"),
    ("RECORDS", "record_count"),
    ("SIZE", lambda row: format_bytes(row["size_bytes"])),
    ("LAST RECORD", lambda row: shown_time(row["last_timestamp_ms"])),
    ("REASON", lambda row: row["status"]["reason"]),
)
# Fluvio's, and hardly ever other than here: the first to go where a terminal is narrow.
SPARE = (
    "REASON",
    "STATUS",
    "DEDUPLICATION",
    "REPLICAS",
    "TYPE",
    "COMPRESSION",
    "RETENTION TIME",
    "LAST RECORD",
)
FIELDS: tuple[Column, ...] = (
    ("Name", "name"),
    ("Type", "type"),
    ("Partition Count", "partition_count"),
    ("Replication Factor", lambda row: row["spec"]["replicas"]["computed"]["replicationFactor"]),
    ("Ignore Rack Assignment", lambda row: False),  # noqa: ARG005 - Fluvio's line
    ("Retention Time", lambda row: format_retention(row["retention_s"])),
    ("Segment Size", lambda row: exact_bytes(row["segment_bytes"])),
    ("Max Partition Size", lambda row: exact_bytes(row["partition_bytes_max"])),
    ("Compression", "compression"),
    ("Created", lambda row: shown_time(row["created_ms"])),
    ("Records", "record_count"),
    ("Size", lambda row: format_bytes(row["size_bytes"])),
    ("First Record", lambda row: shown_time(row["first_timestamp_ms"])),
    ("Last Record", lambda row: shown_time(row["last_timestamp_ms"])),
    ("Status", lambda row: row["status"]["resolution"].lower()),
    ("Reason", lambda row: row["status"]["reason"]),
)
PARTITION_COLUMNS: tuple[Column, ...] = (
    ("PARTITION", "partition"),
    ("START", "start_offset"),
    ("END", "end_offset"),
    ("RECORDS", "record_count"),
    ("SIZE", lambda row: format_bytes(row["size_bytes"])),
    ("LAST RECORD", lambda row: shown_time(row["last_timestamp_ms"])),
)
NewNameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Its new name")]

app.command(name="create")(command_of(Request, create))


@app.command(name="list")
def list_(
    ctx: typer.Context, *, system: SystemOption = False, output: OutputOption = "table"
) -> None:
    """List all topics.

    Fields of -O json: name, type, partition_count, retention_s (null: for ever),
    segment_bytes, partition_bytes_max, compression, created_ms, record_count, size_bytes,
    batch_count, first_timestamp_ms, last_timestamp_ms (null: no time), and Fluvio's spec
    and status.

    Example:
      dataflare topic list
      dataflare topic list -O json | jq -r '.[].name'
    """
    env = environment(ctx)
    rows: list[dict[str, Any]] = []
    if not system and (store := existing_store(env, read_only=True)) is not None:
        from dataflare_cli.log import Log

        rows = [_row(topic, infos) for topic, infos in Log(store).overview()]
    show_list(env, rows, COLUMNS, output, empty="No topics found", spare=SPARE)


@app.command()
def describe(ctx: typer.Context, topic: TopicArgument, *, output: OutputOption = "table") -> None:
    """Show one topic: its settings, and what its partitions hold.

    Fields of -O json: those of `topic list`, and partitions: what `partition list` has.

    Example:
      dataflare topic describe logs
      dataflare topic describe logs -O json | jq '.partitions[].end_offset'
    """
    env = environment(ctx)
    store = store_with(env, "topic", topic, read_only=True)
    from dataflare_cli.log import Log

    found, infos = Log(store).describe(topic)
    partitions = [partition_row(info) for info in infos]
    row = {**_row(found, infos), "partitions": partitions}
    place = [label for label, _ in FIELDS].index("Retention Time")
    fields = (*FIELDS[:place], *_dedup_fields(row), *FIELDS[place:])
    show_one(env, row, fields, output, rule=True)
    if output == "table":
        env.print("\n".join(table_lines(partitions, PARTITION_COLUMNS)))


@app.command()
def delete(
    ctx: typer.Context,
    topics: TopicsArgument,
    *,
    continue_on_error: Annotated[
        bool, typer.Option("-c", "--continue-on-error", help="Go on with the other topics")
    ] = False,
    dry_run: DryRunOption = False,
    system: SystemOption = False,
    force: Annotated[bool, typer.Option("-f", "--force", hidden=True, help="No effect")] = False,
) -> None:
    """Delete topics with their records, and what consumers have stored of them.

    It does not ask: look first with --dry-run. Part of them failed: exit code 5.

    Example:
      dataflare topic delete logs --dry-run
      dataflare topic delete logs logs.old --continue-on-error
    """
    env = environment(ctx)
    names = list(dict.fromkeys(topics))
    store = store_with(env, "topic", names[0], read_only=dry_run)
    from dataflare_cli.log import Log

    log = Log(store)
    failures: list[NotFound] = []
    for name in names:
        failure = _delete(env, log, name, dry_run=dry_run)
        if failure is not None:
            failures.append(failure)
            if not continue_on_error:
                break
            env.warn(f"error: {clean(failure.message)}")
    if dry_run:
        env.print(NOTHING_DONE)
    elif len(failures) < len(names):
        log.tidy()
    _fail(failures, len(names), together=continue_on_error)


@app.command(name="add-partition")
def add_partition(
    ctx: typer.Context,
    topic: TopicArgument,
    *,
    count: Annotated[
        int, typer.Option("-c", "--count", metavar="N", min=1, help="How many to add")
    ] = 1,
) -> None:
    """Add empty partitions to a topic; records with a key may then go to another one.

    Example:
      dataflare topic add-partition logs --count 2
    """
    env = environment(ctx)
    store = store_with(env, "topic", topic)
    changed = Catalog(store).add_partitions(topic, count)
    total = len(changed.partition_ids)
    rows = [{"partition": each, "spu": LEADER} for each in range(total - count, total)]
    env.print(f'added new partitions to topic: "{topic}"')
    show_list(env, rows, (("PARTITION", "partition"), ("SPU", "spu")), "table", empty="")


@app.command()
def alter(
    ctx: typer.Context,
    topic: TopicArgument,
    *,
    retention_time: RetentionOption = None,
    max_partition_size: PartitionSizeOption = None,
    segment_size: SegmentOption = None,
    compression_type: CompressionOption = None,
    dedup: DedupOption = False,
    dedup_count: DedupCountOption = None,
    dedup_age: DedupAgeOption = None,
    no_dedup: Annotated[
        bool, typer.Option("--no-dedup", help="Leave out no records any more")
    ] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Change the settings of a topic, and drop what it then keeps no longer.

    It does not ask: --dry-run says what would change, and how many records would go.

    Example:
      dataflare topic alter logs --retention-time 1day --dry-run
      dataflare topic alter logs --max-partition-size 500MB --compression-type zstd
    """
    env = environment(ctx)
    given = settings_of(retention_time, segment_size, max_partition_size, compression_type)
    given |= dedup_of(dedup, dedup_count, dedup_age)
    if no_dedup:
        if dedup:
            raise UsageError("--dedup, --no-dedup can't be used together")
        given["deduplication"] = None
    if not given:
        options = [f"--{name}" for field, name in OPTIONS.items() if field != "partitions"]
        raise UsageError("nothing to change", hint=f"give {', '.join(options)}")
    store = store_with(env, "topic", topic, read_only=dry_run)
    from dataflare_cli.log import Log

    catalog, log = Catalog(store), Log(store)
    before = catalog.topic(topic)
    size_max, segment_bytes = given.get("partition_bytes_max"), before.spec.segment_bytes
    if size_max is not None and "segment_bytes" not in given:
        # A segment is never larger than its partition: it shrinks along.
        given["segment_bytes"] = min(segment_bytes, size_max)
    spec = _replaced(before.spec, given)
    check_spec(spec)
    dropped = log.expiring(before, spec)
    if not dry_run:
        catalog.alter_topic(topic, **given)
        log.tidy()
    _tell_changes(env, before, spec, dropped, dry_run=dry_run)


@app.command()
def rename(ctx: typer.Context, topic: TopicArgument, to: NewNameArgument) -> None:
    """Give a topic another name; open producers and consumers go on, stored offsets stay.

    Example:
      dataflare topic rename logs logs.old
    """
    env = environment(ctx)
    Catalog(store_with(env, "topic", topic)).rename_topic(topic, to)
    env.print(f'topic "{topic}" renamed to "{to}"')


@app.command()
def purge(
    ctx: typer.Context,
    topic: TopicArgument,
    *,
    partition: Annotated[
        list[int] | None,
        typer.Option("-p", "--partition", metavar="N", min=0, help="Only this one (repeatable)"),
    ] = None,
    before: Annotated[
        str,
        typer.Option(
            "--before",
            metavar="PLACE",
            help="Only what is before this: an offset, @TIME, or -N to keep the last N",
        ),
    ] = "end",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    no_input: Annotated[bool, typer.Option("--no-input", help="Never ask")] = False,
) -> None:
    """Drop records of a topic, and keep the topic; offsets go on as before.

    On a terminal it asks, unless --yes is given; elsewhere it wants --yes.

    Example:
      dataflare topic purge logs --dry-run
      dataflare topic purge logs --before @-7d --yes
      dataflare topic purge logs --partition 0 --before 1000 --yes
    """
    env = environment(ctx)
    store = store_with(env, "topic", topic, read_only=dry_run)
    from dataflare_cli.log import Log

    log = Log(store)
    found = Catalog(store).topic(topic)
    targets = offsets_at(log, found, before, partition or ())
    counts = {each: max(0, target - log.bounds(found, each)[0]) for each, target in targets.items()}
    if dry_run:
        for each, count in counts.items():
            env.print(f"{_place(topic, each)}: {counted(count, 'record')} would be purged")
        env.print(NOTHING_DONE)
        return
    total = sum(counts.values())
    if total:
        _confirm(env, f'Purge {counted(total, "record")} of topic "{topic}"?', yes, no_input)
    for each, target in targets.items():
        count = log.purge(found, each, target)
        env.print(f"{_place(topic, each)}: {counted(count, 'record')} purged")


def _row(topic: Topic, infos: Sequence[PartitionInfo]) -> dict[str, Any]:
    """One topic as -O json shows it: our fields, and Fluvio's `spec` and `status`."""
    spec = topic.spec
    cleanup = None
    if spec.retention_s is not None:
        cleanup = {"segment": {"timeInSeconds": spec.retention_s}}
    firsts = [info.first_timestamp_ms for info in infos if info.first_timestamp_ms is not None]
    return {
        "name": topic.name,
        "type": "computed",
        "partition_count": len(topic.partition_ids),
        "retention_s": spec.retention_s,
        "segment_bytes": spec.segment_bytes,
        "partition_bytes_max": spec.partition_bytes_max,
        "compression": format_compression(spec.compression),
        "created_ms": topic.created_ms,
        "record_count": sum(info.record_count for info in infos),
        "size_bytes": sum(info.size_bytes for info in infos),
        "batch_count": sum(info.batch_count for info in infos),
        "first_timestamp_ms": min(firsts, default=None),
        "last_timestamp_ms": latest(info.last_timestamp_ms for info in infos),
        "spec": {
            "replicas": {
                "computed": {
                    "partitions": len(topic.partition_ids),
                    "replicationFactor": 1,
                    "ignoreRackAssignment": False,
                }
            },
            "cleanupPolicy": cleanup,
            "storage": {
                "segmentSize": spec.segment_bytes,
                "maxPartitionSize": spec.partition_bytes_max,
            },
            "compressionType": format_compression(spec.compression).capitalize(),
            "deduplication": _dedup_row(spec.deduplication),
            "system": False,
        },
        "status": {"resolution": "Provisioned", "reason": ""},
    }


def _dedup_row(found: Deduplication | None) -> dict[str, Any] | None:
    """Return a deduplication as Fluvio's JSON has it."""
    if found is None:
        return None
    age = None
    if found.age_ms is not None:
        seconds, ms = divmod(found.age_ms, 1000)
        age = {"secs": seconds, "nanos": ms * 1_000_000}
    return {
        "bounds": {"count": found.count, "age": age},
        "filter": {"transform": {"uses": found.uses, "with": found.params}},
    }


def _filter_of(row: dict[str, Any]) -> str | None:
    dedup = row["spec"]["deduplication"]
    return None if dedup is None else str(dedup["filter"]["transform"]["uses"])


def _dedup_fields(row: dict[str, Any]) -> tuple[Column, ...]:
    """Return Fluvio's three lines of a topic that has it."""
    dedup = row["spec"]["deduplication"]
    if dedup is None:
        return ()
    age = dedup["bounds"]["age"]
    shown = "none" if age is None else humantime(age["secs"] + age["nanos"] / 1e9)
    return (
        ("Deduplication Filter", lambda _: _filter_of(row)),
        ("Deduplication Count Bound", lambda _: dedup["bounds"]["count"]),
        ("Deduplication Age Bound", lambda _: shown),
    )


def _delete(env: Environment, log: "Log", name: str, *, dry_run: bool) -> NotFound | None:
    """Delete one topic, or say what would go; a name that is not there is returned."""
    try:
        if dry_run:
            topic, infos = log.describe(name)
            row = _row(topic, infos)
            partitions = counted(row["partition_count"], "partition")
            records = counted(row["record_count"], "record")
            size = format_bytes(row["size_bytes"])
            env.print(f'topic "{name}" would be deleted: {partitions}, {records}, {size}')
        else:
            Catalog(log.store).delete_topic(name)
            env.print(f'topic "{name}" deleted')
    except NotFound as exc:
        return exc
    return None


def _fail(failures: Sequence[NotFound], total: int, *, together: bool) -> None:
    if failures and not together:
        raise failures[0]
    message = "Failed deleting topic(s). Check previous errors."
    if len(failures) == total:
        raise DataflareError(message, hint=failures[0].hint)
    if failures:
        raise PartialFailure(message, failed=len(failures), total=total)


def _replaced(spec: TopicSpec, given: dict[str, Any]) -> TopicSpec:
    import msgspec

    return msgspec.structs.replace(spec, **given)


def _tell_changes(
    env: Environment, topic: Topic, spec: TopicSpec, dropped: int, *, dry_run: bool
) -> None:
    """Print what changes as before -> after, and how many records go with it."""
    before, after = shown_settings(topic.spec), shown_settings(spec)
    changes = [
        f"  {OPTIONS[field]}: {before[field]} -> {after[field]}"
        for field in before
        if before[field] != after[field]
    ]
    if not changes:
        env.print(f'topic "{topic.name}" has these settings already')
        return
    env.print(f'topic "{topic.name}" {"would be altered" if dry_run else "altered"}')
    env.print("\n".join(changes))
    if dropped:
        env.print(f"  {counted(dropped, 'record')} {'would be dropped' if dry_run else 'dropped'}")
    if dry_run:
        env.print(NOTHING_DONE)


def _place(topic: str, partition: int) -> str:
    return f'topic "{topic}" partition "{partition}"'


def _confirm(env: Environment, question: str, yes: bool, no_input: bool) -> None:
    if no_input and not yes:
        raise UsageError(f"{question} --no-input forbids to ask", hint="say so with --yes")
    env.confirm(question, yes=yes)
