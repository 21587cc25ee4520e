"""The error tree, and the exit code each branch ends in.

    DataflareError(message, hint)            exit
    ├─ UsageError                              2   flags that contradict each other
    ├─ NotFound  kind, name, suggestions       1   topic, partition, consumer, profile, …
    ├─ AlreadyExists  kind, name               1
    ├─ DataError                               1   input that can't be taken as it is
    │  ├─ OffsetOutOfRange
    │  ├─ RecordTooLarge
    │  └─ UnsupportedFormat
    ├─ SmartModuleError  module                1   Fluvio's wording
    │  ├─ InvalidModule                        1   not a SmartModule, or none that runs here
    │  ├─ InitFailed                           1   its init or look_back says no
    │  └─ ModuleFailed  offset, cause          1   at a record: an error, a trap, a limit
    ├─ ConfigError  where, problem             2   absent is not an error; malformed always is
    ├─ Unreachable  what, why                  3   busy, full, no permission, not a store
    ├─ NothingProcessed                        4
    ├─ PartialFailure  failed, total           5
    ├─ Denied                                  6
    ├─ Corruption  where, expected, found      7
    └─ TimedOut                              124   the command's own --timeout passed

Anything else is a bug: exit 70, a traceback and where to report it. Leaves carry
fields and compose their own message; `hint` names the next step.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process tells the shell (see the table in README.md)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOTHING = 4
    PARTIAL = 5
    DENIED = 6
    CORRUPT = 7
    BUG = 70
    TIMED_OUT = 124
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


class DataflareError(Exception):
    """Something the user can act on; `str()` is the message, `hint` the next step."""

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(DataflareError):
    """Options or arguments that contradict each other."""

    exit_code = ExitCode.USAGE


class NotFound(DataflareError):
    """A named thing does not exist; close matches are offered."""

    _WORDS: ClassVar = {
        "topic": "Topic not found: {name}",
        "tableformat": "TableFormat not found: {name}",
        "smartmodule": "SmartModule {name} was not found",
    }

    def __init__(
        self, kind: str, name: str, *, suggestions: Sequence[str] = (), hint: str | None = None
    ) -> None:
        self.kind, self.name, self.suggestions = kind, name, tuple(suggestions)
        message = self._WORDS.get(kind, kind.capitalize() + " not found: {name}").format(name=name)
        if hint is None and self.suggestions:
            hint = "did you mean " + " or ".join(f'"{each}"' for each in self.suggestions) + "?"
        super().__init__(message, hint=hint)


class AlreadyExists(DataflareError):
    """A name is taken."""

    _WORDS: ClassVar = {
        "topic": "Topic",
        "tableformat": "TableFormat",
        "smartmodule": "SmartModule",
    }

    def __init__(self, kind: str, name: str, *, hint: str | None = None) -> None:
        self.kind, self.name = kind, name
        noun = self._WORDS.get(kind, kind.capitalize())
        super().__init__(f"{noun} already exists: {name}", hint=hint)


class DataError(DataflareError):
    """Input that can't be taken as it is."""


class OffsetOutOfRange(DataError):
    """A position that the partition does not have."""

    def __init__(self, message: str, *, start: int, end: int, hint: str | None = None) -> None:
        self.start, self.end = start, end
        super().__init__(message, hint=hint)


class RecordTooLarge(DataError):
    """One record is above the request limit (Fluvio's wording)."""

    def __init__(self, size: int, limit: int, *, where: str = "") -> None:
        self.size, self.limit, self.where = size, limit, where
        at = f" ({where})" if where else ""
        super().__init__(
            f"Producer error: record size ({size} bytes), "
            f"exceeded maximum request size ({limit} bytes){at}",
            hint="raise --max-request-size (up to 33554432), or split the record",
        )


class UnsupportedFormat(DataError):
    """Bytes in a form this release can't read or write."""


class SmartModuleError(DataflareError):
    """A SmartModule can't be used, or has failed."""

    def __init__(self, module: str, message: str, *, hint: str | None = None) -> None:
        self.module = module
        super().__init__(message, hint=hint)


class InvalidModule(SmartModuleError):
    """Bytes that are no SmartModule, or one that can't run here."""

    def __init__(self, module: str, problem: str, *, hint: str | None = None) -> None:
        self.problem = problem
        named = f" {module}" if module else ""
        super().__init__(module, f"SmartModule{named} is invalid: {problem}", hint=hint)


class InitFailed(SmartModuleError):
    """A SmartModule's init or look_back says that it can't begin."""

    def __init__(
        self, module: str, text: str, *, stage: str = "init", hint: str | None = None
    ) -> None:
        self.stage = stage
        named = f"SmartModule {module}: " if module else ""
        super().__init__(module, f"{named}SmartModule {stage} error {text}", hint=hint)


class ModuleFailed(SmartModuleError):
    """A SmartModule failed at a record; `cause` is error, trap, time, memory or output."""

    def __init__(
        self, module: str, text: str, *, offset: int, cause: str, hint: str | None = None
    ) -> None:
        self.offset, self.cause = offset, cause
        # Whoever knows where the record is from says so.
        self.topic, self.partition = "", 0
        super().__init__(module, f"SmartModule transform error {text}", hint=hint)


class ConfigError(DataflareError):
    """A configuration value or file that exists and is malformed."""

    exit_code = ExitCode.USAGE

    def __init__(self, where: str, problem: str, *, hint: str | None = None) -> None:
        self.where, self.problem = where, problem
        super().__init__(f"{where}: {problem}", hint=hint)


class Unreachable(DataflareError):
    """A store, file or cluster that can't be reached or used."""

    exit_code = ExitCode.UNREACHABLE

    def __init__(self, what: str, why: str, *, hint: str | None = None) -> None:
        self.what, self.why = what, why
        super().__init__(f"{what}: {why}", hint=hint)


class NothingProcessed(DataflareError):
    """No record came where one was required."""

    exit_code = ExitCode.NOTHING


class PartialFailure(DataflareError):
    """Some of the items failed, the others were done."""

    exit_code = ExitCode.PARTIAL

    def __init__(self, message: str, *, failed: int, total: int, hint: str | None = None) -> None:
        self.failed, self.total = failed, total
        super().__init__(message, hint=hint)


class Denied(DataflareError):
    """A policy or a server refuses."""

    exit_code = ExitCode.DENIED


class Corruption(DataflareError):
    """Stored bytes that do not verify; never returned as data."""

    exit_code = ExitCode.CORRUPT

    def __init__(
        self, where: str, *, expected: object, found: object, hint: str | None = None
    ) -> None:
        self.where, self.expected, self.found = where, expected, found
        super().__init__(f"{where} is corrupt: expected {expected}, found {found}", hint=hint)


class TimedOut(DataflareError):
    """The command's own --timeout passed."""

    exit_code = ExitCode.TIMED_OUT
