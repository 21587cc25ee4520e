"""`dataflare smartmodule watch`: stored SmartModules as they come and go."""

from typing import TYPE_CHECKING

from dataflare_cli.catalog import Catalog
from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.render import table_lines, to_json_line
from dataflare_cli.commands.smartmodule_rows import COLUMNS, event_row, rows_of
from dataflare_cli.log.bells import CATALOG_BELL, Bells
from dataflare_cli.stream.reader import Limits
from dataflare_cli.text.time import parse_duration

if TYPE_CHECKING:
    from dataflare_cli.model import SmartModule


def watch(env: Environment, output: str, timeout: str | None) -> None:
    """Print what is there, then what changes, until somebody ends it.

    Raises:
        TimedOut: the time that was given is over.
    """
    limits = Limits(timeout_s=None if timeout is None else parse_duration(timeout))
    catalog = Catalog(env.open_store(create=True))
    bells = Bells(catalog.store.path, [CATALOG_BELL])
    try:
        before: dict[str, SmartModule] = {}
        event = "present"
        while True:
            now = {module.name: module for module in catalog.smartmodules()}
            for name, module in before.items():
                if name not in now:
                    _print(env, output, "deleted", module)
            for name, module in now.items():
                if name not in before:
                    _print(env, output, event, module)
                elif module != before[name]:
                    _print(env, output, "replaced", module)
            before, event = now, "created"
            bells.wait(limits.left_s(0.0), stdout=env.stdout_fd)
    finally:
        bells.close()


def _print(env: Environment, output: str, event: str, module: "SmartModule") -> None:
    if output == "json":
        env.print(to_json_line(event_row(event, module)))
        return
    columns = (("EVENT", lambda _: event), *COLUMNS)
    env.print(table_lines(rows_of([module]), columns)[1])
