"""`dataflare profile`: named sets of settings; for now each is a data directory."""

from typing import Annotated, Any, Literal

import typer

from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.render import dump, show_list
from dataflare_cli.commands.shared import OutputOption, ProfileArgument, environment, noun
from dataflare_cli.config import (
    LOCAL_PROFILE,
    PROFILE,
    BadValueError,
    UserFile,
    default_data_dir,
    expand_home,
    is_address,
)
from dataflare_cli.errors import AlreadyExists, DataError, NotFound, Unreachable, UsageError

app = noun("Manage profiles: named settings, such as a data directory.", bare=True)

COLUMNS = (
    ("", lambda row: "*" if row["current"] else ""),
    ("PROFILE", "name"),
    ("CLUSTER", "cluster"),
    ("ADDRESS", "address"),
    ("TLS", "tls"),
    ("INSTALLATION", "installation"),
)


@app.callback()
def bare(ctx: typer.Context) -> None:
    """Manage profiles: named settings, such as a data directory.

    Without a command, print the name of the profile in use.

    Example:
      dataflare profile add work ~/streams
      dataflare -P local topic list
    """
    if ctx.invoked_subcommand is None:
        _print_current(environment(ctx))


@app.command()
def current(ctx: typer.Context) -> None:
    """Print the name of the profile in use.

    Example:
      dataflare profile current
    """
    _print_current(environment(ctx))


@app.command(name="list")
def list_(ctx: typer.Context, *, output: OutputOption = "table") -> None:
    """List all profiles; a star marks the one in use.

    Example:
      dataflare profile list -O json | jq -r '.[].address'
    """
    env = environment(ctx)
    user = env.settings.user.load()
    in_use = env.settings.profile
    rows = [_row(env, user, name, current=name == in_use) for name in user.names()]
    show_list(env, rows, COLUMNS, output, empty="No profiles found")


@app.command()
def switch(ctx: typer.Context, profile: ProfileArgument) -> None:
    """Use a profile from now on.

    Example:
      dataflare profile switch work
    """
    env = environment(ctx)
    with env.settings.user.changed() as user:
        user.profile(profile)
        user.current = profile
    env.say(f"Switched to profile {profile}")
    _warn_if_overridden(env)


@app.command()
def rename(
    ctx: typer.Context,
    profile: ProfileArgument,
    to: Annotated[str, typer.Argument(metavar="NAME", help="Its new name")],
) -> None:
    """Give a profile another name.

    Example:
      dataflare profile rename work office
    """
    env = environment(ctx)
    _check_name(to)
    with env.settings.user.changed() as user:
        _refuse_built_in(user, profile)
        if to in user.profiles:
            raise AlreadyExists("profile", to)
        user.profiles = {
            to if name == profile else name: values for name, values in user.profiles.items()
        }
        if user.current == profile:
            user.current = to
    env.say(f"Renamed profile {profile} to {to}")


@app.command()
def delete(ctx: typer.Context, profile: ProfileArgument) -> None:
    """Delete a profile; what is stored in its data directory stays.

    Example:
      dataflare profile delete work
    """
    env = environment(ctx)
    was_current = _remove(env, profile)
    env.print(f"profile {profile} deleted")
    if was_current:
        env.warn(
            "warning: this removed your current profile, "
            "use 'dataflare profile switch' to select a different one"
        )


@app.command(name="delete-cluster")
def delete_cluster(
    ctx: typer.Context,
    cluster: Annotated[str, typer.Argument(metavar="PROFILE", help="Name of the cluster")],
    *,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Also if a profile refers to it")
    ] = False,
) -> None:
    """Delete the connection of a profile, and the profile; what is stored stays.

    Example:
      dataflare profile delete-cluster work --force
    """
    env = environment(ctx)
    user = env.settings.user.load()
    if cluster not in user.profiles:
        raise NotFound("cluster", cluster, hint="dataflare profile list shows all clusters")
    if not force:
        raise DataError(
            f"The following profiles reference cluster {cluster}: {cluster}",
            hint="If you would still like to delete the cluster, use --force",
        )
    _remove(env, cluster)
    env.print(f"Cluster {cluster} deleted")


@app.command()
def add(
    ctx: typer.Context,
    profile: Annotated[str, typer.Argument(metavar="NAME", help="Name of the profile")],
    address: Annotated[
        str, typer.Argument(metavar="DIRECTORY", help="Where its topics are stored")
    ],
    kind: Annotated[
        Literal["local"], typer.Argument(metavar="[TYPE]", help="What it is")
    ] = "local",
) -> None:
    """Add a profile, or give one another data directory, and switch to it.

    Example:
      dataflare profile add work ~/streams
    """
    env = environment(ctx)
    _check_name(profile)
    if is_address(address):
        raise Unreachable(
            address,
            "remote profiles come with the connectors, which this release does not have yet",
            hint="give a data directory; one with a ':' as ./HOST:PORT",
        )
    path = env.cwd / expand_home(address, env.environ)
    with env.settings.user.changed() as user:
        user.profiles[profile] = {**user.profiles.get(profile, {}), "data-dir": str(path)}
        user.current = profile
    env.print(f"Switched to profile {profile}")
    _warn_if_overridden(env)


@app.command()
def export(
    ctx: typer.Context,
    profile: Annotated[
        str | None, typer.Argument(metavar="PROFILE", help="Another than the one in use")
    ] = None,
    *,
    form: Annotated[
        Literal["toml", "json", "yaml"],
        typer.Option("-O", "--output", case_sensitive=False, help="How to write it"),
    ] = "toml",
) -> None:
    """Print where a profile's cluster is, for other programs.

    Example:
      dataflare profile export work -O json
    """
    env = environment(ctx)
    user = env.settings.user.load()
    row = _row(env, user, profile or env.settings.profile, current=True)
    env.write(dump({"endpoint": row["address"], "tls": {"policy": row["tls"]}}, form))


def _row(env: Environment, user: UserFile, name: str, *, current: bool) -> dict[str, Any]:
    """One profile as `list` dumps it: Fluvio's words, where a local cluster is a directory."""
    values = user.profile(name)
    chosen = values.get("data-dir")
    path = (
        default_data_dir(env.environ)
        if chosen is None
        else user.path.parent / expand_home(str(chosen), env.environ)
    )
    return {
        "name": name,
        "current": current,
        "cluster": name,
        "address": str(path),
        "tls": "Disabled",
        "installation": "local",
        "settings": {key: value for key, value in values.items() if key != "data-dir"},
    }


def _print_current(env: Environment) -> None:
    name = env.settings.profile
    env.settings.user.load().profile(name)  # it may have been deleted, or misspelt
    env.print(name)


def _remove(env: Environment, name: str) -> bool:
    """Remove a profile; tell whether it was the one in use."""
    with env.settings.user.changed() as user:
        _refuse_built_in(user, name)
        del user.profiles[name]
        was_current = user.current == name
        if was_current:
            user.current = None
    return was_current


def _refuse_built_in(user: UserFile, name: str) -> None:
    user.profile(name)
    if name == LOCAL_PROFILE and name not in user.profiles:
        raise UsageError(
            f"the profile {name} is built in",
            hint="dataflare profile add NAME DIRECTORY makes another",
        )


def _check_name(name: str) -> None:
    try:
        PROFILE.read(name)
    except BadValueError as exc:
        raise UsageError(f"profile: {exc}") from exc


def _warn_if_overridden(env: Environment) -> None:
    for name in PROFILE.names:
        if env.environ.get(name):
            chosen = env.environ[name]
            env.warn(f"warning: {name} is set and counts for more: {chosen} stays in use")
