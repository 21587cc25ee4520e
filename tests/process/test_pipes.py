"""The program as a filter: closed pipes, signals, terminals, idle topics."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tests.harness import command_line, process_environ, run, start_process

pytestmark = pytest.mark.usefixtures("data_dir")
WAIT_S = 60


def shell(script: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a bash script in which `dataflare` is the program."""
    words = " ".join(command_line())
    return subprocess.run(
        ["bash", "-c", f'dataflare() {{ {words} "$@"; }}; {script}'],
        env=process_environ(),
        capture_output=True,
        check=False,
        timeout=WAIT_S,
    )


def test_head_ends_a_reader_quietly() -> None:
    """`| head -1` ends with 141, 0 for head, and not a word on stderr."""
    run("produce", "t", "--create", stdin=b"line\n" * 100_000)
    done = shell('dataflare consume t -B | head -1; echo "${PIPESTATUS[@]}"')

    assert b"line\n141 0\n" == done.stdout
    assert b"" == done.stderr


def test_an_idle_follower_notices_that_nobody_reads() -> None:
    """Also when nothing more is ever written."""
    run("produce", "t", "--create", stdin=b"line\n")
    done = shell('dataflare consume t -B | head -1; echo "${PIPESTATUS[@]}"')

    assert b"line\n141 0\n" == done.stdout
    assert b"" == done.stderr


def test_an_offset_is_stored_after_its_bytes() -> None:
    """A consumer whose reader went away resumes at what was not written."""
    run("produce", "t", "--create", stdin=b"line\n" * 200_000)
    shell("dataflare consume t -B -c c | head -1")
    offsets = run("consumer", "list", "-O", "json").json

    # A pipe holds 64 KiB and one write carries at most 4 MiB of 5-byte lines.
    assert all(each["offset"] < 200_000 - 1 for each in offsets)


def test_sigterm_keeps_what_was_acknowledged() -> None:
    """It says how much was stored, and ends with 143."""
    _interrupted(signal.SIGTERM, 143)


def test_sigint_keeps_what_was_acknowledged() -> None:
    """It says how much was stored, and ends with 130."""
    _interrupted(signal.SIGINT, 130)


def _interrupted(number: signal.Signals, code: int) -> None:
    run("topic", "create", "t")
    with (
        start_process("consume", "t", "-B", "-n", "2") as follower,
        start_process("produce", "t") as producer,
    ):
        assert producer.stdin is not None
        assert follower.stdout is not None
        producer.stdin.write(b"a\nb\nunfinished")
        producer.stdin.flush()
        # The follower has them: they are stored.
        assert b"a\nb\n" == follower.stdout.read()
        producer.send_signal(number)
        _, stderr = producer.communicate(timeout=WAIT_S)

    assert code == producer.returncode
    assert b"2 records are stored" in stderr
    assert b"Traceback" not in stderr
    assert b"a\nb\n" == run("consume", "t", "-B", "-d").stdout


def test_a_follower_ends_at_a_signal() -> None:
    """SIGTERM is 143, without a word."""
    run("produce", "t", "--create", stdin=b"a\n")
    with start_process("consume", "t", "-B") as follower:
        assert follower.stdout is not None
        assert b"a\n" == follower.stdout.readline()
        follower.terminate()
        _, stderr = follower.communicate(timeout=WAIT_S)

    assert (143, b"") == (follower.returncode, stderr)


def test_slow_lines_are_stored_at_once() -> None:
    """A line that comes alone reaches a follower before the next one is written."""
    run("topic", "create", "t")
    with start_process("consume", "t", "-B") as follower, start_process("produce", "t") as producer:
        assert producer.stdin is not None
        assert follower.stdout is not None
        for number in range(20):
            producer.stdin.write(b"%d\n" % number)
            producer.stdin.flush()
            assert b"%d\n" % number == follower.stdout.readline()
        producer.stdin.close()
        assert 0 == producer.wait(timeout=WAIT_S)
        follower.terminate()
        follower.communicate(timeout=WAIT_S)


def test_added_partitions_are_followed() -> None:
    """A follower of all partitions sees what goes into a new one."""
    run("topic", "create", "t")
    with start_process("consume", "t", "-B", "-n", "2") as follower:
        assert follower.stdout is not None
        run("produce", "t", stdin=b"first\n")
        assert b"first\n" == follower.stdout.readline()
        run("topic", "add-partition", "t")
        run("produce", "t", "-p", "1", stdin=b"second\n")
        assert b"second\n" == follower.stdout.readline()
        assert 0 == follower.wait(timeout=WAIT_S)


def test_a_deleted_topic_ends_its_followers() -> None:
    """They say so instead of waiting for ever."""
    run("produce", "t", "--create", stdin=b"a\n")
    with start_process("consume", "t", "-B") as follower:
        assert follower.stdout is not None
        assert b"a\n" == follower.stdout.readline()
        run("topic", "delete", "t")
        _, stderr = follower.communicate(timeout=WAIT_S)

    assert 1 == follower.returncode
    assert b"Topic not found: t" in stderr


def test_one_process_per_consumer() -> None:
    """A second one is refused and told who has it."""
    run("produce", "t", "--create", stdin=b"a\n")
    with start_process("consume", "t", "-B", "-c", "c") as first:
        assert first.stdout is not None
        assert b"a\n" == first.stdout.readline()
        second = run("consume", "t", "-B", "-d", "-c", "c")
        first.terminate()
        first.communicate(timeout=WAIT_S)

    assert 3 == second.code
    assert f"process {first.pid}" in second.stderr


