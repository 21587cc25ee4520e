"""Loading: the steps of a chain become modules that can be started."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dataflare_cli.smartmodule.builtin import GROUP
from dataflare_cli.smartmodule.chain import Step
from dataflare_cli.smartmodule.engine import LoadedModule
from dataflare_cli.smartmodule.lock import Locked, check_locked
from dataflare_cli.smartmodule.registry import Found, Registry, builtin_module, read_module
from dataflare_cli.smartmodule.transforms import Origin, StepSpec


class LockFile(NamedTuple):
    """A lock file that is to be obeyed."""

    path: Path
    modules: Mapping[str, Locked]


def find_module(spec: StepSpec, registry: Registry, base: Path) -> Found:
    """Return the bytes that a step means; `base` is where relative paths begin.

    Raises:
        NotFound, DataError, Unreachable, Corruption: there is no such module.
    """
    match spec.origin:
        case Origin.FILE:
            return read_module(base / spec.uses)
        case Origin.BUILT_IN:
            return builtin_module(spec.uses)
    return registry.resolve(spec.uses)


def load_steps(
    specs: Sequence[StepSpec],
    registry: Registry,
    base: Path,
    *,
    lock: LockFile | None = None,
    counts_fuel: bool = False,
) -> list[Step]:
    """Load the modules of a chain; one that is used twice is loaded once.

    Raises:
        NotFound, DataError, Unreachable, Corruption: as `find_module`.
        InvalidModule: not a SmartModule.
    """
    loaded: dict[str, LoadedModule] = {}
    steps = []
    for spec in specs:
        found = find_module(spec, registry, base)
        if lock is not None:
            check_locked(lock.path, lock.modules, _locked_name(spec, lock, found), found)
        if found.sha256 not in loaded:
            loaded[found.sha256] = LoadedModule(found.name, found.wasm, counts_fuel=counts_fuel)
        steps.append(Step(loaded[found.sha256], spec.params, spec.lookback))
    return steps


def _locked_name(spec: StepSpec, lock: LockFile, found: Found) -> str:
    """Return the name that a step is locked under."""
    locked = lock.modules.get(spec.uses)
    if spec.origin is not Origin.BUILT_IN or (locked and locked.sha256 == found.sha256):
        return spec.uses
    # Its plain name may mean a stored module, which is not the one that options stand for.
    return f"{GROUP}/{spec.uses}"
