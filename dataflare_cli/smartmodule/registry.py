"""The registry: which bytes a name means.

    name              a stored module of that name, else a stored package's of any group,
                      else the built-in one
    group/name        the highest version of a package
    group/name@VERSION  the highest version that the requirement takes (`versions`)

Invariants
- A name that could mean packages of several groups, or several modules that say they are
  the same version of a package, is refused, never guessed.
- Bytes are what their SHA-256 says, also those that are shipped.
"""

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from dataflare_cli.catalog import Catalog, close_matches
from dataflare_cli.errors import DataError, NotFound, Unreachable
from dataflare_cli.model import SMARTMODULE_BYTES_MAX, Package, SmartModule
from dataflare_cli.smartmodule import builtin
from dataflare_cli.smartmodule.engine import LoadedModule
from dataflare_cli.smartmodule.versions import best
from dataflare_cli.text.units import format_bytes

STORED, BUILT_IN = "stored", "built-in"
_USES = re.compile(r"(?:(?P<group>[^/@]+)/)?(?P<name>[^/@]+)(?:@(?P<version>.+))?")


class Found(NamedTuple):
    """What a name means."""

    name: str  # as errors and lists call it: group/name@version of a package
    sha256: str
    wasm: bytes
    origin: str  # STORED, BUILT_IN, or a path


class Registry:
    """The stored modules, if there is a store, and the built-in ones."""

    def __init__(self, catalog: Callable[[], Catalog | None]) -> None:
        """Take what opens the catalog: it is not asked for what needs none."""
        self._open = catalog

    @cached_property
    def catalog(self) -> Catalog | None:
        """The catalog of stored modules, if there is one."""
        return self._open()

    def resolve(self, uses: str) -> Found:
        """Return the module that a name means.

        Raises:
            NotFound: there is none; close matches are offered.
            DataError: several groups have a package of that name, or it is stored twice.
            UsageError: the version is no requirement.
            Corruption: the bytes are not what they should be.
        """
        match = _USES.fullmatch(uses)
        if match is None:
            raise self._not_found(uses)
        group, name, version = match.group("group", "name", "version")
        stored = [] if self.catalog is None else self.catalog.smartmodules()
        if group is None and version is None:
            for module in stored:
                if module.name == name:
                    return self._stored(module)
        packages = [
            module
            for module in stored
            if module.package is not None
            and module.package.name == name
            and group in (None, module.package.group)
        ]
        if packages:
            return self._stored(self._choose(uses, packages, version or "*"))
        if group in (None, builtin.GROUP) and name in builtin.builtin_names():
            return self._builtin(uses, name, version)
        raise self._not_found(uses)

    def _choose(self, uses: str, packages: Sequence[SmartModule], version: str) -> SmartModule:
        groups = {each.package.group for each in packages if each.package is not None}
        if len(groups) > 1:
            name = packages[0].package.name if packages[0].package is not None else uses
            raise DataError(
                f"{uses} may mean the SmartModule of several groups",
                hint="say which: " + ", ".join(f"{group}/{name}" for group in sorted(groups)),
            )
        versions = sorted({each.package.version for each in packages if each.package is not None})
        chosen = best(version, versions)
        if chosen is None:
            raise NotFound("smartmodule", uses, hint=f"there is {', '.join(versions)}")
        found = [each for each in packages if each.package and each.package.version == chosen]
        if len({each.sha256 for each in found}) > 1:
            raise DataError(
                f"{uses} may mean several SmartModules that say they are {found[0].shown_name}",
                hint="say which: " + ", ".join(sorted(each.name for each in found)),
            )
        return found[0]

    def _stored(self, module: SmartModule) -> Found:
        assert self.catalog is not None
        wasm = self.catalog.smartmodule_bytes(module)
        return Found(module.shown_name, module.sha256, wasm, STORED)

    def _builtin(self, uses: str, name: str, version: str | None) -> Found:
        shipped = builtin.builtin_metadata(name).version
        if version is not None and best(version, [shipped]) is None:
            raise NotFound("smartmodule", uses, hint=f"the built-in one is {shipped}")
        return builtin_module(name)

    def _not_found(self, uses: str) -> NotFound:
        names = list(builtin.builtin_names())
        for module in [] if self.catalog is None else self.catalog.smartmodules():
            names += {module.name, module.shown_name}
        close = close_matches(uses, names)
        hint = None if close else "dataflare smartmodule list shows the stored ones, with "
        if hint is not None:
            hint += "--builtin those that are built in; --smartmodule-path takes a file"
        return NotFound("smartmodule", uses, suggestions=close, hint=hint)


def builtin_module(name: str) -> Found:
    """Return a built-in module, whatever is stored under its name."""
    wasm = builtin.builtin_bytes(name)
    return Found(name, builtin.builtin_sha256(name), wasm, BUILT_IN)


def read_module(path: Path) -> Found:
    """Read a module from a file.

    Raises:
        Unreachable: it can't be read.
        DataError: too large to be one.
    """
    try:
        with path.open("rb") as file:
            wasm = file.read(SMARTMODULE_BYTES_MAX + 1)
    except OSError as exc:
        raise Unreachable(str(path), exc.strerror or str(exc)) from exc
    if len(wasm) > SMARTMODULE_BYTES_MAX:
        limit = format_bytes(SMARTMODULE_BYTES_MAX)
        raise DataError(f"{path} has more than {limit}, which no SmartModule may have")
    return Found(path.name, hashlib.sha256(wasm).hexdigest(), wasm, str(path))


def described(name: str, found: Found, package: Package | None) -> SmartModule:
    """Return the catalog's row of a module, after looking whether it is one.

    Raises:
        InvalidModule: it is none.
    """
    loaded = LoadedModule(name, found.wasm)
    return SmartModule(
        name=name,
        sha256=found.sha256,
        size_bytes=len(found.wasm),
        kind=loaded.kind,
        package=package,
        created_ms=time.time_ns() // 1_000_000,
    )
