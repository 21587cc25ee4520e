"""Settings: the value of each, and where it came from.

Hides six sources behind one look-up. A value is taken from the first that has it:

    1. a flag of the command line
    2. an environment variable, DATAFLARE_… (an empty one counts as absent)
    3. the profile named by -P or DATAFLARE_PROFILE
    4. dataflare.toml in the working directory or above it
    5. the profile that `profile switch` chose
    6. the user's file, config.toml
    7. the default

A repository's sandbox stays its own whatever profile was switched to some day (its scripts
may delete topics), and a profile named here and now is meant.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, cast

from dataflare_cli.config.files import UserFile, find_tree_file, read_tree_file
from dataflare_cli.config.table import (
    BY_KEY,
    LOCAL_PROFILE,
    PROFILE,
    SETTINGS,
    BadValueError,
    Setting,
    Value,
    is_address,
    is_path,
)
from dataflare_cli.errors import ConfigError, Unreachable, UsageError


class Resolved(NamedTuple):
    """A setting's value and where it came from."""

    key: str
    value: Value
    origin: str


class Settings:
    """Every setting, looked up when it is asked for.

    `flags` holds what the command line gave, by key: (flag as written, text).
    `notes` collects what was left out of consideration, and why.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        cwd: Path,
        flags: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        self.environ, self.cwd, self.flags = environ, cwd, dict(flags or {})
        self.notes: list[str] = []
        self.user = UserFile(user_file_path(environ))
        self._layers: list[tuple[str, Path, dict[str, Value]]] | None = None

    # ------------------------------------------------------------------ values

    @property
    def data_dir(self) -> Path:
        """The data directory, absolute."""
        return Path(str(self.resolve("data-dir").value))

    @property
    def output(self) -> str:
        """The format of lists: table, yaml, json or toml."""
        return str(self.resolve("output").value)

    @property
    def consume_output(self) -> str:
        """The format of consumed records."""
        return str(self.resolve("consume-output").value)

    @property
    def batch_size(self) -> int:
        """The largest batch produced, in bytes."""
        return cast("int", self.resolve("batch-size").value)

    @property
    def max_request_size(self) -> int:
        """The largest record produced, in bytes."""
        return cast("int", self.resolve("max-request-size").value)

    @property
    def lock_timeout_s(self) -> float:
        """How long to wait for another writer."""
        return cast("float", self.resolve("lock-timeout").value)

    @property
    def durability(self) -> Literal["full", "relaxed"]:
        """What a power cut may take."""
        return cast('Literal["full", "relaxed"]', self.resolve("durability").value)

    @property
    def log_level(self) -> str | None:
        """The level that was asked for; None if nobody did."""
        found = self.resolve("log-level")
        return None if found.origin == "default" else str(found.value)

    @property
    def profile(self) -> str:
        """The name of the profile in use."""
        return str(self.resolve("profile").value)

    # ---------------------------------------------------------------- look-ups

    def resolve(self, key: str) -> Resolved:
        """Return a setting's value and origin.

        Raises:
            NotFound: the profile in use does not exist.
            ConfigError: a source that has to be looked at is malformed.
            UsageError: the flag's text is.
        """
        setting = PROFILE if key == PROFILE.key else BY_KEY[key]
        found = self._from_flag(setting) or self._from_variable(setting)
        if found is not None:
            return found
        if key == PROFILE.key:
            current = self.user.load().current
            if current is not None:
                return Resolved(key, current, str(self.user.path))
            return Resolved(key, LOCAL_PROFILE, "default")
        for origin, base, values in self._files():
            if key in values:
                value = values[key]
                return Resolved(key, self._absolute(setting, value, base), origin)
        if key == "data-dir":
            return Resolved(key, str(default_data_dir(self.environ)), "default")
        assert setting.default is not None
        return Resolved(key, setting.default, "default")

    def everything(self) -> list[Resolved]:
        """Return every setting, the profile first."""
        return [self.resolve(setting.key) for setting in (PROFILE, *SETTINGS)]

    def _from_flag(self, setting: Setting) -> Resolved | None:
        if setting.key not in self.flags:
            return None
        flag, text = self.flags[setting.key]
        if setting.key == "data-dir" and is_address(text):
            raise Unreachable(
                text,
                "remote clusters come with the connectors, which this release does not have yet",
                hint=f"{flag} takes a data directory",
            )
        try:
            value = setting.read(text)
        except BadValueError as exc:
            raise UsageError(f"{flag}: {exc}") from exc
        return Resolved(setting.key, self._absolute(setting, value, self.cwd), f"flag {flag}")

    def _from_variable(self, setting: Setting) -> Resolved | None:
        for name in setting.names:
            text = self.environ.get(name)
            if text:
                try:
                    value = setting.read(text)
                except BadValueError as exc:
                    raise ConfigError(f"environment variable {name}", str(exc)) from exc
                value = self._absolute(setting, value, self.cwd)
                return Resolved(setting.key, value, f"environment {name}")
        return None

    def _files(self) -> list[tuple[str, Path, dict[str, Value]]]:
        """(origin, directory of relative paths, values) of sources 3 to 6."""
        if self._layers is None:
            user = self.user.load()
            base = user.path.parent
            name = self.profile
            values = user.profile(name)
            is_named = self._from_flag(PROFILE) or self._from_variable(PROFILE)
            if is_named and name == LOCAL_PROFILE:
                values = {"data-dir": str(default_data_dir(self.environ)), **values}
            layers = [(f"profile {name}", base, values)]
            tree = find_tree_file(self.cwd, self.notes)
            if tree is not None:
                layer = (str(tree), tree.parent, read_tree_file(tree))
                layers.insert(1 if is_named else 0, layer)
            layers.append((str(user.path), base, user.values))
            self._layers = layers
        return self._layers

    def _absolute(self, setting: Setting, value: Value, base: Path) -> Value:
        if not is_path(setting):
            return value
        return str(base / expand_home(str(value), self.environ))


def expand_home(path: str, environ: Mapping[str, str]) -> Path:
    """Replace a leading ~ by the home directory; other users' homes are not looked up."""
    if path == "~" or path.startswith("~/"):
        return home(environ) / path[2:]
    return Path(path)


def home(environ: Mapping[str, str]) -> Path:
    """Return the home directory."""
    chosen = environ.get("HOME")
    return Path(chosen) if chosen else Path.home()


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """Return the platform's data path; what platformdirs says, without importing it."""
    return _platform_dir(environ, "XDG_DATA_HOME", ".local/share") / "dataflare"


def user_file_path(environ: Mapping[str, str]) -> Path:
    """Return where the user's settings and profiles are kept; DATAFLARE_CONFIG moves it."""
    chosen = environ.get("DATAFLARE_CONFIG")
    if chosen:
        return Path.cwd() / expand_home(chosen, environ)
    return _platform_dir(environ, "XDG_CONFIG_HOME", ".config") / "dataflare" / "config.toml"


def _platform_dir(environ: Mapping[str, str], variable: str, fallback: str) -> Path:
    chosen = Path(environ.get(variable, "").strip())
    # The specification: a relative path in these variables is to be ignored.
    if chosen.is_absolute():
        return chosen
    if os.uname().sysname == "Darwin":
        fallback = "Library/Application Support"
    return home(environ) / fallback
