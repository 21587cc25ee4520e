"""The environment: everything ambient a command may touch, and the boundary around it.

Commands read and write through an `Environment` and let every error pass; `boundary`
alone prints errors and decides how the process ends. Attributes may be overwritten:
that is how tests make a terminal or a home directory.

Invariants
- Stdout gets data and nothing else. A reader that went away (BrokenPipeError) passes
  through every command and ends the process quietly, with 141.
- Stderr is for people. A message that can't be written is dropped, never an error.
"""

import errno
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, TextIO

from dataflare_cli.config import BY_KEY, Settings
from dataflare_cli.errors import (
    DataflareError,
    ExitCode,
    NotFound,
    TimedOut,
    Unreachable,
    UsageError,
)

if TYPE_CHECKING:
    from types import FrameType

    from dataflare_cli.store import Durability, Store

DISTRIBUTION = "dataflare-cli"
ANSWER_BYTES_MAX = 1024
WIDTH_DEFAULT = 80
HEIGHT_DEFAULT = 24


class Terminated(BaseException):
    """SIGTERM came; like KeyboardInterrupt no `Exception`, so that nothing swallows it."""


class Environment:
    """Streams, terminals, colours, variables, directories and settings of one run."""

    def __init__(
        self,
        *,
        stdin_fd: int = 0,
        stdout_fd: int = 1,
        stderr: TextIO | None = None,
        environ: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
    ) -> None:
        self.stdin_fd, self.stdout_fd = stdin_fd, stdout_fd
        self.stderr: TextIO | None = sys.stderr if stderr is None else stderr
        self.environ = os.environ if environ is None else environ
        self.cwd = Path(cwd) if cwd is not None else _working_directory(self.environ)
        self.stdin_is_terminal = _is_terminal(stdin_fd)
        self.stdout_is_terminal = _is_terminal(stdout_fd)
        self.stderr_is_terminal = stderr is None and _is_terminal(2)
        # Signal handlers are the process's: only its entry point sets this.
        self.owns_process = False
        # When writing to stdout is given up (monotonic seconds); None: never.
        self.deadline: float | None = None
        self.quiet = False
        self.verbose = False
        self.error_format: Literal["text", "json"] = "text"
        # What the root options said, by setting: (flag as written, text).
        self.flags: dict[str, tuple[str, str]] = {}
        # Options of the command that a setting gave, not the command line.
        self.from_settings: set[str] = set()
        self._settings: Settings | None = None
        self._has_left_line = False
        self._store: Store | None = None

    # ---------------------------------------------------------------- settings

    @property
    def settings(self) -> Settings:
        """Every setting with its origin; nothing is read before one is asked for."""
        if self._settings is None:
            self._settings = Settings(environ=self.environ, cwd=self.cwd, flags=self.flags)
        return self._settings

    def open_store(
        self,
        *,
        create: bool,
        read_only: bool = False,
        durability: "Durability | None" = None,
    ) -> "Store":
        """Open the data directory; the same store when called again, closed by the boundary.

        Raises:
            Unreachable: it is not there (and `create` is false), or can't be used.
        """
        if self._store is None:
            from dataflare_cli.store import Store, end_as_corrupt

            settings = self.settings
            path, origin = settings.data_dir, settings.resolve("data-dir").origin
            for note in settings.notes:
                self.warn(f"warning: {note}")
            self.detail(f"data directory {path} ({origin})")
            if self.owns_process:
                end_as_corrupt(path)
            self._store = Store.open(
                path,
                create=create,
                read_only=read_only,
                durability=durability or settings.durability,
                lock_timeout_s=settings.lock_timeout_s,
            )
        return self._store

    def start_logging(self) -> None:
        """Send log records of the asked level to stderr, if one was asked for."""
        if "log-level" not in self.flags and not any(
            self.environ.get(name) for name in BY_KEY["log-level"].names
        ):
            return
        import logging

        handler = logging.StreamHandler(self.stderr)
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logger = logging.getLogger("dataflare_cli")
        logger.handlers = [handler]
        logger.setLevel((self.settings.log_level or "warning").upper())

    def close(self) -> None:
        """Close what was opened; harmless when called again."""
        store, self._store = self._store, None
        if store is not None:
            store.close()

    # ----------------------------------------------------------------- streams

    def write(self, data: "bytes | bytearray | memoryview") -> None:
        """Write everything to stdout, waiting as long as its reader takes.

        Raises:
            BrokenPipeError: the reader went away; let it pass.
            Unreachable: the disk is full, stdout is closed, …
        """
        rest = memoryview(data)
        while rest:
            try:
                # With a deadline, no more than a pipe that is writable takes at once.
                piece = rest if self.deadline is None else rest[: select.PIPE_BUF]
                if self.deadline is not None:
                    _wait_writable(self.stdout_fd, self.deadline)
                rest = rest[os.write(self.stdout_fd, piece) :]
            except BlockingIOError:
                # Somebody made the pipe non-blocking (ssh and node do).
                _wait_writable(self.stdout_fd)
            except BrokenPipeError:
                raise
            except OSError as exc:
                raise Unreachable("stdout", _reason(exc)) from exc

    def print(self, text: str) -> None:
        """Write a line of text to stdout."""
        self.write(text.encode("utf-8", "surrogateescape") + b"\n")

    def tell(self, text: str, *, end: str = "\n") -> None:
        """Write to stderr, also with -q; commands have `say`, `detail` and `warn`."""
        if self.stderr is None:
            return
        with suppress(OSError, ValueError):
            self.stderr.write(text + end)
            self.stderr.flush()

    def say(self, text: str) -> None:
        """Tell the user something on stderr; -q suppresses it."""
        if not self.quiet:
            self.warn(text)

    def detail(self, text: str) -> None:
        """Tell the user something that only -v asks for."""
        if self.verbose:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Tell the user what matters even with -q: what was skipped, or could not be done."""
        from dataflare_cli.commands.render import clean

        self.tell(clean(text, keep="\n"))

    def leave_line(self) -> None:
        """Begin a new line, once: a terminal shows ^C where the cursor is."""
        if self.stderr_is_terminal and not self._has_left_line:
            self._has_left_line = True
            self.tell("")

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something is destroyed; return only if that is what is wanted.

        Raises:
            UsageError: nobody can be asked, and --yes was not given.
            DataflareError: the answer is no.
        """
        if yes:
            return
        if not self.stdin_is_terminal:
            raise UsageError(f"{question} Nobody can be asked here", hint="say so with --yes")
        self.tell(f"{question} [y/N] ", end="")
        answer = os.read(self.stdin_fd, ANSWER_BYTES_MAX).decode(errors="replace")
        if answer.strip().lower() not in ("y", "yes"):
            raise DataflareError("not confirmed; nothing was done")

    # --------------------------------------------------------------- terminals

    @property
    def colour(self) -> bool:
        """Whether data may be coloured."""
        return self._has_colour(self.stdout_is_terminal)

    @property
    def stderr_colour(self) -> bool:
        """Whether messages may be coloured."""
        return self._has_colour(self.stderr_is_terminal)

    def _has_colour(self, is_terminal: bool) -> bool:
        if self.environ.get("NO_COLOR"):
            return False
        if self.environ.get("FORCE_COLOR"):
            return True
        return is_terminal and self.environ.get("TERM", "dumb") != "dumb"

    def paint(self, text: str, code: str) -> str:
        """Colour a piece of a message by an SGR code, where stderr may be coloured."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.stderr_colour else text

    @property
    def width(self) -> int:
        """The columns of the terminal; COLUMNS overrides it."""
        chosen = self.environ.get("COLUMNS", "")
        if chosen.isascii() and chosen.isdigit() and int(chosen) > 0:
            return int(chosen)
        with suppress(OSError):
            return os.get_terminal_size(self.stdout_fd).columns or WIDTH_DEFAULT
        return WIDTH_DEFAULT

    @property
    def height(self) -> int:
        """The lines of the terminal."""
        with suppress(OSError):
            return os.get_terminal_size(self.stdout_fd).lines or HEIGHT_DEFAULT
        return HEIGHT_DEFAULT


def boundary(env: Environment, act: Callable[[], int]) -> int:
    """Run a command and return the exit code; the only place that prints errors."""
    try:
        return act()
    except DataflareError as exc:
        return _report(env, exc)
    except BrokenPipeError:
        return ExitCode.BROKEN_PIPE
    except OSError as exc:
        return _report(env, _translate(exc))
    except MemoryError:
        return _report(env, Unreachable("memory", "the operating system gives no more of it"))
    except KeyboardInterrupt:
        env.leave_line()
        return ExitCode.INTERRUPTED
    except Terminated:
        return ExitCode.TERMINATED
    except Exception as exc:  # noqa: BLE001 - whatever is left is a bug, and says so
        return _report_bug(env, exc)
    finally:
        env.close()


@contextmanager
def answering_signals() -> Iterator[None]:
    """Let SIGTERM pass through the block as `Terminated`; a second one kills at once.

    Where the parent has it ignored, it stays ignored.
    """
    before = signal.getsignal(signal.SIGTERM)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(_signal: int, _frame: "FrameType | None") -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated


def _report(env: Environment, exc: DataflareError) -> int:
    from dataflare_cli.commands.render import clean

    if env.error_format == "json":
        _tell_json(env, exc)
        return exc.exit_code
    env.tell(env.paint("error:", "1;31") + " " + clean(exc.message, keep="\n"))
    for line in (exc.hint or "").splitlines():
        env.tell("  " + clean(line))
    return exc.exit_code


def _tell_json(env: Environment, exc: DataflareError, **more: str) -> None:
    from dataflare_cli.commands.render import to_json_line

    known = ("message", "hint", "exit_code")
    fields = {key: value for key, value in vars(exc).items() if key not in known}
    error = {
        "type": type(exc).__name__,
        "message": exc.message,
        "hint": exc.hint,
        "exit_code": int(exc.exit_code),
        **{key: _plain(value) for key, value in fields.items() if not key.startswith("_")},
        **more,
    }
    env.tell(to_json_line({"error": error}))


def _plain(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def _report_bug(env: Environment, exc: Exception) -> int:
    import traceback

    text = "".join(traceback.format_exception(exc)).rstrip()
    where = f"this is a bug in dataflare; please report it, with the traceback, {_tracker()}"
    if env.error_format == "json":
        bug = DataflareError(f"{type(exc).__name__}: {exc}", hint=where)
        bug.exit_code = ExitCode.BUG
        _tell_json(env, bug, type="Bug", traceback=text)
    else:
        env.tell(f"{text}\n{env.paint('error:', '1;31')} {where}")
    return ExitCode.BUG


def _tracker() -> str:
    """Where to report a bug, as the installed package's metadata says."""
    from importlib import metadata

    from dataflare_cli import __version__

    with suppress(metadata.PackageNotFoundError):
        for entry in metadata.metadata(DISTRIBUTION).get_all("Project-URL") or ():
            label, _, url = str(entry).partition(",")
            if label.strip().lower() in ("issues", "tracker", "repository"):
                return f"at {url.strip()} (version {__version__})"
    return f"where you got dataflare {__version__} from"


def _translate(exc: OSError) -> DataflareError:
    """Turn an error of the operating system that no module expected into one of ours."""
    what = os.fsdecode(exc.filename) if isinstance(exc.filename, (str, bytes)) else ""
    if exc.errno == errno.ENOENT and what:
        return NotFound("file", what)
    if what:
        return Unreachable(what, _reason(exc))
    return Unreachable("the operating system refuses", _reason(exc))


def _reason(exc: OSError) -> str:
    known = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EACCES: "permission denied",
        errno.EPERM: "permission denied",
        errno.EISDIR: "is a directory",
        errno.EBADF: "is closed",
    }
    return known.get(exc.errno or 0, exc.strerror or str(exc))


def _wait_writable(descriptor: int, deadline: float | None = None) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if deadline is None:
        poll.poll()
    elif not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimedOut("--timeout has passed while nobody read the output")


def _working_directory(environ: Mapping[str, str]) -> Path:
    try:
        return Path.cwd()
    except OSError:
        # It was deleted under us: paths relative to it will say so themselves.
        return Path(environ.get("PWD") or "/")


def _is_terminal(descriptor: int) -> bool:
    with suppress(OSError):
        return os.isatty(descriptor)
    return False
