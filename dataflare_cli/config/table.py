"""The table of everything that may be configured, and how each value is read.

Light to import: completion reads it. Readers take what a TOML file, an environment
variable or a flag has, and refuse anything else with a `BadValueError`.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, cast

# The profile that is in use when no other was chosen; it needs no entry in the file.
LOCAL_PROFILE = "local"
OUTPUTS = ("table", "yaml", "json", "toml")
CONSUME_OUTPUTS = (
    *("dynamic", "text", "binary", "json", "raw", "table", "full_table"),
    *("records", "csv"),
)
LOG_LEVELS = ("debug", "info", "warning", "error")
NAME_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")

Value = str | int | float


class BadValueError(ValueError):
    """A value that a setting does not take; becomes a ConfigError or UsageError."""


def seconds(raw: object) -> float:
    """Read a time span: a number of seconds, or a text such as "500ms", "30s", "2m", "1h"."""
    units = (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0))
    number, factor = raw, 1.0
    if isinstance(raw, str):
        for unit, size in units:
            if raw.endswith(unit):
                number, factor = raw.removesuffix(unit), size
                break
    span = -1.0
    if isinstance(number, (str, int, float)) and not isinstance(number, bool):
        with suppress(ValueError):
            span = float(number) * factor
    if not 0 <= span < float("inf"):
        raise BadValueError(f'expected seconds, or a time such as "500ms" or "2m", found {raw!r}')
    return span


def span(raw: object) -> str:
    """Read a time span as `seconds` does; a text that options take, as in "0.5s"."""
    return f"{seconds(raw):g}s"


def count(smallest: int, largest: int) -> Callable[[object], int]:
    """Make the reader of a whole number within its limits."""

    def read(raw: object) -> int:
        digits = isinstance(raw, str) and raw.isascii() and raw.isdigit()
        if isinstance(raw, bool) or not (digits or isinstance(raw, int)):
            raise BadValueError(f"expected a whole number, found {raw!r}")
        number = int(cast("str | int", raw))
        if not smallest <= number <= largest:
            raise BadValueError(f"expected {smallest} to {largest}, found {number}")
        return number

    return read


def byte_count(smallest: int, largest: int) -> Callable[[object], int]:
    """Make the reader of a number of bytes within its limits."""

    def read(raw: object) -> int:
        digits = isinstance(raw, str) and raw.isascii() and raw.isdigit()
        if isinstance(raw, bool) or not (digits or isinstance(raw, int)):
            raise BadValueError(f"expected a number of bytes, found {raw!r}")
        number = int(cast("str | int", raw))
        if not smallest <= number <= largest:
            raise BadValueError(f"expected {smallest} to {largest} bytes, found {number}")
        return number

    return read


def choice(*words: str) -> Callable[[object], str]:
    """Make the reader of one of several words; case does not matter."""

    def read(raw: object) -> str:
        if isinstance(raw, str) and raw.lower() in words:
            return raw.lower()
        raise BadValueError(f"expected one of {', '.join(words)}, found {raw!r}")

    return read


def profile_name(raw: object) -> str:
    """Read a profile's name; Kafka's rule for topics, as everywhere."""
    if (
        isinstance(raw, str)
        and raw not in ("", ".", "..")
        and len(raw) < 250
        and NAME_CHARACTERS.issuperset(raw)
    ):
        return raw
    raise BadValueError(f"expected a name of letters, digits, '.', '_' or '-', found {raw!r}")


def path_text(raw: object) -> str:
    """Read a path; `Settings` makes it absolute."""
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise BadValueError(f"expected a path, found {raw!r}")
    if is_address(raw):
        raise BadValueError(f"expected a directory, found the address {raw!r}")
    return raw


def is_path(setting: "Setting") -> bool:
    """Tell whether a setting's value is a path, relative to where it was written."""
    return setting.read is path_text


def is_address(text: str) -> bool:
    """Tell a cluster's address (a URL or host:port) from a directory."""
    host, _, port = text.rpartition(":")
    return "://" in text or ("/" not in text and bool(host) and port.isdigit())


class Setting(NamedTuple):
    """One row of the table of everything that may be configured."""

    key: str
    read: Callable[[object], Value]
    default: Value | None
    in_tree: bool  # may a dataflare.toml set it
    help: str
    variables: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The environment variables that set it, the first one that is set counts."""
        return ("DATAFLARE_" + self.key.upper().replace("-", "_"), *self.variables)


# The limits are model.py's, checked by a test: importing it costs 30 ms that Tab has not got.
SETTINGS = (
    Setting("data-dir", path_text, None, True, "Where topics are stored"),
    Setting("output", choice(*OUTPUTS), "table", True, "Format of lists (-O)"),
    Setting(
        "consume-output", choice(*CONSUME_OUTPUTS), "dynamic", True, "Format of consumed records"
    ),
    Setting(
        "batch-size", byte_count(1, 1_000_000), 1_000_000, True, "Largest batch produced, in bytes"
    ),
    Setting(
        "max-request-size",
        byte_count(1, 33_554_432),
        1_048_576,
        True,
        "Largest record produced, in bytes",
    ),
    Setting(
        "smartmodule-memory",
        byte_count(1, 4 << 30),
        1_000_000_000,
        True,
        "Most memory of a SmartModule, in bytes",
    ),
    Setting("smartmodule-time", span, "10s", True, "Most time that a call of one may take"),
    Setting(
        "smartmodule-records-out",
        count(1, 2**31 - 1),
        100_000,
        True,
        "Most records that one may make of a record",
    ),
    Setting(
        "smartmodule-bytes-out",
        byte_count(1, 4 << 30),
        33_554_432,
        True,
        "Most bytes that one may make of a record",
    ),
    Setting("lock-timeout", seconds, 30.0, True, "How long to wait for another writer"),
    Setting(
        "durability",
        choice("full", "relaxed"),
        "full",
        False,
        "relaxed: a power cut may lose the last commit",
    ),
    Setting("log-level", choice(*LOG_LEVELS), "warning", False, "What to log", ("DATAFLARE_LOG",)),
)
BY_KEY = {setting.key: setting for setting in SETTINGS}
# `profile` is chosen before the others can be looked up, so it has no row.
PROFILE = Setting("profile", profile_name, LOCAL_PROFILE, False, "Profile in use")
