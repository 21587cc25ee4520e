"""The options that say what records look like: what consume and transform have in common."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, TypeVar

from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.request import option
from dataflare_cli.errors import UsageError
from dataflare_cli.text.formats import OUTPUTS, FormatOptions, Formatter, make_formatter

if TYPE_CHECKING:
    from dataflare_cli.catalog import Catalog
    from dataflare_cli.text.tableformat import TableFormat


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """What a record looks like."""

    output: Annotated[
        str | None,
        option("-O", "--output", metavar="|".join(OUTPUTS), help="What a record looks like"),
    ] = None
    format: Annotated[
        str | None,
        option(
            "-F", "--format", metavar="TEMPLATE", help="Template: '{{key}} {{value}} {{offset}}'"
        ),
    ] = None
    verbs: Annotated[
        str | None,
        option(
            "-f", "--verbs", metavar="TEMPLATE", help="Template as kcat's and rpk's: '%k %v\\n'"
        ),
    ] = None
    key_value: Annotated[bool, option("-k", "--key-value", help="Print [key] value")] = False
    print0: Annotated[bool, option("--print0", help="End records with NUL, not newline")] = False
    table_format: Annotated[
        str | None,
        option("--table-format", metavar="TABLE-FORMAT", help="Columns of a stored table format"),
    ] = None
    suppress_unknown: Annotated[
        bool, option("--suppress-unknown", help="json: leave out what is not JSON")
    ] = False
    truncate: Annotated[bool, option("--truncate", help="Cut lines to the terminal's width")] = (
        False
    )


_Request = TypeVar("_Request", bound=OutputOptions)


def settle_output(env: Environment, request: _Request) -> _Request:
    """Return a request without the output of the settings, where an option shapes it.

    Raises:
        UsageError: options that exclude each other.
    """
    is_shaped = request.format is not None or request.verbs is not None or request.truncate
    if is_shaped and "output" in env.from_settings:
        request = replace(request, output=None)
    formats = {
        "-O": request.output is not None,
        "-F": request.format is not None,
        "-f": request.verbs is not None,
    }
    given = [name for name, is_given in formats.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{', '.join(given)} can't be used together")
    if request.truncate and (request.output or request.format):
        raise UsageError("--truncate, -O or -F can't be used together")
    return request


def find_table_format(catalog: "Catalog", name: str | None) -> "TableFormat | None":
    """Return the stored table format of a name, if one was given."""
    if name is None:
        return None
    from dataflare_cli.text.tableformat import parse_table_format

    return parse_table_format(catalog.table_format(name), name)


def formatter_of(
    env: Environment, request: OutputOptions, topic: str, table_format: "TableFormat | None"
) -> Formatter:
    """Return what writes the records of a topic.

    Raises:
        UsageError: options that contradict each other, a template that can't be read.
    """
    return make_formatter(
        FormatOptions(
            output=request.output.lower() if request.output else None,
            template=request.format,
            verbs=request.verbs,
            key_value=request.key_value,
            print0=request.print0,
            suppress_unknown=request.suppress_unknown,
            truncate=request.truncate,
            table_format=table_format,
            topic=topic,
            terminal=env.stdout_is_terminal,
            width=env.width,
            height=env.height,
        )
    )
