"""`dataflare smartmodule watch`: stored SmartModules as they come and go."""

from typing import TYPE_CHECKING

from dataflare_cli.catalog import Catalog
from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.render import to_json_line
from dataflare_cli.commands.smartmodule_rows import event_row, module_row, used_name
from dataflare_cli.commands.stored import shown_time
from dataflare_cli.log.bells import CATALOG_BELL, Bells
from dataflare_cli.stream.reader import Limits
from dataflare_cli.text.time import parse_duration
from dataflare_cli.text.units import format_bytes

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
    show = _Printer(env, output)
    try:
        before: dict[str, SmartModule] = {}
        event = "present"
        while True:
            now = {module.name: module for module in catalog.smartmodules()}
            changes = [("deleted", each) for name, each in before.items() if name not in now]
            for name, module in now.items():
                if name not in before:
                    changes.append((event, module))
                elif module != before[name]:
                    changes.append(("replaced", module))
            show(changes)
            before, event = now, "created"
            bells.wait(limits.left_s(0.0), stdout=env.stdout_fd)
    finally:
        bells.close()


class _Printer:
    """Prints changes; columns stay where they are, unless a longer name comes."""

    def __init__(self, env: Environment, output: str) -> None:
        self._env, self._output = env, output
        self._name_chars = 0

    def __call__(self, changes: "list[tuple[str, SmartModule]]") -> None:
        if self._output == "json":
            for event, module in changes:
                self._env.print(to_json_line(event_row(event, module)))
            return
        rows = [(event, used_name(row := module_row(module)), row) for event, module in changes]
        self._name_chars = max(self._name_chars, *(len(name) for _, name, _ in rows), 0)
        for event, name, row in rows:
            self._env.print(
                f"  {event:<8}  {name:<{self._name_chars}}  {format_bytes(row['size_bytes']):<8}"
                f"  {row['kind']:<10}  {shown_time(row['created_ms'])}"
            )
