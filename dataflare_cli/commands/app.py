"""The command tree: a table of nouns, loaded when they are asked for.

`dataflare topic …` imports commands/topic.py and no other; the root's help needs none.
A module has either `app` (a noun with verbs, see `shared.noun`) or `command` (a function
with Typer's annotations, taking `ctx: typer.Context` first; `ctx.obj` is the `Environment`).
"""

import difflib
import importlib
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command as to_command

from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.shared import environment, help_text, usage_line
from dataflare_cli.config import LOG_LEVELS, PROFILE
from dataflare_cli.errors import ExitCode, UsageError

PROGRAM = "dataflare"
HELP_WIDTH = 100
# What stands for a value, where neither an option nor its choices say it: Python's words.
METAVARS = {"int": "N", "int range": "N", "float": "NUMBER", "float range": "NUMBER", "str": "TEXT"}
NO_NUMBER = re.compile(r"is not a valid (int|float)( range)?$")
# Given after the command they are unknown; the message says where they go.
ROOT_OPTIONS = frozenset(
    (
        "-P",
        "--profile",
        "-c",
        "--cluster",
        "--data-dir",
        "-q",
        "--quiet",
        "--log-level",
        "--lock-timeout",
    )
)


class Entry(NamedTuple):
    """A word that may follow `dataflare`."""

    name: str
    help: str
    aliases: tuple[str, ...] = ()
    hidden: bool = False

    @property
    def module(self) -> str:
        """The module that has it."""
        return self.name.replace("-", "_")

    @property
    def exists(self) -> bool:
        """Whether this release has it."""
        return (Path(__file__).parent / f"{self.module}.py").exists()


# Whoever repeats one of these wants both; elsewhere the last one counts, so that aliases have
# defaults. The text says what to do instead.
ONCE = {
    "smartmodule": 'several are a chain: --transforms-line \'{"uses": "NAME"}\' once for each',
    "smartmodule_path": "a pipe of dataflare transform runs one after the other",
    "transforms": "one file has all steps",
    "match": "a|b is either; for both, pipe through dataflare transform --match",
    "jq": "one expression has all steps: .a | .b",
}


class Once(TyperCommand):
    """A command whose options that are named in `ONCE` may be given once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse; refuse what would be dropped without a word."""
        if not ctx.resilient_parsing:
            _, _, order = self.make_parser(ctx).parse_args(list(args))
            for number, each in enumerate(order):
                if each.name in ONCE and each in order[:number]:
                    raise UsageError(
                        f"the argument '{each.opts[0]}' cannot be used multiple times",
                        hint=ONCE[each.name],
                    )
        return super().parse_args(ctx, args)


COMMANDS = (
    Entry("consume", "Read records from topics"),
    Entry("produce", "Write records to a topic"),
    Entry("transform", "Run records through SmartModules, without a topic"),
    Entry("topic", "Create, list, change and delete topics"),
    Entry("partition", "Show partitions"),
    Entry("smartmodule", "Manage, build and test SmartModules", ("sm", "smart-module")),
    Entry("consumer", "Show, move and delete stored offsets of named consumers"),
    Entry("connector", "Show connectors to clusters, and the options of their URLs"),
    Entry("table-format", "Manage how consume -O table looks", ("tf",)),
    Entry("benchmark", "Measure this machine", ("bench",)),
    Entry("profile", "Manage profiles: named settings, such as a data directory"),
    Entry("config", "Show and change settings"),
    Entry("version", "Show versions"),
    Entry("completions", "Print the completion script of a shell"),
)