def test_stdout_on_a_full_device() -> None:
    """A write that fails is an error with a reason."""
    run("produce", "t", "--create", stdin=b"a\n")
    done = shell("dataflare consume t -B -d > /dev/full")

    assert 3 == done.returncode
    assert b"disk is full" in done.stderr


def test_stdout_that_is_closed() -> None:
    """It is no reason for a traceback."""
    run("produce", "t", "--create", stdin=b"a\n")
    done = shell("dataflare consume t -B -d >&-")

    assert 3 == done.returncode
    assert b"Traceback" not in done.stderr


def test_the_prompt() -> None:
    """On a terminal each line is prompted for and acknowledged, as Fluvio does."""
    run("topic", "create", "t")
    words = command_line("produce", "t")
    child = pexpect.spawn(words[0], words[1:], env=process_environ(), timeout=WAIT_S)
    child.expect_exact("> ")
    child.sendline("hello")
    child.expect_exact("Ok!")
    child.expect_exact("> ")
    child.sendeof()
    child.expect_exact("Ok!")
    child.expect(pexpect.EOF)
    child.close()

    assert 0 == child.exitstatus
    assert b"hello\n" == run("consume", "t", "-B", "-d").stdout


def test_a_terminal_is_told_where_it_starts() -> None:
    """The status line is on stderr, and only for a terminal."""
    run("produce", "t", "--create", stdin=b"hello\n")
    words = command_line("consume", "t", "-T", "1", "-d")
    child = pexpect.spawn(words[0], words[1:], env=process_environ(), timeout=WAIT_S)
    child.expect_exact("Consuming records from 't' starting 1 from the end of log")
    child.expect_exact("hello")
    child.expect(pexpect.EOF)
    child.close()

    assert 0 == child.exitstatus


def test_memory_does_not_grow_with_the_input(tmp_path: Path) -> None:
    """300 MB through produce and consume, below 150 MB of anonymous memory."""
    path = tmp_path / "input"
    with path.open("wb") as file:
        for number in range(300):
            file.write((b"%09d " % number + b"x" * 89 + b"\n") * 10_000)
    run("topic", "create", "t", "--retention-time", "none")
    measure = (
        "import sys, re, os, runpy, atexit\n"
        "sys.argv = sys.argv[1:]\n"
        "from dataflare_cli.__main__ import main\n"
        "code = main(sys.argv)\n"
        "text = open('/proc/self/status').read()\n"
        "print(re.search(r'RssAnon:\\s+(\\d+)', text)[1], file=sys.stderr)\n"
        "os._exit(code)\n"
    )
    for words in (["produce", "t", "-f", str(path)], ["consume", "t", "-B", "-d"]):
        done = subprocess.run(
            [sys.executable, "-c", measure, *words],
            env=process_environ(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
            timeout=WAIT_S,
        )

        assert int(done.stderr.split()[-1]) * 1024 < 150_000_000


def test_the_report_of_a_pipe() -> None:
    """What goes through a real pipe is all there, in few commits."""
    done = shell(
        "head -c 3000000 /dev/zero | tr '\\0' 'x' | fold -w 100 |"
        " dataflare produce t --create --report json"
    )
    report = json.loads(done.stderr)

    assert 30_000 == report["records"]
    assert report["commits"] < 1000


def test_a_timeout_passes_while_nobody_reads() -> None:
    """A reader that does not read does not keep --timeout from ending the run."""
    run("produce", "t", "--create", stdin=b"line\n" * 100_000)
    with start_process("consume", "t", "-B", "--timeout", "300ms") as consumer:
        # Nothing is read from its stdout before it has ended.
        assert 124 == consumer.wait(timeout=WAIT_S)


def test_a_follower_takes_up_a_replaced_store(data_dir: Path) -> None:
    """And says so if the replacement lacks what it has read already."""
    run("produce", "t", "--create", stdin=b"1\n2\n")
    older = (data_dir / "data.mdb").read_bytes()
    run("produce", "t", stdin=b"3\n4\n")
    with start_process("consume", "t", "-B") as follower:
        assert follower.stdout is not None
        assert b"1\n2\n3\n4\n" == b"".join(follower.stdout.readline() for _ in range(4))
        copy = data_dir / "copy"
        copy.write_bytes(older)
        copy.rename(data_dir / "data.mdb")
        run("produce", "t", stdin=b"other\n")
        _, stderr = follower.communicate(timeout=WAIT_S)

    assert 3 == follower.returncode
    assert b"older copy" in stderr


def test_a_line_of_a_hundred_megabytes() -> None:
    """It is refused by Fluvio's message as soon as it is too long, and never held in memory."""
    done = shell(
        "ulimit -v 8000000; (echo ok; head -c 100000000 /dev/zero) | dataflare produce t --create"
    )

    assert 1 == done.returncode
    assert b"exceeded maximum request size (1048576 bytes) (stdin, line 2" in done.stderr
    assert b"ok\n" == run("consume", "t", "-B", "-d").stdout


def test_topics_made_later_are_followed_by_pattern() -> None:
    """A follower of a pattern takes up what matches it, from its beginning."""
    run("produce", "log-a", "--create", stdin=b"first\n")
    with start_process("consume", "-r", "log-.*", "-B", "-n", "3") as follower:
        assert follower.stdout is not None
        assert b"first\n" == follower.stdout.readline()
        run("produce", "other", "--create", stdin=b"no\n")
        run("produce", "log-b", "--create", stdin=b"second\n")
        assert b"second\n" == follower.stdout.readline()
        run("produce", "log-b", stdin=b"third\n")
        assert b"third\n" == follower.stdout.readline()
        assert 0 == follower.wait(timeout=WAIT_S)
