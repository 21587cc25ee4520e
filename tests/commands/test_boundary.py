"""How a run ends: the boundary's exit codes and messages, in this process and as real ones."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pexpect
import pytest
from harness import command_line, process_environ, run, run_process, start_process

from dataflare_cli import errors
from dataflare_cli.commands.context import Environment, Terminated, boundary

# Runs `act` as the program would run a command: signals, boundary, end of the process.
PROGRAM = """
import os, sys, time
from dataflare_cli import __main__
from dataflare_cli.commands import app
def act(env, words):
    {body}
    return 0
app.run = act
__main__.entry()
"""


def program(*body: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM.format(body="\n    ".join(body))]


def run_program(*body: str, **options) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        program(*body), env=process_environ(), capture_output=True, timeout=60, **options
    )


def end_with(
    exc: BaseException | None, *, error_format: Literal["text", "json"] = "text"
) -> tuple[int, str]:
    """Return what the boundary makes of an exception: exit code and stderr."""
    stderr = io.StringIO()
    env = Environment(stderr=stderr, environ={})
    env.error_format = error_format

    def act() -> int:
        if exc is not None:
            raise exc
        return 0

    return boundary(env, act), stderr.getvalue()


ENDS = [
    (0, None, ""),
    (1, errors.NotFound("topic", "x"), "error: Topic not found: x\n"),
    (1, errors.AlreadyExists("topic", "x"), "error: Topic already exists: x\n"),
    (1, errors.DataError("bad"), "error: bad\n"),
    (2, errors.UsageError("what?", hint="try this"), "error: what?\n  try this\n"),
    (2, errors.ConfigError("f.toml", "odd"), "error: f.toml: odd\n"),
    (3, errors.Unreachable("store", "busy"), "error: store: busy\n"),
    (3, MemoryError(), "error: memory: the operating system gives no more of it\n"),
    (3, OSError(errno.ENOSPC, "x", "/d/f"), "error: /d/f: the disk is full\n"),
    (3, IsADirectoryError(errno.EISDIR, "x", "/d"), "error: /d: is a directory\n"),
    (3, PermissionError(errno.EACCES, "x", b"/d"), "error: /d: permission denied\n"),
    (1, FileNotFoundError(errno.ENOENT, "x", "/d"), "error: File not found: /d\n"),
    (4, errors.NothingProcessed("nothing came"), "error: nothing came\n"),
    (5, errors.PartialFailure("1 of 2 failed", failed=1, total=2), "error: 1 of 2 failed\n"),
    (6, errors.Denied("no"), "error: no\n"),
    (7, errors.Corruption("b", expected=1, found=2), "error: b is corrupt: expected 1, found 2\n"),
    (124, errors.TimedOut("too late"), "error: too late\n"),
    (130, KeyboardInterrupt(), ""),
    (141, BrokenPipeError(), ""),
    (143, Terminated(), ""),
]


@pytest.mark.parametrize(("code", "exc", "message"), ENDS, ids=lambda each: type(each).__name__)
def test_every_error_has_its_exit_code_and_message(code, exc, message):
    """The boundary alone turns errors into an exit code and what is said about them."""
    assert (code, message) == end_with(exc)


def test_a_bug_is_70_with_traceback_and_tracker():
    """What no module expected is shown whole, and where to report it."""
    code, message = end_with(ZeroDivisionError("division by zero"))

    assert 70 == code
    assert message.startswith("Traceback (most recent call last):\n")
    assert "ZeroDivisionError: division by zero\n" in message
    assert "this is a bug in dataflare; please report it" in message


def test_errors_as_json_are_one_object_with_the_fields():
    """With -O json a script finds message, hint, exit code and what the error knows."""
    exc = errors.NotFound("topic", "lgos", suggestions=["logs"])
    code, message = end_with(exc, error_format="json")

    assert 1 == code
    assert {
        "error": {
            "type": "NotFound",
            "message": "Topic not found: lgos",
            "hint": 'did you mean "logs"?',
            "exit_code": 1,
            "kind": "topic",
            "name": "lgos",
            "suggestions": ["logs"],
        }
    } == json.loads(message)


def test_a_bug_as_json_is_one_object_too():
    """A script that parses stderr gets an object even then."""
    code, message = end_with(ZeroDivisionError("x"), error_format="json")
    error = json.loads(message)["error"]

    assert (70, 70, "Bug") == (code, error["exit_code"], error["type"])
    assert "ZeroDivisionError: x" in error["traceback"]


def test_wrong_usage_with_json_output_is_json():
    """The format is known even when the parser gives up before -O is read."""
    result = run("profile", "list", "--bogus", "-O", "JSON")

    assert (2, 2) == (result.code, result.error["exit_code"])
    assert "No such option: --bogus" == result.error["message"]


def test_messages_carry_no_terminal_commands():
    """An error that quotes data shows its control characters, lines stay lines."""
    _, message = end_with(errors.DataError("a\x1b[2Jb\nc\x9b"))

    assert "error: a\\x1b[2Jb\nc\\x9b\n" == message


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_quietly(number, code):
    """Ctrl-C and SIGTERM are no errors; the finally blocks of a command have run."""
    body = (
        "try:",
        "    env.print('ready'); os.read(0, 1)",
        "finally:",
        "    env.print('cleaned up')",
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(
        program(*body), env=process_environ(), stdin=pipe, stdout=pipe, stderr=pipe
    ) as process:
        assert b"ready\n" == process.stdout.readline()
        process.send_signal(number)

        assert (b"cleaned up\n", b"") == process.communicate(timeout=60)
        assert code == process.returncode


def test_a_second_sigterm_kills():
    """A command that cleans up for ever can still be ended politely, asked twice."""
    body = (
        "try:",
        "    env.print('ready'); os.read(0, 1)",
        "finally:",
        "    env.print('cleaning'); os.read(0, 1)",
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(
        program(*body), env=process_environ(), stdin=pipe, stdout=pipe
    ) as process:
        for word in (b"ready\n", b"cleaning\n"):
            assert word == process.stdout.readline()
            process.terminate()

        assert -signal.SIGTERM == process.wait(60)


def test_an_ignored_sigterm_stays_ignored():
    """A parent that protects its children from SIGTERM means it."""
    done = run_program(
        "import signal; os.kill(os.getpid(), signal.SIGTERM); env.print('alive')",
        preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    )

    assert (0, b"alive\n") == (done.returncode, done.stdout)


@pytest.mark.parametrize("words", [["--version"], ["version"], ["config", "path"], ["--help"]])
def test_a_reader_that_went_away_ends_with_141_quietly(words):
    """Writing to a closed pipe is no error and leaves nothing on stderr."""
    read, write = os.pipe()
    os.close(read)
    with start_process(*words, stdout=write) as process:
        os.close(write)

        assert b"" == process.stderr.read()
        assert 141 == process.wait(60)


@pytest.mark.parametrize("words", [["--version"], ["config", "path"]])
def test_a_full_disk_behind_stdout_is_3(words):
    """What could not be written is said, with stdout's name."""
    with Path("/dev/full").open("wb") as full, start_process(*words, stdout=full) as process:
        assert b"error: stdout: the disk is full\n" == process.stderr.read()
        assert 3 == process.wait(60)


