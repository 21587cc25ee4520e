"""`dataflare consumer`: what named consumers have seen, and where they go on."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataflare_cli.catalog import Catalog, check_name, close_matches
from dataflare_cli.commands.render import Column, show_list, show_one, table_lines
from dataflare_cli.commands.shared import (
    ConsumerArgument,
    DryRunOption,
    OutputOption,
    environment,
    noun,
)
from dataflare_cli.commands.stored import (
    NOTHING_DONE,
    existing_store,
    latest,
    offsets_at,
    store_with,
)
from dataflare_cli.consumers import Consumers
from dataflare_cli.errors import NotFound, UsageError
from dataflare_cli.model import ConsumerOffset
from dataflare_cli.text.time import humantime

if TYPE_CHECKING:
    from dataflare_cli.store import Store

app = noun("Show, move and delete stored offsets of named consumers.")

COLUMNS: tuple[Column, ...] = (
    ("CONSUMER", "consumer_id"),
    ("TOPIC", "topic"),
    ("PARTITION", "partition"),
    ("OFFSET", "offset"),
    ("LAST SEEN", lambda row: _ago(row["modified_time"])),
    ("LAG", "lag"),
)
FIELDS: tuple[Column, ...] = (
    ("Name", "consumer_id"),
    ("Topics", lambda row: ", ".join(dict.fromkeys(each["topic"] for each in row["offsets"]))),
    ("Partitions", lambda row: len(row["offsets"])),
    ("Lag", "lag"),
    ("Last Seen", lambda row: _ago(row["modified_time"])),
)
OFFSET_COLUMNS: tuple[Column, ...] = (
    ("TOPIC", "topic"),
    ("PARTITION", "partition"),
    ("OFFSET", "offset"),
    ("START", "start_offset"),
    ("END", "end_offset"),
    ("LAST SEEN", lambda row: _ago(row["modified_time"])),
    ("LAG", "lag"),
)

TopicOption = Annotated[
    str | None, typer.Option("-t", "--topic", metavar="TOPIC", help="Only of this topic")
]
WantedTopicOption = Annotated[
    str, typer.Option("-t", "--topic", metavar="TOPIC", help="Topic that it reads")
]
PartitionOption = Annotated[
    int | None,
    typer.Option("-p", "--partition", metavar="N", min=0, help="Only of this partition"),
]


@app.command(name="list")
def list_(ctx: typer.Context, *, output: OutputOption = "table") -> None:
    """List stored offsets: the last record that each consumer has seen, and its lag behind.

    Fields of -O json: consumer_id, topic, partition, offset (-1: nothing seen yet),
    modified_time (seconds since 1970), lag (records behind), start_offset, end_offset.

    Example:
      dataflare consumer list
      dataflare consumer list -O json | jq '.[] | select(.lag > 1000)'
    """
    env = environment(ctx)
    store = existing_store(env, read_only=True)
    rows = [] if store is None else _rows(store, Consumers(store).offsets())
    show_list(env, rows, COLUMNS, output, empty="No consumers found")


@app.command()
def describe(
    ctx: typer.Context, consumer: ConsumerArgument, *, output: OutputOption = "table"
) -> None:
    """Show one consumer: its lag as a whole, and each of its offsets.

    Fields of -O json: consumer_id, lag, modified_time, and offsets: what `consumer list` has.

    Example:
      dataflare consumer describe audit
    """
    env = environment(ctx)
    check_name(consumer, noun="Consumer")
    store = store_with(env, "consumer", consumer, read_only=True)
    rows = _rows(store, _offsets_of(store, consumer))
    row = {
        "consumer_id": consumer,
        "lag": sum(each["lag"] for each in rows),
        "modified_time": latest(each["modified_time"] for each in rows),
        "offsets": rows,
    }
    show_one(env, row, FIELDS, output, rule=True)
    if output == "table":
        env.print("\n".join(table_lines(rows, OFFSET_COLUMNS)))


@app.command()
def reset(
    ctx: typer.Context,
    consumer: ConsumerArgument,
    *,
    topic: WantedTopicOption,
    offset: Annotated[
        str,
        typer.Option(
            "-o", "--offset", metavar="PLACE", help="Where to go on: start, end, N, -N or @TIME"
        ),
    ],
    partition: PartitionOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Move a consumer: its next run begins at a place of your choice.

    A consumer that does not exist yet is created there. Refused while it is in use.

    Example:
      dataflare consumer reset audit --topic logs --offset start
      dataflare consumer reset audit -t logs -p 0 -o @-1h --dry-run
    """
    env = environment(ctx)
    check_name(consumer, noun="Consumer")
    store = store_with(env, "topic", topic, read_only=dry_run)
    from dataflare_cli.log import Log

    found, consumers = Catalog(store).topic(topic), Consumers(store)
    places = offsets_at(Log(store), found, offset, () if partition is None else (partition,))
    with nullcontext() if dry_run else consumers.hold(consumer):
        seen = {each: consumers.offset(consumer, found, each) for each in places}
        if not dry_run:
            consumers.reset(consumer, found, {each: at - 1 for each, at in places.items()})
    for each, at in places.items():
        before = seen[each]
        was = "new" if before is None else f"was {before + 1}"
        verb = "would go on" if dry_run else "goes on"
        env.print(f"{_place(consumer, topic, each)} {verb} at {at} ({was})")
    if dry_run:
        env.print(NOTHING_DONE)


