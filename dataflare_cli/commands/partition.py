"""`dataflare partition`: what each partition holds."""

from typing import Annotated, Any

import typer

from dataflare_cli.commands.render import Column, show_list
from dataflare_cli.commands.shared import OutputOption, SystemOption, environment, noun
from dataflare_cli.commands.stored import (
    existing_store,
    partition_row,
    shown_time,
    store_with,
)
from dataflare_cli.text.units import format_bytes

app = noun("Show partitions.")

COLUMNS: tuple[Column, ...] = (
    ("TOPIC", "topic"),
    ("PARTITION", "partition"),
    ("START", "start_offset"),
    ("END", "end_offset"),
    ("RECORDS", "record_count"),
    ("SIZE", lambda row: format_bytes(row["size_bytes"])),
    ("FIRST", lambda row: shown_time(row["first_timestamp_ms"])),
    ("LAST", lambda row: shown_time(row["last_timestamp_ms"])),
)
FLUVIO_COLUMNS: tuple[Column, ...] = (
    ("TOPIC", "topic"),
    ("PARTITION", "partition"),
    ("LEADER", lambda row: row["spec"]["leader"]),
    ("MIRROR", lambda row: row["spec"]["mirror"]),
    ("REPLICAS", lambda row: row["status"]["replicas"]),
    ("RESOLUTION", lambda row: row["status"]["resolution"]),
    ("SIZE", lambda row: format_bytes(row["size_bytes"])),
    ("BASE", "start_offset"),
    ("HW", "end_offset"),
    ("LEO", "end_offset"),
    ("LRS", lambda row: row["status"]["lsr"]),
    ("FOLLOWER OFFSETS", lambda row: row["status"]["replicas"]),
)


@app.callback()
def partition() -> None:
    """Show partitions.

    Example:
      dataflare partition list logs
    """


@app.command(name="list")
def list_(
    ctx: typer.Context,
    topic: Annotated[
        str | None, typer.Argument(metavar="TOPIC", help="Only those of this topic")
    ] = None,
    *,
    fluvio: Annotated[bool, typer.Option("--fluvio", help="The columns that Fluvio shows")] = False,
    system: SystemOption = False,
    output: OutputOption = "table",
) -> None:
    """List partitions: the offsets from START up to END (exclusive), their size, and when.

    Fields of -O json: topic, partition, start_offset, end_offset, record_count, size_bytes,
    batch_count, first_timestamp_ms, last_timestamp_ms (null: no time), and Fluvio's name,
    spec and status.

    Example:
      dataflare partition list logs
      dataflare partition list -O json | jq '.[] | select(.record_count == 0) | .name'
    """
    env = environment(ctx)
    rows: list[dict[str, Any]] = []
    if topic is not None:
        rows = _rows_of(ctx, topic)
    elif not system and (store := existing_store(env, read_only=True)) is not None:
        from dataflare_cli.log import Log

        rows = [partition_row(info) for _, infos in Log(store).overview() for info in infos]
    columns = FLUVIO_COLUMNS if fluvio else COLUMNS
    spare = () if fluvio else ("FIRST",)
    show_list(env, rows, columns, output, empty="No partitions found", spare=spare)


def _rows_of(ctx: typer.Context, topic: str) -> list[dict[str, Any]]:
    store = store_with(environment(ctx), "topic", topic, read_only=True)
    from dataflare_cli.log import Log

    return [partition_row(info) for info in Log(store).describe(topic)[1]]