@pytest.mark.parametrize("words", ["--version", "config path"])
def test_a_closed_stdout_is_3(words):
    """Output into nothing is not success."""
    command = " ".join(command_line()) + f" {words} >&-"
    done = subprocess.run(
        ["sh", "-c", command], env=process_environ(), capture_output=True, timeout=60
    )

    assert (3, b"error: stdout: is closed\n") == (done.returncode, done.stderr)


def test_a_closed_stderr_is_ignored():
    """Messages that can't be written are dropped; the exit code stays."""
    command = " ".join(command_line("config", "shwo")) + " 2>&-"
    done = subprocess.run(["sh", "-c", command], env=process_environ(), timeout=60)

    assert 2 == done.returncode


def test_no_file_of_ours_becomes_stdout():
    """With stdout closed, a data file can't get its number and be written over."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&-', "sh", *program("env.warn(str(os.open('/', 0)))")],
        env=process_environ(),
        capture_output=True,
        timeout=60,
    )

    assert (0, True) == (done.returncode, int(done.stderr) > 2)


def test_everything_is_written_to_a_slow_non_blocking_pipe():
    """EAGAIN means waiting, not losing."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    process = subprocess.Popen(
        program("env.write(b'x' * 3_000_000)"), env=process_environ(), stdout=write
    )
    os.close(write)
    with os.fdopen(read, "rb") as source:
        assert 3_000_000 == len(source.read())
    assert 0 == process.wait(60)


