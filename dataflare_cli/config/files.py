"""The files settings come from: a dataflare.toml in the working tree, and the user's own.

Hides TOML, and everything that may be wrong with a file somebody else wrote.

Invariants
- A dataflare.toml comes with whatever was cloned. It may set what the table allows
  it and nothing else; its data directory lies below it, also after symbolic links
  are followed. A FIFO, a large file, or one that a stranger left in a directory
  which everybody may write to is not read.
- Absent is not an error, malformed always is; an unknown key is malformed.
- The user's file is 0600 and replaced as a whole, one writer at a time.
"""

import difflib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from dataflare_cli.config.table import (
    BY_KEY,
    LOCAL_PROFILE,
    PROFILE,
    SETTINGS,
    BadValueError,
    Value,
    profile_name,
)
from dataflare_cli.errors import ConfigError, NotFound, Unreachable
from dataflare_cli.text.files import replace_file

TREE_FILE = "dataflare.toml"
FILE_BYTES_MAX = 64 * 1024


def find_tree_file(cwd: Path, notes: list[str]) -> Path | None:
    """Return the nearest dataflare.toml, in the directory or above; strangers' don't count."""
    for directory in (cwd, *cwd.parents):
        path = directory / TREE_FILE
        try:
            found = path.stat()
        except OSError:
            continue
        if not _is_planted(found, directory.stat()):
            return path
        notes.append(f"{path} is ignored: somebody else put it where everybody may write")
    return None


def _is_planted(file: os.stat_result, directory: os.stat_result) -> bool:
    """Tell whether another user may have put the file there without our consent (/tmp)."""
    return bool(directory.st_mode & stat.S_IWOTH) and file.st_uid not in (0, os.geteuid())


def read_tree_file(path: Path) -> dict[str, Value]:
    """Read a dataflare.toml: its closed list of keys, a data directory below it.

    Raises:
        ConfigError: anything else.
    """
    table = _read_toml(path)
    for key in table:
        if key in (PROFILE.key, "profiles") or (key in BY_KEY and not BY_KEY[key].in_tree):
            raise ConfigError(
                str(path),
                f"{key} can't be set by a {TREE_FILE}",
                hint="it may set " + ", ".join(each.key for each in SETTINGS if each.in_tree),
            )
    values = _check_table(str(path), table)
    if "data-dir" in values:
        values["data-dir"] = _below(path, str(values["data-dir"]))
    return values


def _below(file: Path, text: str) -> str:
    """Return a path inside the file's directory, links resolved, or refuse it."""
    try:
        directory = file.parent.resolve()
        inside = (directory / text).resolve()
    except (OSError, RuntimeError) as exc:  # a loop of links
        raise ConfigError(str(file), f"data-dir: {exc}") from exc
    if text.startswith("~") or directory not in inside.parents:
        raise ConfigError(
            str(file),
            f"data-dir = {text!r} is not below {directory}",
            hint=f"a {TREE_FILE} can only name a directory below itself; use --data-dir",
        )
    return str(inside)


def _check_table(where: str, table: Mapping[str, Any]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for key, raw in table.items():
        if key not in BY_KEY:
            _refuse_key(where, key)
        try:
            values[key] = BY_KEY[key].read(raw)
        except BadValueError as exc:
            raise ConfigError(where, f"{key}: {exc}") from exc
    return values


def _refuse_key(where: str, key: str) -> NoReturn:
    close = difflib.get_close_matches(key.replace("_", "-"), BY_KEY, n=1)
    hint = f'did you mean "{close[0]}"?' if close else "keys: " + ", ".join(BY_KEY)
    raise ConfigError(where, f"unknown key {key!r}", hint=hint)


def _read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; an absent one is empty. Never blocks on what is no regular file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    except OSError as exc:
        raise ConfigError(str(path), f"can't be read ({exc.strerror})") from exc
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ConfigError(str(path), "is not a regular file")
    with os.fdopen(handle, "rb") as file:
        raw = file.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(str(path), f"is larger than {FILE_BYTES_MAX} bytes")
    from dataflare_cli.text.tomltext import read_toml

    return read_toml(raw, str(path))


def _table_of(raw: object, what: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise BadValueError(f"{what}: expected a table")
    return raw


class UserFile:
    """The user's settings and profiles: ~/.config/dataflare/config.toml."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.current: str | None = None
        self.values: dict[str, Value] = {}
        self.profiles: dict[str, dict[str, Value]] = {}
        self._loaded = False

    def load(self) -> "UserFile":
        """Read the file, once.

        Raises:
            ConfigError: it is malformed.
        """
        if self._loaded:
            return self
        table = _read_toml(self.path)
        current = table.pop(PROFILE.key, None)
        try:
            self.current = None if current is None else profile_name(current)
            for name, raw in _table_of(table.pop("profiles", {}), "profiles").items():
                values = _table_of(raw, f"profiles.{name}")
                where = f"{self.path}, profile {name}"
                self.profiles[profile_name(name)] = _check_table(where, values)
        except BadValueError as exc:
            raise ConfigError(str(self.path), str(exc)) from exc
        self.values = _check_table(str(self.path), table)
        self._loaded = True
        return self

    def profile(self, name: str) -> dict[str, Value]:
        """Return a profile's values; the local one exists without an entry.

        Raises:
            NotFound: with close matches.
        """
        if name in self.profiles:
            return self.profiles[name]
        if name == LOCAL_PROFILE:
            return {}
        names = [LOCAL_PROFILE, *self.profiles]
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
        hint = None if close else "dataflare profile list shows all profiles"
        raise NotFound("profile", name, suggestions=close, hint=hint)

    def names(self) -> list[str]:
        """Return every profile's name, the local one too."""
        return sorted({LOCAL_PROFILE, *self.profiles})

    @contextmanager
    def changed(self) -> Iterator["UserFile"]:
        """Read the file, let the block change its values, and replace it; one writer at a time."""
        import fcntl

        directory = self.path.parent
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as exc:
            raise Unreachable(str(directory), exc.strerror or str(exc)) from exc
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            fresh = UserFile(self.path).load()
            yield fresh
            fresh._replace()
        finally:
            os.close(lock)

    def _replace(self) -> None:
        import tomli_w

        table: dict[str, Any] = {} if self.current is None else {PROFILE.key: self.current}
        table |= self.values
        if self.profiles:
            table["profiles"] = self.profiles
        text = "# Written by `dataflare config` and `dataflare profile`.\n" + tomli_w.dumps(table)
        # A link is followed, so that a file kept in a dotfiles repository stays there.
        target = self.path.resolve()
        replace_file(target, text.encode(), str(self.path), is_private=True, is_durable=True)
