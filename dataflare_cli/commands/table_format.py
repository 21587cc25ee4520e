"""`dataflare table-format`: how `consume -O table` and `-O full_table` look."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dataflare_cli.catalog import Catalog, check_name
from dataflare_cli.commands.render import Column, show_list, show_one, table_lines
from dataflare_cli.commands.shared import (
    DryRunOption,
    OutputOption,
    TableFormatArgument,
    environment,
    noun,
)
from dataflare_cli.commands.stored import (
    NOTHING_DONE,
    counted,
    existing_store,
    read_config,
    store_with,
)
from dataflare_cli.errors import AlreadyExists, ConfigError
from dataflare_cli.text.tableformat import TableFormat, parse_table_format

app = noun("Manage how consume -O table looks.")

COLUMNS: tuple[Column, ...] = (("NAME", "name"), ("STATUS", "status"))
FIELDS: tuple[Column, ...] = (
    ("Name", "name"),
    ("Input Format", "input_format"),
    ("SmartModule", lambda row: row["smartmodule"] or "none"),
)
COLUMN_COLUMNS: tuple[Column, ...] = (
    ("KEY PATH", "key_path"),
    ("HEADER", "header_label"),
    ("WIDTH", "width"),
    ("ALIGNMENT", "alignment"),
    ("DISPLAY", "display"),
    ("PRIMARY KEY", "primary_key"),
    ("TEXT COLOR", "header_text_color"),
    ("BACKGROUND", "header_bg_color"),
)


@app.command()
def create(
    ctx: typer.Context,
    *,
    config: Annotated[
        Path, typer.Option("-c", "--config", metavar="FILE", help="Its YAML: name and columns")
    ],
) -> None:
    """Store a table format.

    The YAML has name, inputFormat (JSON), smartmodule, and columns: a list of keyPath,
    headerLabel, width, alignment, display, primaryKey, headerTextColor, headerBgColor.

    Example:
      printf 'name: slim\\ncolumns:\\n- keyPath: user.name\\n' > slim.yaml
      dataflare table-format create --config slim.yaml
      dataflare consume orders -B -d -O table --table-format slim
    """
    env = environment(ctx)
    text = read_config(env, config)
    name = parse_table_format(text, str(config)).name
    check_name(name, noun="TableFormat")
    catalog = Catalog(env.open_store(create=True))
    try:
        catalog.create_table_format(name, text)
    except AlreadyExists as exc:
        exc.hint = f"dataflare table-format delete {name} makes room"
        raise
    env.print(f'tableformat "{name}" created')


@app.command(name="list")
def list_(ctx: typer.Context, *, output: OutputOption = "table") -> None:
    """List table formats.

    Fields of -O json: name, status (ok, or what is wrong with it), and spec: what
    `table-format describe` has (null if something is wrong).

    Example:
      dataflare table-format list -O json | jq -r '.[].name'
    """
    env = environment(ctx)
    store = existing_store(env, read_only=True)
    formats = [] if store is None else Catalog(store).table_formats()
    rows = [_row(name, text) for name, text in formats]
    show_list(env, rows, COLUMNS, output, empty="no tableformats")


@app.command()
def describe(
    ctx: typer.Context, table_format: TableFormatArgument, *, output: OutputOption = "table"
) -> None:
    """Show one table format; with -O yaml as `create` takes it.

    Fields of -O json: name, input_format, smartmodule, and columns (null: those of the first
    record): key_path, header_label, width, alignment, format, display, primary_key,
    header_text_color, header_bg_color.

    Example:
      dataflare table-format describe slim -O yaml > slim.yaml
    """
    env = environment(ctx)
    store = store_with(env, "tableformat", table_format, read_only=True)
    found = _plain(parse_table_format(Catalog(store).table_format(table_format), table_format))
    show_one(env, found, FIELDS, output, rule=True)
    if output == "table" and found["columns"]:
        env.print("\n".join(table_lines(found["columns"], COLUMN_COLUMNS)))


@app.command()
def delete(
    ctx: typer.Context, table_format: TableFormatArgument, *, dry_run: DryRunOption = False
) -> None:
    """Delete a table format; no record is touched.

    Example:
      dataflare table-format delete slim
    """
    env = environment(ctx)
    catalog = Catalog(store_with(env, "tableformat", table_format, read_only=dry_run))
    if dry_run:
        size = counted(len(catalog.table_format(table_format)), "byte")
        env.print(f'tableformat "{table_format}" would be deleted: {size} of YAML')
        env.print(NOTHING_DONE)
        return
    catalog.delete_table_format(table_format)
    env.say(f'tableformat "{table_format}" deleted')


def _row(name: str, text: bytes) -> dict[str, Any]:
    try:
        spec, status = _plain(parse_table_format(text, name)), "ok"
    except ConfigError as exc:
        spec, status = None, exc.problem
    return {"name": name, "status": status, "spec": spec}


def _plain(table_format: TableFormat) -> dict[str, Any]:
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(table_format)
    return plain