def test_text_a_library_left_in_stdout_is_flushed():
    """The process ends at once, but not before what was printed is out."""
    assert b"hello" == run_program("print('hello', end='')").stdout


def test_a_bug_in_a_real_process_is_70():
    """The traceback goes to stderr."""
    done = run_program("raise ZeroDivisionError")

    assert 70 == done.returncode
    assert b"ZeroDivisionError" in done.stderr


def test_errors_are_red_on_a_terminal_only():
    """Colour is for people: a terminal, unless NO_COLOR or TERM=dumb say otherwise."""
    seen = {}
    for name, env in {"plain": {}, "no": {"NO_COLOR": "1"}, "dumb": {"TERM": "dumb"}}.items():
        words = command_line("config", "shwo")
        child = pexpect.spawn(words[0], words[1:], env=process_environ(env), timeout=60)
        seen[name] = b"\x1b[1;31merror:\x1b[0m" in child.read()
        child.close()
    forced = run_process("config", "shwo", env={"FORCE_COLOR": "1"}).stderr

    assert {"plain": True, "no": False, "dumb": False} == seen
    assert forced.startswith("\x1b[1;31merror:")
    assert run_process("config", "shwo").stderr.startswith("error:")


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [("y", 0, "done"), ("YES", 0, "done"), ("n", 1, "nothing was done"), ("", 1, "nothing was")],
)
def test_what_destroys_asks_on_a_terminal(answer, code, said):
    """Only an explicit yes is one."""
    words = program("env.confirm('Delete all?', yes=False); env.print('done')")
    child = pexpect.spawn(words[0], words[1:], env=process_environ(), timeout=60)
    child.expect_exact("Delete all? [y/N] ")
    child.sendline(answer)
    child.expect_exact(said)
    child.expect(pexpect.EOF)
    child.close()

    assert code == child.exitstatus


def test_without_a_terminal_nothing_is_destroyed_unasked():
    """A script has to say --yes."""
    done = run_program("env.confirm('Delete all?', yes=False)", input=b"y\n")

    assert 2 == done.returncode
    assert b"error: Delete all? Nobody can be asked here\n  say so with --yes\n" == done.stderr
    assert 0 == run_program("env.confirm('Delete all?', yes=True)", input=b"").returncode


def test_quiet_and_verbose_choose_what_is_said():
    """-q leaves warnings and errors, -v adds details."""
    seen = {}
    for name in ("normal", "quiet", "verbose"):
        env = Environment(stderr=io.StringIO(), environ={})
        env.quiet, env.verbose = name == "quiet", name == "verbose"
        env.say("said")
        env.detail("detailed")
        env.warn("warned")
        seen[name] = env.stderr.getvalue().split()

    assert {
        "normal": ["said", "warned"],
        "quiet": ["warned"],
        "verbose": ["said", "detailed", "warned"],
    } == seen


def test_the_width_of_a_terminal_is_columns_or_80():
    """COLUMNS counts for more than what the terminal says; no terminal is 80 wide."""
    with Path(os.devnull).open("wb") as file:
        widths = [
            Environment(stdout_fd=file.fileno(), environ={"COLUMNS": each}).width
            for each in ("132", "", "-1", "x")
        ]

    assert [132, 80, 80, 80] == widths
