"""`dataflare smartmodule lock`: names, and the bytes that they mean."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dataflare_cli.commands.chain_options import read_transforms
from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.stored import quiet_catalog
from dataflare_cli.errors import DataError, NotFound, UsageError

if TYPE_CHECKING:
    from dataflare_cli.smartmodule.lock import Locked


def lock(
    env: Environment, names: Sequence[str], transforms: Sequence[Path], *, check: bool
) -> None:
    """Write or check the lock file of the working directory."""
    from dataflare_cli.smartmodule.lock import FILE, Locked, read_lock, write_lock
    from dataflare_cli.smartmodule.registry import Registry

    path = env.cwd / FILE
    before = read_lock(path) if path.exists() else {}
    wanted = list(names)
    for file in transforms:
        wanted += [step.uses for step in read_transforms(env, file)]
    wanted = list(dict.fromkeys(wanted or before))
    if not wanted:
        raise UsageError("which SmartModules?", hint="name them, or a file with --transforms")
    registry = Registry(lambda: quiet_catalog(env))
    found = {uses: registry.resolve(uses) for uses in wanted}
    now = {uses: Locked(each.name, each.sha256) for uses, each in found.items()}
    if check:
        _compare(before, now)
        env.print(f"{len(now)} SmartModules are what was locked")
        return
    write_lock(path, {**before, **now})
    for uses, each in now.items():
        env.print(f"{uses}: {each.name}, SHA-256 {each.sha256}")


def _compare(before: "dict[str, Locked]", now: "dict[str, Locked]") -> None:
    for uses, each in now.items():
        if uses not in before:
            raise NotFound("smartmodule", uses, hint="it is not locked")
        if before[uses].sha256 != each.sha256:
            raise DataError(
                f"{uses} is {each.name} with the SHA-256 {each.sha256}, "
                f"locked was {before[uses].name} with {before[uses].sha256}",
                hint=f"dataflare smartmodule lock {uses} accepts it",
            )
