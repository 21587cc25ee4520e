"""The workplace: a directory for one benchmark, and the processes that run in it.

Hides how the program is started from outside and watched while it runs.

Invariants
- The directory and every process are gone when the block has ended, however it ended.
- The user's own settings and topics play no part: they are neither read nor written
  (the cache of compiled modules is, as by every command).
- A process that fails fails the benchmark: no figure is made of half the work.
"""

import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import dataflare_cli
from dataflare_cli.catalog import Catalog
from dataflare_cli.errors import DataError, Unreachable
from dataflare_cli.model import TopicSpec
from dataflare_cli.store import Store

# How often a process's memory is looked at; a look costs about 20 µs.
WATCH_MS = 5
ERROR_BYTES_MAX = 4096
TOPIC = "bench"
Words = Sequence[str | Path]


class Ran(NamedTuple):
    """What a process took, by the clock and of the processors; None: the system doesn't tell."""

    seconds: float
    cpu_s: float
    anonymous_bytes: int | None
    stderr: str


class Workplace:
    """A directory of its own, and what is run in it."""

    def __init__(
        self, path: Path, environ: Mapping[str, str], progress: Callable[[str], None]
    ) -> None:
        self.path, self.progress = path, progress
        self.environ = {
            **{name: text for name, text in environ.items() if not name.startswith("DATAFLARE_")},
            "DATAFLARE_CONFIG": str(path / "none.toml"),
            "PYTHONPATH": str(Path(dataflare_cli.__file__).parents[1]),
            "PYTHONSAFEPATH": "1",
        }

    def program(self, data_dir: Path, *words: str | Path) -> list[str | Path]:
        """Return the words that start the program on a data directory."""
        return [sys.executable, "-m", "dataflare_cli", "--data-dir", data_dir, *words]

    def need_space(self, size_bytes: int) -> None:
        """Refuse to begin what would fill the disk.

        Raises:
            Unreachable: there is not enough space for it.
        """
        free = shutil.disk_usage(self.path).free
        if free < size_bytes:
            raise Unreachable(
                str(self.path.parent),
                f"about {size_bytes} bytes are needed, {free} are free",
                hint="take fewer --records, or another --directory",
            )

    @contextmanager
    def data_dir(self, spec: TopicSpec | None = None) -> Iterator[Path]:
        """Make a data directory with one empty topic (TOPIC), gone after the block."""
        path = Path(tempfile.mkdtemp(prefix="data-", dir=self.path))
        try:
            with Store.open(path) as store:
                Catalog(store).create_topic(TOPIC, spec or TopicSpec())
            yield path
        finally:
            shutil.rmtree(path)

    @contextmanager
    def started(
        self,
        words: Words,
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.DEVNULL,
        environ: Mapping[str, str] | None = None,
    ) -> Iterator["Process"]:
        """Start a process; killed if it outlives the block."""
        with tempfile.TemporaryFile(dir=self.path) as stderr:
            # In a directory that has no dataflare.toml in it or above.
            process = subprocess.Popen(  # noqa: S603 - words of our own
                words,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env={**self.environ, **(environ or {})},
                cwd="/",
            )
            try:
                yield Process(process, words, stderr)
            finally:
                if process.stdout is not None:
                    process.stdout.close()
                if process.returncode is None:
                    process.kill()
                    process.wait()

    def run(
        self,
        words: Words,
        *,
        stdin: int = subprocess.DEVNULL,
        after: Words = (),
        environ: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run a process to its end, fed by the process of `after` if there is one.

        Raises:
            DataError: it failed.
        """
        with ExitStack() as stack:
            started = time.monotonic()
            if after:
                feeder = stack.enter_context(self.started(after, stdout=subprocess.PIPE))
                stdin = feeder.stdout.fileno()
            process = stack.enter_context(self.started(words, stdin=stdin, environ=environ))
            if after:
                feeder.stdout.close()  # the reader has it: what ends it is for the feeder to see
            peak_bytes = process.watch()
            seconds = time.monotonic() - started
            process.check()
            return Ran(seconds, process.cpu_s_at_end, peak_bytes, process.stderr())


class Process:
    """A running process."""

    def __init__(self, process: "subprocess.Popen[bytes]", words: Words, stderr: IO[bytes]) -> None:
        self.process, self._words, self._stderr = process, words, stderr
        self.cpu_s_at_end = 0.0

    @property
    def stdout(self) -> IO[bytes]:
        """The pipe of its stdout."""
        assert self.process.stdout is not None
        return self.process.stdout

    def watch(self) -> int | None:
        """Wait for the end; return the most anonymous memory it was seen with, in bytes."""
        peak_kb = self._watch_memory() if sys.platform == "linux" else None
        # Instead of wait(): the only way to the times of one child.
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_s_at_end = usage.ru_utime + usage.ru_stime
        return None if peak_kb is None else peak_kb * 1024

    def _watch_memory(self) -> int:
        peak_kb = 0
        handle = os.pidfd_open(self.process.pid)
        try:
            poller = select.poll()
            poller.register(handle, select.POLLIN)
            with Path(f"/proc/{self.process.pid}/status").open("rb", buffering=0) as status:
                while not poller.poll(WATCH_MS):
                    peak_kb = max(peak_kb, _anonymous_kb(status))
        finally:
            os.close(handle)
        return peak_kb

    def cpu_s(self) -> float | None:
        """Return the processor time it has used so far."""
        if sys.platform != "linux":
            return None
        # The clock of another process (linux/posix-timers.h): exact, where /proc counts in 10 ms.
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def stop(self) -> None:
        """End it as a user would."""
        self.process.terminate()
        self.process.wait()

    def check(self) -> None:
        """Raise DataError if it has failed."""
        code = self.process.poll()
        if code:
            name = " ".join(str(word) for word in self._words)
            raise DataError(f"{name} ended with {code}", hint=self.stderr() or None)

    def stderr(self) -> str:
        """Return what it wrote to stderr, up to a limit."""
        return os.pread(self._stderr.fileno(), ERROR_BYTES_MAX, 0).decode(errors="replace").strip()


@contextmanager
def workplace(
    directory: Path, environ: Mapping[str, str], progress: Callable[[str], None]
) -> Iterator[Workplace]:
    """Make a workplace in a directory; it is gone after the block.

    Raises:
        Unreachable: nothing can be made there.
    """
    try:
        path = Path(tempfile.mkdtemp(prefix="dataflare-benchmark-", dir=directory.absolute()))
    except OSError as exc:
        raise Unreachable(
            str(directory), exc.strerror or str(exc), hint="choose another --directory"
        ) from exc
    try:
        yield Workplace(path, environ, progress)
    finally:
        progress("")
        shutil.rmtree(path)


def _anonymous_kb(status: IO[bytes]) -> int:
    status.seek(0)
    try:
        text = status.read()
    except ProcessLookupError:
        return 0
    _, _, rest = text.partition(b"RssAnon:")
    return int(rest.split()[0]) if rest else 0
