"""The program as tests run it: in this process, or as one of its own.

`run` calls the real `main` with an `Environment` whose streams are files, so that
what a command writes is exactly what a shell would get. `run_process` and
`start_process` are for what only a real process has: signals, pipes, start-up.

LMDB opens a path once per process: close a `Store` of your own before `run` uses
the same data directory.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import dataflare_cli
from dataflare_cli.__main__ import main
from dataflare_cli.commands.context import Environment

# The directory that has to be importable for `python -m dataflare_cli` to work anywhere.
SOURCES = Path(dataflare_cli.__file__).parents[1]
PROCESS_TIMEOUT_S = 120


@dataclass(frozen=True)
class Result:
    """What a run left behind; compares nothing, explains itself when an assert fails."""

    args: tuple[str, ...]
    stdout: bytes
    stderr: str
    code: int

    @property
    def text(self) -> str:
        """Stdout as text."""
        return self.stdout.decode()

    @property
    def lines(self) -> list[str]:
        """Stdout's lines, without their ends."""
        return self.text.splitlines()

    @property
    def json(self) -> Any:
        """Stdout as one JSON value."""
        return json.loads(self.stdout)

    @property
    def error(self) -> Any:
        """The error object that -O json puts on stderr's last line."""
        return json.loads(self.stderr.splitlines()[-1])["error"]


def run(
    *args: str | Path,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    terminal: bool = False,
) -> Result:
    """Run the program in this process; stdin and stdout are files.

    `terminal` makes stdout and stderr count as one (colours, progress).
    """
    argv = tuple(str(arg) for arg in args)
    stderr = StringIO()
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(tempfile.TemporaryFile())
        target = stack.enter_context(tempfile.TemporaryFile())
        source.write(stdin)
        source.seek(0)
        if cwd is not None:
            stack.enter_context(contextlib.chdir(cwd))
        environment = Environment(
            stdin_fd=source.fileno(),
            stdout_fd=target.fileno(),
            stderr=stderr,
            environ={**os.environ, **(env or {})},
            cwd=str(cwd) if cwd is not None else None,
        )
        if terminal:
            environment.stdout_is_terminal = environment.stderr_is_terminal = True
        code = main(list(argv), environment)
        target.seek(0)
        return Result(argv, target.read(), stderr.getvalue(), code)


def command_line(*args: str | Path) -> list[str]:
    """Return the words that start the program as a process."""
    return [sys.executable, "-m", "dataflare_cli", *(str(arg) for arg in args)]


def process_environ(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's variables, with our sources importable and `env` on top."""
    path = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": f"{SOURCES}{os.pathsep}{path}" if path else str(SOURCES),
        "PYTHONSAFEPATH": "1",
        **(env or {}),
    }


def run_process(
    *args: str | Path,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Result:
    """Run the program as a real process, to its end."""
    done = subprocess.run(
        command_line(*args),
        input=stdin,
        capture_output=True,
        env=process_environ(env),
        cwd=cwd,
        timeout=PROCESS_TIMEOUT_S,
    )
    words = tuple(str(arg) for arg in args)
    return Result(words, done.stdout, done.stderr.decode(errors="replace"), done.returncode)


@contextlib.contextmanager
def start_process(
    *args: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    **streams: Any,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the program and hand over the process; killed if it outlives the block.

    Stdin, stdout and stderr are pipes unless `streams` says otherwise.
    """
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen(
        command_line(*args), env=process_environ(env), cwd=cwd, **{**pipes, **streams}
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait(PROCESS_TIMEOUT_S)
