"""What several commands have in common: nouns, arguments and options.

The aliases are complete annotations. A parameter written as `output: OutputOption =
"table"` gets name, help, choices and completion from here. Metavars matter: completion
offers topics for TOPIC, profiles for PROFILE, consumers for CONSUMER, table formats for
TABLE-FORMAT, settings for SETTING, and files for every `Path`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from dataflare_cli.commands.context import Environment
from dataflare_cli.errors import UsageError

Output = Literal["table", "yaml", "json", "toml"]


class Noun(TyperGroup):
    """A command with verbs; without one it shows its help and ends like any wrong usage."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the noun's own options."""
        if not args and not self.invoke_without_command and not ctx.resilient_parsing:
            environment(ctx).tell(help_text(ctx))
            ctx.exit(2)
        return super().parse_args(ctx, args)


def noun(help: str, *, bare: bool = False) -> typer.Typer:  # noqa: A002 - Typer's own word
    """Make the `app` of a noun; `bare` for one that does something without a verb."""
    return typer.Typer(
        cls=Noun,
        help=help,
        invoke_without_command=bare,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


def help_text(ctx: Any) -> str:
    """Return the help of a command, its usage line as people know it: TOPIC, not {TOPIC}."""
    usage, gap, rest = str(ctx.get_help()).partition("\n\n")
    return usage.replace("{", "").replace("}", "") + gap + rest


def usage_line(ctx: Any) -> str:
    """Return how a command is called, on one line."""
    return " ".join(help_text(ctx).partition("\n\n")[0].split())


def environment(ctx: typer.Context) -> Environment:
    """Return the environment of the run."""
    found = ctx.obj
    assert isinstance(found, Environment)
    return found


def refuse_mirror(name: str | None) -> None:
    """Say why produce and consume can't have Fluvio's --mirror here."""
    if name is not None:
        raise UsageError(
            "--mirror: a topic in a data directory has no mirrors",
            hint="mirrors belong to Fluvio clusters; dataflare produce --tee copies records",
        )


def refuse_with_url(given: Mapping[str, bool], hint: str | None = None) -> None:
    """Refuse what topics of a cluster don't have yet, by its name.

    Raises:
        UsageError: it was given.
    """
    for name, is_given in given.items():
        if is_given:
            raise UsageError(f"{name} can't be used with a URL in this release", hint=hint)


def _note_output(ctx: typer.Context, value: str) -> str:
    if value == "json":
        environment(ctx).error_format = "json"
    return value


TopicArgument = Annotated[str, typer.Argument(metavar="TOPIC", help="Name of the topic")]
TopicsArgument = Annotated[
    list[str], typer.Argument(metavar="TOPIC...", help="Names of the topics")
]
ConsumerArgument = Annotated[str, typer.Argument(metavar="CONSUMER", help="Name of the consumer")]
TableFormatArgument = Annotated[
    str, typer.Argument(metavar="TABLE-FORMAT", help="Name of the table format")
]
ProfileArgument = Annotated[str, typer.Argument(metavar="PROFILE", help="Name of the profile")]
OutputOption = Annotated[
    Output,
    typer.Option(
        "-O", "--output", case_sensitive=False, help="How to show it", callback=_note_output
    ),
]
YesOption = Annotated[bool, typer.Option("-y", "--yes", help="Do it without asking")]
DryRunOption = Annotated[
    bool, typer.Option("-d", "--dry-run", help="Only check, and say what would be done")
]
# Fluvio's, for its scripts: there are no system topics here.
SystemOption = Annotated[
    bool, typer.Option("-s", "--system", help="System topics (there are none)", hidden=True)
]
