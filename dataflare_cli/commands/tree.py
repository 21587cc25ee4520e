"""The command tree as data: for --help-json, and for completion.

`python -m dataflare_cli.commands.tree --update` writes what is generated from it
(`_tree.py` beside this file, and completions/ in a checkout); `--check` says whether
that is up to date.
"""

import pprint
import sys
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperArgument, TyperOption

from dataflare_cli import __version__
from dataflare_cli.commands.app import COMMANDS, PROGRAM, find_entry, make_root
from dataflare_cli.commands.complete import SHELLS
from dataflare_cli.commands.completions import script
from dataflare_cli.commands.shared import usage_line

# Metavars that completion knows names for.
NAMED = ("TOPIC", "PROFILE", "CONSUMER", "TABLE-FORMAT", "SMARTMODULE", "SETTING")
TABLE_FILE = Path(__file__).with_name("_tree.py")
SCRIPTS_DIRECTORY = Path(__file__).parents[2] / "completions"
HEADER = '''"""The command tree for completion: generated, see `tree`."""

# ruff: noqa: ISC004, Q000 - as pprint writes it
# fmt: off
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TREE: dict[str, Any] = \\
'''


def describe_program() -> dict[str, Any]:
    """Return the whole tree: names, options, types, defaults and help."""
    root = make_root()
    ctx = typer.Context(root, info_name=PROGRAM)
    return {"version": __version__, **_describe(root, ctx)}


def _describe(command: Any, ctx: typer.Context) -> dict[str, Any]:
    entry = (
        find_entry(command.name) if ctx.parent is not None and ctx.parent.parent is None else None
    )
    return {
        "name": command.name,
        "aliases": list(entry.aliases) if entry else [],
        "usage": usage_line(ctx).removeprefix("Usage: "),
        "help": _plain(command.help),
        "hidden": bool(command.hidden or (entry and entry.hidden)),
        "arguments": [
            _describe_parameter(each, ctx)
            for each in command.params
            if isinstance(each, TyperArgument)
        ],
        "options": [
            _describe_parameter(each, ctx)
            for each in command.params
            if isinstance(each, TyperOption)
        ],
        "commands": [_describe(each, inner) for each, inner in _children(command, ctx)],
    }


def _children(command: Any, ctx: typer.Context) -> list[tuple[Any, typer.Context]]:
    if not hasattr(command, "list_commands"):
        return []
    found = [command.get_command(ctx, name) for name in command.list_commands(ctx)]
    return [(each, typer.Context(each, parent=ctx, info_name=each.name)) for each in found]


def _describe_parameter(parameter: Any, ctx: typer.Context) -> dict[str, Any]:
    is_option = isinstance(parameter, TyperOption)
    names = parameter.opts if is_option else [parameter.human_readable_name]
    default = None if callable(parameter.default) else parameter.default
    described = {
        "names": names,
        "help": _plain(parameter.help),
        "type": "flag" if is_option and parameter.is_flag else parameter.type.name,
        "metavar": parameter.metavar or parameter.make_metavar(ctx=ctx).strip("<>"),
        "choices": _choices(parameter),
        "default": default,
        "required": parameter.required,
        "repeats": bool(parameter.nargs == -1 or (is_option and parameter.multiple)),
        "hidden": parameter.hidden,
    }
    return described | ({"off": parameter.secondary_opts} if is_option else {})


def _plain(text: str | None) -> str:
    return (text or "").replace("\b\n", "").strip()


def _choices(parameter: Any) -> list[str]:
    """The words a value is one of: its type's, or those of a metavar like `full|relaxed`."""
    choices = [str(each) for each in getattr(parameter.type, "choices", ())]
    metavar = parameter.metavar or ""
    return choices or (metavar.split("|") if "|" in metavar else [])


def completion_table() -> dict[str, Any]:
    """Return what completion needs of the tree (see `complete`)."""
    root = make_root()
    return _table(root, typer.Context(root, info_name=PROGRAM))


def _table(command: Any, ctx: typer.Context) -> dict[str, Any]:
    options: dict[str, tuple[str | None, list[str], str]] = {}
    for option in command.params:
        if isinstance(option, TyperOption) and not option.hidden:
            kind = None if option.is_flag else _kind(option)
            for name in (*option.opts, *option.secondary_opts):
                options[name] = (kind, _choices(option), _first_sentence(option.help))
    arguments = [each for each in command.params if isinstance(each, TyperArgument)]
    table: dict[str, Any] = {"help": _first_sentence(command.help), "options": options}
    if arguments:
        table["arguments"] = [(_kind(each), _choices(each)) for each in arguments]
        table["repeats"] = arguments[-1].nargs == -1
    inner = [(each, sub) for each, sub in _children(command, ctx) if not each.hidden]
    if inner:
        table["commands"] = {each.name: _table(each, sub) for each, sub in inner}
    if ctx.parent is None:
        table["aliases"] = {
            alias: entry.name for entry in COMMANDS if entry.exists for alias in entry.aliases
        }
        for entry in COMMANDS:
            if entry.name in table["commands"]:
                table["commands"][entry.name]["help"] = entry.help
    return table


def _kind(parameter: Any) -> str:
    """Tell what a value is: a name completion knows, a path, or anything ("")."""
    metavar = (parameter.metavar or parameter.name or "").strip("[].")
    name = metavar.upper().replace("_", "-")
    if name in NAMED:
        return name
    if name == "DIRECTORY":
        return ":dir"
    return ":file" if name == "FILE" or parameter.type.name in ("path", "file") else ""


def _first_sentence(text: str | None) -> str:
    return " ".join(_plain(text).split("\n\n")[0].split()).removesuffix(".")


def generated() -> dict[Path, str]:
    """Return every generated file of this checkout, and what it should contain."""
    table = pprint.pformat(completion_table(), width=180, compact=True, sort_dicts=False)
    files = {TABLE_FILE: HEADER + table + "\n"}
    if SCRIPTS_DIRECTORY.is_dir():
        files |= {
            SCRIPTS_DIRECTORY / f"{PROGRAM}.{shell}": script(shell, PROGRAM) for shell in SHELLS
        }
    return files


def stale() -> list[Path]:
    """Return the generated files that are not up to date."""
    return [
        path
        for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(argv: list[str]) -> int:
    """Write or check what is generated."""
    if argv == ["--update"]:
        for path, text in generated().items():
            path.write_text(text, encoding="utf-8")
        return 0
    if argv == ["--check"]:
        for path in stale():
            sys.stderr.write(f"{path} is stale: python -m dataflare_cli.commands.tree --update\n")
        return 1 if stale() else 0
    sys.stderr.write("usage: python -m dataflare_cli.commands.tree --update | --check\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
