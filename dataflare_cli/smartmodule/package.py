"""Package directories: a SmartModule.toml, and the WASM that was built of the package.

    [package]  name, group, version; description, license, repository, visibility (private),
               apiVersion
    [[params]] name, description, optional

Fluvio's file. Its parameters inform and don't bind: a module says itself what it needs.
"""

import stat
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import msgspec

from dataflare_cli.catalog import check_name
from dataflare_cli.errors import ConfigError, DataflareError, NotFound, UsageError
from dataflare_cli.model import Package
from dataflare_cli.smartmodule.sections import Param
from dataflare_cli.smartmodule.versions import parse_version
from dataflare_cli.text.files import read_file
from dataflare_cli.text.tomltext import read_toml

FILE = "SmartModule.toml"
FILE_BYTES_MAX = 64 * 1024
# Where cargo leaves what it builds; a workspace has one such directory further up.
_TARGETS = ("wasm32-unknown-unknown", "wasm32-wasip1", "wasm32-wasi")
_PROFILES = ("release", "release-lto")
_MANIFEST_BYTES_MAX = 1 << 20
# /tmp and its like: everybody may write there, and nobody may touch what is another one's.
_SHARED = stat.S_ISVTX | stat.S_IWOTH


class PackageFile(NamedTuple):
    """What a SmartModule.toml says."""

    package: Package
    params: tuple[Param, ...]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    group: str
    version: str
    apiVersion: str = ""  # noqa: N815 - Fluvio's key
    description: str = ""
    license: str = ""
    repository: str = ""
    visibility: str = "private"


class _Param(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    description: str = ""
    optional: bool = False


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    package: _Table
    params: list[_Param] = []


def read_package_file(directory: Path) -> PackageFile:
    """Read the SmartModule.toml of a directory.

    Raises:
        NotFound: there is none.
        ConfigError: it is malformed.
    """
    path = directory / FILE
    try:
        raw = read_file(path, FILE_BYTES_MAX)
    except NotFound as exc:
        exc.hint = "a package has one: dataflare smartmodule generate NAME"
        raise
    document = _decode(raw, str(path))
    table = document.package
    for text, noun in ((table.name, "package"), (table.group, "group")):
        try:
            check_name(text, noun=noun)
        except DataflareError as exc:
            raise ConfigError(str(path), exc.message.removeprefix("Invalid argument: ")) from exc
    try:
        version = str(parse_version(table.version))
    except UsageError as exc:
        raise ConfigError(str(path), f"package.version: {exc.message}", hint=exc.hint) from exc
    package = Package(
        group=table.group,
        name=table.name,
        version=version,
        description=table.description,
        license=table.license,
        repository=table.repository,
        visibility=table.visibility,
    )
    params = tuple(Param(each.name, each.description, each.optional) for each in document.params)
    return PackageFile(package, params)


def _decode(raw: bytes, where: str) -> _Document:
    try:
        return msgspec.convert(read_toml(raw, where), _Document)
    except msgspec.ValidationError as exc:
        raise ConfigError(where, str(exc)) from exc


def find_built(directory: Path, name: str) -> Path:
    """Return the newest WASM that was built of a package, in the nearest directory with one.

    Raises:
        NotFound: there is none.
    """
    file = f"{name.replace('-', '_')}.wasm"
    for base in _built_in(directory):
        found = [
            path
            for target in _TARGETS
            for profile in _PROFILES
            if (path := base / "target" / target / profile / file).is_file()
        ]
        if found:
            return max(found, key=lambda path: path.stat().st_mtime)
    raise NotFound(
        "file",
        str(directory / "target" / _TARGETS[0] / _PROFILES[0] / file),
        hint="build it (dataflare smartmodule build), or name it with --wasm-file",
    )


def _built_in(directory: Path) -> list[Path]:
    """Return where a package may be built, nearest first: in itself, or in its workspace.

    It ends with the repository, or the outermost workspace. Further up is what others have made.
    """
    above = takewhile(lambda each: not _is_shared(each), directory.resolve().parents)
    places = [directory, *above]
    for index, each in enumerate(places):
        if (each / ".git").exists():
            return places[: index + 1]
    roots = [index for index, each in enumerate(places) if _is_workspace(each)]
    return places[: roots[-1] + 1] if roots else places[:1]


def _is_shared(directory: Path) -> bool:
    return directory.stat().st_mode & _SHARED == _SHARED


def _is_workspace(directory: Path) -> bool:
    manifest = directory / "Cargo.toml"
    try:
        return "workspace" in read_toml(read_file(manifest, _MANIFEST_BYTES_MAX), str(manifest))
    except DataflareError:
        return False


def store_name(package: Package) -> str:
    """Return the name that Fluvio's cluster stores a package under."""
    return f"{package.name}-{package.group}-{package.version}"