@app.command()
def delete(
    ctx: typer.Context,
    consumer: ConsumerArgument,
    *,
    topic: TopicOption = None,
    partition: PartitionOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Forget what a consumer has seen: its next run begins as a new one. Records stay.

    Refused while it is in use.

    Example:
      dataflare consumer delete audit
      dataflare consumer delete audit --topic logs --partition 0
    """
    env = environment(ctx)
    check_name(consumer, noun="Consumer")
    if partition is not None and topic is None:
        raise UsageError("--partition is of which topic?", hint="add --topic TOPIC")
    store = store_with(env, "consumer", consumer, read_only=dry_run)
    consumers = Consumers(store)
    found = None if topic is None else Catalog(store).topic(topic)
    gone = [
        each
        for each in _offsets_of(store, consumer)
        if topic in (None, each.topic) and partition in (None, each.partition)
    ]
    if gone and not dry_run:
        with consumers.hold(consumer):
            gone = consumers.forget(consumer, found, partition)
    for each in gone:
        verb = "would be deleted" if dry_run else "deleted"
        env.print(f"{_place(consumer, each.topic, each.partition)} {verb}")
    if not gone:
        raise NotFound("consumer", consumer, hint="it has stored nothing there")
    if dry_run:
        env.print(NOTHING_DONE)


def _offsets_of(store: "Store", consumer: str) -> list[ConsumerOffset]:
    """Return what a consumer has stored, or raise NotFound with close matches."""
    consumers = Consumers(store)
    offsets = consumers.offsets(consumer)
    if not offsets:
        close = close_matches(consumer, {each.consumer for each in consumers.offsets()})
        hint = None if close else "dataflare consumer list shows all consumers"
        raise NotFound("consumer", consumer, suggestions=close, hint=hint)
    return offsets


def _rows(store: "Store", offsets: Sequence[ConsumerOffset]) -> list[dict[str, Any]]:
    """Stored offsets as -O json shows them; those of a topic that just went are left out."""
    from dataflare_cli.log import Log

    places = {
        (info.topic, info.partition): info for _, infos in Log(store).overview() for info in infos
    }
    rows = []
    for each in offsets:
        info = places.get((each.topic, each.partition))
        if info is not None:
            upcoming = max(each.offset + 1, info.start_offset)
            rows.append(
                {
                    "consumer_id": each.consumer,
                    "topic": each.topic,
                    "partition": each.partition,
                    "offset": each.offset,
                    "modified_time": each.modified_ms // 1000,
                    "lag": max(0, info.end_offset - upcoming),
                    "start_offset": info.start_offset,
                    "end_offset": info.end_offset,
                }
            )
    return rows


def _place(consumer: str, topic: str, partition: int) -> str:
    return f'consumer "{consumer}" on topic "{topic}" and partition "{partition}"'


def _ago(moment_s: int) -> str:
    """Return how long ago a moment was, in whole seconds."""
    return humantime(max(0, int(time.time()) - moment_s))