class Root(TyperGroup):
    """The program itself: finds commands in the table, and names near misses."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the root options; without any word, show the help as Fluvio does."""
        if not args:
            args = ["--help"]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base class's signature
        """Return every command's name, in the order of the table."""
        return [entry.name for entry in COMMANDS if entry.exists]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - as above
        """Import and return a command, by its name or an alias."""
        entry = find_entry(cmd_name)
        if entry is None or not entry.exists:
            return None
        if entry.name not in self.commands:
            self.commands[entry.name] = load(entry)
        return self.commands[entry.name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command of the first word.

        Raises:
            UsageError: there is none.
        """
        command = self.get_command(ctx, args[0])
        if command is None:
            known = [entry for entry in COMMANDS if entry.exists]
            words = [word for entry in known for word in (entry.name, *entry.aliases)]
            close = difflib.get_close_matches(args[0], words, n=3)
            raise UsageError(
                f"unrecognized command {args[0]!r}",
                hint=f"did you mean {' or '.join(close)}?"
                if close
                else f"{PROGRAM} --help shows all commands",
            )
        return command.name, command, args[1:]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as above
        """List the commands without importing them."""
        rows = [
            (", ".join((entry.name, *entry.aliases)), entry.help)
            for entry in COMMANDS
            if entry.exists and not entry.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class Defaults:
    """What the settings say where an option was left out: Click's `default_map`, made late."""

    def __init__(self, env: Environment, command: Any, word: str = "") -> None:
        self.env, self.command, self.word = env, command, word

    def get(self, name: str) -> Any:
        """Return the defaults of a command further down, or that of an option, or None."""
        commands = getattr(self.command, "commands", {})
        if name in commands:
            return Defaults(self.env, commands[name], self.word or name)
        if (self.word, name) in OPTION_SETTINGS:
            key = OPTION_SETTINGS[self.word, name]
        elif name in SHARED_OPTION_SETTINGS:
            key = SHARED_OPTION_SETTINGS[name]
        elif name == "output" and self.word not in OWN_OUTPUTS:
            key = "output"
        else:
            return None
        found = self.env.settings.resolve(key)
        return None if found.origin == "default" else str(found.value)


# Which setting the option of a command takes its default from.
OPTION_SETTINGS = {
    ("consume", "output"): "consume-output",
    ("transform", "output"): "consume-output",
    ("transform", "max_request_size"): "max-request-size",
    ("produce", "batch_size"): "batch-size",
    ("produce", "max_request_size"): "max-request-size",
    ("produce", "durability"): "durability",
}
# Options that mean the same wherever they are.
SHARED_OPTION_SETTINGS = {
    "sm_memory": "smartmodule-memory",
    "sm_time": "smartmodule-time",
    "sm_records_out": "smartmodule-records-out",
    "sm_bytes_out": "smartmodule-bytes-out",
}
# Commands whose -O has choices of its own, that no setting is for.
OWN_OUTPUTS = ("benchmark",)


def find_entry(word: str) -> Entry | None:
    """Return the table's row of a name or alias."""
    for entry in COMMANDS:
        if word == entry.name or word in entry.aliases:
            return entry
    return None


def load(entry: Entry) -> Any:
    """Import a command's module and make it ours."""
    module = importlib.import_module(f"dataflare_cli.commands.{entry.module}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(
            add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
        )
        app.command(name=entry.name, cls=Once)(module.command)
    command = to_command(app)
    command.name = entry.name
    _adopt(command)
    return command


def _adopt(command: Any) -> None:
    """Give a command and its verbs our help option, and leave their examples alone."""
    command.add_help_option = False
    command.params.append(_help_option())
    command.context_settings = {"max_content_width": HELP_WIDTH, **command.context_settings}
    command.help = _keep_examples(command.help or "")
    for each in command.params:
        if each.metavar is None and isinstance(each, TyperOption) and not each.is_flag:
            each.metavar = METAVARS.get(each.type.name)
    for each in getattr(command, "commands", {}).values():
        _adopt(each)


def _keep_examples(text: str) -> str:
    """Mark everything from a line "Example:" on as not to be wrapped (Click's \\b)."""
    done, verbatim = [], False
    for paragraph in text.split("\n\n"):
        verbatim = verbatim or paragraph.lstrip().lower().startswith(("example:", "examples:"))
        done.append(f"\b\n{paragraph}" if verbatim else paragraph)
    return "\n\n".join(done)


def _help_option() -> TyperOption:
    def show(ctx: Any, _param: Any, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            environment(ctx).print(help_text(ctx))
            ctx.exit()

    return TyperOption(
        param_decls=["-h", "--help"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=show,
        help="Show this message and exit",
    )


def _show_version(ctx: typer.Context, value: bool) -> None:
    if value:
        from dataflare_cli.commands.about import version_line

        environment(ctx).print(version_line())
        raise typer.Exit


def _show_tree(ctx: typer.Context, value: bool) -> None:
    if value:
        from dataflare_cli.commands.render import dump
        from dataflare_cli.commands.tree import describe_program

        environment(ctx).write(dump(describe_program(), "json"))
        raise typer.Exit


def _root(
    ctx: typer.Context,
    *,
    profile: Annotated[
        str | None, typer.Option("-P", "--profile", metavar="PROFILE", help="Use this profile")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option("-c", "--cluster", metavar="DIRECTORY", help="The same as --data-dir"),
    ] = None,
    data_dir: Annotated[
        str | None,
        typer.Option("--data-dir", metavar="DIRECTORY", help="Use the topics stored here"),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only data and errors")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say what is done")] = False,
    log_level: Annotated[
        str | None,
        typer.Option("--log-level", metavar="|".join(LOG_LEVELS), help="What to log"),
    ] = None,
    lock_timeout: Annotated[
        str | None,
        typer.Option("--lock-timeout", metavar="DURATION", help="Wait so long for other writers"),
    ] = None,
    help_json: Annotated[
        bool,
        typer.Option(
            "--help-json", help="Print all commands as JSON", callback=_show_tree, is_eager=True
        ),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "-V", "--version", help="Print the version", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Durable, partitioned topics on one machine, without a server.

    Options of this level are given before the command.

    Example:
      dataflare topic create logs --partitions 2
      tail -f app.log | dataflare produce logs
      dataflare consume logs -T 20
    """
    env = environment(ctx)
    env.quiet, env.verbose = quiet, verbose
    if cluster is not None and (profile is not None or data_dir is not None):
        other = "-P/--profile" if profile is not None else "--data-dir"
        raise UsageError(f"{other} and -c/--cluster exclude each other")
    given = {
        PROFILE.key: ("-P/--profile", profile),
        "data-dir": ("--data-dir", data_dir) if cluster is None else ("-c/--cluster", cluster),
        "log-level": ("--log-level", log_level),
        "lock-timeout": ("--lock-timeout", lock_timeout),
    }
    for key, (flag, text) in given.items():
        if text is not None:
            env.flags[key] = (flag, text)
    for key in ("log-level", "lock-timeout"):
        if key in env.flags:
            env.settings.resolve(key)  # a text that can't be read is refused at once
    env.start_logging()
    ctx.default_map = Defaults(env, ctx.command)  # type: ignore[assignment]


def make_root() -> Any:
    """Make the command tree."""
    app = typer.Typer(
        cls=Root, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    app.callback()(_root)
    root = to_command(app)
    root.name = PROGRAM
    root.options_metavar = "[OPTIONS]"
    _adopt(root)
    return root


def run(env: Environment, argv: Sequence[str]) -> int:
    """Parse the words and run their command; errors pass.

    Raises:
        UsageError: the words make no sense.
    """
    words = list(argv)
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if _wants_json(words):
        env.error_format = "json"
    root = make_root()
    try:
        with root.make_context(PROGRAM, words, obj=env) as ctx:
            root.invoke(ctx)
    except typer.Exit as exc:
        return exc.exit_code
    except typer.Abort:
        return ExitCode.FAILED
    except typer.TyperException as exc:
        raise _usage_error(exc) from exc
    return ExitCode.OK


def _usage_error(exc: typer.TyperException) -> UsageError:
    """Turn what the parser says into our error, with the usage line as the next step."""
    message = exc.format_message().rstrip(".").replace("\n\t", " ")
    message = NO_NUMBER.sub(
        lambda found: f"is not a {'whole ' if found[1] == 'int' else ''}number", message
    )
    ctx: typer.Context | None = getattr(exc, "ctx", None)
    if ctx is None:
        return UsageError(message)
    path = ctx.command_path.replace("{", "").replace("}", "")
    option = getattr(exc, "option_name", None)
    if option in ROOT_OPTIONS:
        return UsageError(message, hint=f"it goes before the command: {PROGRAM} {option} …")
    return UsageError(message, hint=f"{usage_line(ctx)}\n{path} --help tells more")


def _wants_json(words: Sequence[str]) -> bool:
    """Tell whether -O json was given; errors of the parser come before it has understood."""
    joined = any(word.lower() in ("-ojson", "--output=json") for word in words)
    return joined or any(
        word in ("-O", "--output") and value.lower() == "json" for word, value in pairwise(words)
    )
