"""The program: `main` for whoever has arguments, `entry` for the console script.

What a shell prompt waits for, --version and Tab, is answered before Typer is imported.
"""

from __future__ import annotations

import os
import sys

# Not typing's own: importing it takes 8 ms, as long as all the rest of a fast answer.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from dataflare_cli.commands.context import Environment

VERSION_WORDS = (["--version"], ["-V"])


def main(argv: Sequence[str] | None = None, environment: Environment | None = None) -> int:
    """Run the program and return its exit code.

    Without an `environment` this is the process itself: it answers signals.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["__complete"]:
        from dataflare_cli.commands.complete import answer

        return _write(answer(words[1:], _variables(environment)), environment)
    if words in VERSION_WORDS or words == ["version"]:
        from dataflare_cli.commands.about import version_line, version_text

        return _write(version_text() if words == ["version"] else version_line(), environment)
    return _run(words, environment)


def _run(words: list[str], environment: Environment | None) -> int:
    from dataflare_cli.commands.context import Environment, answering_signals, boundary

    env = Environment() if environment is None else environment

    def act() -> int:
        from dataflare_cli.commands.app import run

        if environment is not None:
            return run(env, words)
        env.owns_process = True
        with answering_signals():
            return run(env, words)

    return boundary(env, act)


def _write(text: str, environment: Environment | None) -> int:
    """Print a short text; anything unusual is left to the boundary to put in words."""
    data = f"{text}\n".encode() if text else b""
    if environment is None:
        try:
            written = os.write(1, data)
        except OSError:
            written = 0
        data = data[written:]
    if not data:
        return 0
    from dataflare_cli.commands.context import Environment, boundary

    env = Environment() if environment is None else environment

    def act() -> int:
        env.write(data)
        return 0

    return boundary(env, act)


def _variables(environment: Environment | None) -> dict[str, str]:
    return dict(os.environ if environment is None else environment.environ)


def entry() -> NoReturn:
    """Run as the console script; never returns, and leaves at once when all is said."""
    _occupy_standard_streams()
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130  # while modules were still being imported
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            continue  # closed, or nobody reads it any more
    # Not sys.exit: taking modules apart costs milliseconds, and may complain on stderr.
    os._exit(code)


def _occupy_standard_streams() -> None:
    """Open what is closed of descriptors 0 to 2, so that no data file becomes stdout.

    In the wrong direction, so that using it is the error it would have been.
    """
    for descriptor, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)


if __name__ == "__main__":
    entry()
