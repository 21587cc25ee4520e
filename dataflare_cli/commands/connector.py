"""`dataflare connector`: which clusters can be read and written, and what their URLs say."""

from typing import Annotated, Any

import typer

from dataflare_cli.commands.render import Column, show_list, show_one
from dataflare_cli.commands.shared import OutputOption, environment, noun

app = noun("Show connectors.")

COLUMNS: tuple[Column, ...] = (
    ("NAME", "name"),
    ("VERSION", "version"),
    ("SUMMARY", "summary"),
)
FIELDS: tuple[Column, ...] = (("Name", "name"), ("Version", "version"), ("Summary", "summary"))
OPTIONS: tuple[Column, ...] = (
    ("OPTION", "name"),
    ("DEFAULT", "default"),
    ("DESCRIPTION", "description"),
)


@app.callback()
def connector() -> None:
    """Show connectors: what makes topics of clusters readable, by their URLs.

    Example:
      dataflare connector describe kafka
    """


@app.command(name="list")
def list_(ctx: typer.Context, *, output: OutputOption = "table") -> None:
    """List what is installed.

    Fields of -O json: name, version, summary (null: it can't be loaded), problem.

    Example:
      dataflare connector list
    """
    from dataflare_cli.connect import installed

    rows: list[dict[str, Any]] = [
        {
            "name": each.name,
            "version": each.version,
            "summary": None if each.spec is None else each.spec.summary,
            "problem": each.problem,
        }
        for each in installed()
    ]
    columns = (*COLUMNS[:2], ("SUMMARY", lambda row: row["summary"] or row["problem"]))
    show_list(environment(ctx), rows, columns, output, empty="No connectors found")


@app.command()
def describe(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="CONNECTOR", help="Its name, as in its URLs")],
    *,
    output: OutputOption = "table",
) -> None:
    """Show the options that a connector's URLs may have.

    They stand behind a question mark: kafka://HOST:PORT/TOPIC?NAME=VALUE&NAME=VALUE.

    Fields of -O json: name, version, summary, and options, a JSON Schema.

    Example:
      dataflare connector describe kafka
      dataflare connector describe kafka -O json | jq .options.properties
    """
    from dataflare_cli.connect import find_installed, options_of

    env = environment(ctx)
    found = find_installed(name)
    assert found.spec is not None
    row = {"name": found.name, "version": found.version, "summary": found.spec.summary}
    schema = options_of(found.spec)
    if output != "table":
        show_one(env, {**row, "options": schema}, FIELDS, output)
        return
    show_one(env, row, FIELDS, output, rule=True, colon=": ")
    options = [
        {"name": option, "default": about.get("default"), "description": _words(about)}
        for option, about in schema["properties"].items()
    ]
    show_list(env, options, OPTIONS, output, empty="It has no options")


def _words(about: dict[str, Any]) -> str:
    """Return what an option is, and which values it may have."""
    choices = about.get("enum")
    text: str = about.get("description", "")
    return f"{text}: {', '.join(map(str, choices))}" if choices else text
