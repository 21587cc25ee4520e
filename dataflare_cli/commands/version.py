"""`dataflare version`: this program's version and those of what it stands on."""

from typing import Annotated

import typer

from dataflare_cli.commands.about import facts, version_text
from dataflare_cli.commands.render import dump
from dataflare_cli.commands.shared import environment

LIBRARIES = ("cramjam", "google-crc32c", "lmdb", "msgspec", "typer", "wasmtime")


def command(
    ctx: typer.Context,
    json: Annotated[bool, typer.Option("-j", "--json", help="As JSON, with all libraries")] = False,
) -> None:
    """Show the version of dataflare, of Python and of the machine.

    Example:
      dataflare version
      dataflare version -j | jq -r .libraries.lmdb
    """
    env = environment(ctx)
    if not json:
        env.print(version_text())
        return
    from importlib import metadata

    from dataflare_cli.store import FORMAT_VERSION

    report = {
        **{name.lower().replace(" ", "_"): value for name, value in facts().items()},
        "store_format": FORMAT_VERSION,
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
    }
    env.write(dump(report, "json"))
