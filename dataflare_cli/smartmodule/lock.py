"""Lock files: which bytes a pipeline's SmartModules are.

    # dataflare.lock
    version = 1
    [modules."group/name@^0.1"]
    name = "group/name@0.1.2"
    sha256 = "…"

With --locked, a name means what it meant when it was locked, or the run does not begin.

Invariants
- A module that is not in the file, or whose bytes are others, is refused.
- The file is replaced as a whole.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import tomli_w

from dataflare_cli.errors import ConfigError, DataError, NotFound
from dataflare_cli.smartmodule.registry import BUILT_IN, STORED, Found
from dataflare_cli.text.files import read_file, replace_file
from dataflare_cli.text.tomltext import read_toml

FILE = "dataflare.lock"
VERSION = 1
FILE_BYTES_MAX = 1 << 20


class Locked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a name meant."""

    name: str
    sha256: str


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    modules: dict[str, Locked] = {}


def find_lock(cwd: Path) -> Path:
    """Return the nearest lock file, in the directory or above.

    Raises:
        NotFound: there is none.
    """
    for directory in (cwd, *cwd.parents):
        if (directory / FILE).is_file():
            return directory / FILE
    raise NotFound("file", str(cwd / FILE), hint="dataflare smartmodule lock NAME… writes one")


def read_lock(path: Path) -> dict[str, Locked]:
    """Read a lock file.

    Raises:
        NotFound, Unreachable: it is not there, or can't be read.
        ConfigError: it is malformed, or of a later release.
    """
    table = read_toml(read_file(path, FILE_BYTES_MAX), str(path))
    try:
        document = msgspec.convert(table, _Document)
    except msgspec.ValidationError as exc:
        raise ConfigError(str(path), str(exc)) from exc
    if document.version != VERSION:
        raise ConfigError(str(path), f"version {document.version} is not known: {VERSION} is")
    return document.modules


def write_lock(path: Path, modules: Mapping[str, Locked]) -> None:
    """Write a lock file; it is replaced at once.

    Raises:
        Unreachable: it can't be written.
    """
    table = {
        "version": VERSION,
        "modules": {
            uses: {"name": each.name, "sha256": each.sha256}
            for uses, each in sorted(modules.items())
        },
    }
    text = "# Written by `dataflare smartmodule lock`.\n" + tomli_w.dumps(table)
    replace_file(path, text.encode())


def check_locked(path: Path, locked: Mapping[str, Locked], uses: str, found: Found) -> None:
    """Refuse a module that is not the one that was locked.

    Raises:
        NotFound: nothing was locked under this name.
        DataError: it has other bytes now.
    """
    wanted = locked.get(uses)
    hint = f"dataflare smartmodule lock {uses} accepts what it means now"
    if found.origin not in (STORED, BUILT_IN):
        hint = "only names are locked: dataflare smartmodule create gives a file one"
    if wanted is None:
        raise NotFound("smartmodule", uses, hint=f"it is not in {path}: {hint}")
    if wanted.sha256 != found.sha256:
        raise DataError(
            f"SmartModule {uses} is not the one in {path}: SHA-256 {found.sha256} ({found.name}), "
            f"locked was {wanted.sha256} ({wanted.name})",
            hint=hint,
        )
