"""`dataflare transform` as a part of pipes: slow input, readers that go away, signals."""

import signal
import subprocess
import time
from pathlib import Path

import pytest
import wat

from tests.busy import wait_until_busy
from tests.harness import command_line, process_environ, start_process

WAIT_S = 60
# Far more than anything here takes: what is waited for would fail the test.
LONG = "100s"


@pytest.fixture
def modules(data_dir: Path, tmp_path: Path) -> Path:
    """A directory with modules as files."""
    stateless = wat.with_metadata(wat.puppet(words="TLBEdx"), {"stateless": True})
    (tmp_path / "puppet.wasm").write_bytes(wat.puppet())
    (tmp_path / "stateless.wasm").write_bytes(stateless)
    return tmp_path


BOTH = pytest.mark.parametrize("module", ["puppet", "stateless"])


@pytest.mark.parametrize("module", ["puppet", "stateless", None])
@pytest.mark.parametrize("output", ["raw", "csv", "records"])
def test_slow_lines_come_out_at_once(module, output, modules):
    """Each is there before the next one is written."""
    chosen = () if module is None else ("--smartmodule-path", f"{module}.wasm")
    with start_process("transform", *chosen, "-O", output, cwd=modules) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if output == "csv":
            process.stdin.write(b"first\n")
            process.stdin.flush()
            assert process.stdout.readline().startswith(b"topic,")
            assert b"first" in process.stdout.readline()
        for number in range(20):
            process.stdin.write(b"line %d\n" % number)
            process.stdin.flush()
            assert b"line %d" % number in process.stdout.readline()
        process.stdin.close()
        assert (b"", 0) == (process.stdout.read(), process.wait(timeout=WAIT_S))


@pytest.mark.parametrize("module", ["puppet", "stateless", None])
def test_a_reader_that_went_away_ends_it_quietly(module, modules):
    """141, and not a word, although the input never ends."""
    chosen = "" if module is None else f"--smartmodule-path {module}.wasm"
    words = " ".join(command_line("transform"))
    done = subprocess.run(
        ["bash", "-c", f'yes line | {words} {chosen} | head -1; echo "${{PIPESTATUS[*]}}"'],
        env=process_environ(),
        cwd=modules,
        capture_output=True,
        timeout=WAIT_S,
    )

    assert (b"line\n141 141 0\n", b"") == (done.stdout, done.stderr)


@BOTH
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_a_signal_ends_a_module_that_never_ends(number, code, module, modules):
    """At once, not when its time is over; what was written before stays."""
    options = ("--smartmodule-path", f"{module}.wasm", "--sm-time", LONG)
    with start_process("transform", *options, cwd=modules) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"a\n")
        process.stdin.flush()
        assert b"a\n" == process.stdout.readline()
        process.stdin.write(b"L\n")
        process.stdin.flush()
        wait_until_busy(process.pid)
        began = time.monotonic()
        process.send_signal(number)
        assert (b"", b"") == process.communicate(timeout=WAIT_S)

    assert (code, True) == (process.returncode, time.monotonic() - began < 10)
