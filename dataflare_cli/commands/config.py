"""`dataflare config`: what is set, where it comes from, and the user's file."""

import difflib
from typing import Annotated

import typer

from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.render import Column, Row, show_list
from dataflare_cli.commands.shared import OutputOption, environment, noun
from dataflare_cli.config import (
    BY_KEY,
    PROFILE,
    BadValueError,
    Setting,
    UserFile,
    Value,
    expand_home,
    is_path,
)
from dataflare_cli.errors import DataError, UsageError

app = noun("Show and change settings.")

SettingArgument = Annotated[str, typer.Argument(metavar="SETTING", help="Name of the setting")]


@app.command()
def show(
    ctx: typer.Context,
    *,
    origin: Annotated[
        bool, typer.Option("--origin", help="Also where each value comes from")
    ] = False,
    output: OutputOption = "table",
) -> None:
    """Show every setting's value.

    Example:
      dataflare config show --origin
      DATAFLARE_OUTPUT=json dataflare config show
    """
    env = environment(ctx)
    columns: list[Column] = [("SETTING", "key"), ("VALUE", _shown)]
    columns += [("ORIGIN", "origin")] * origin
    rows = [found._asdict() for found in env.settings.everything()]
    for note in env.settings.notes:
        env.warn(f"warning: {note}")
    show_list(env, rows, columns, output, empty="No settings found")


@app.command(name="set")
def set_(
    ctx: typer.Context,
    key: SettingArgument,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Its value")],
) -> None:
    """Change a setting in your file, or in the profile of -P.

    Example:
      dataflare config set output json
      dataflare -P work config set durability relaxed
    """
    env = environment(ctx)
    setting = _find(key)
    try:
        checked = setting.read(value)
    except BadValueError as exc:
        raise UsageError(f"{key}: {exc}") from exc
    if is_path(setting):
        checked = str(env.cwd / expand_home(value, env.environ))
    with env.settings.user.changed() as user:
        if setting is PROFILE:
            user.profile(value)
            user.current = value
        else:
            _table(env, user)[key] = checked
    env.say(f"{key} = {checked} in {env.settings.user.path}")


@app.command()
def unset(ctx: typer.Context, key: SettingArgument) -> None:
    """Remove a setting from your file, or from the profile of -P.

    Example:
      dataflare config unset output
    """
    env = environment(ctx)
    setting = _find(key)
    with env.settings.user.changed() as user:
        if setting is PROFILE and user.current is not None:
            user.current = None
        elif _table(env, user).pop(key, None) is None:
            raise DataError(f"{key} is not set in {user.path}")


@app.command()
def path(ctx: typer.Context) -> None:
    """Print where your settings and profiles are kept.

    Example:
      $EDITOR "$(dataflare config path)"
    """
    env = environment(ctx)
    env.print(str(env.settings.user.path))


def _shown(row: Row) -> str:
    value = row["value"]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _find(key: str) -> Setting:
    known = {PROFILE.key: PROFILE, **BY_KEY}
    if key in known:
        return known[key]
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]}?" if close else "settings: " + ", ".join(known)
    raise UsageError(f"unknown setting {key!r}", hint=hint)


def _table(env: Environment, user: UserFile) -> dict[str, Value]:
    """Return the part of the file that is meant: the one of -P, or the common one."""
    if PROFILE.key not in env.flags:
        return user.values
    name = env.settings.profile
    return user.profiles.setdefault(name, dict(user.profile(name)))
