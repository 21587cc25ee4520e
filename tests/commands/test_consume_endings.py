"""Where `consume` through SmartModules ends, and what it goes on with: limits, failures, time."""

import time
from pathlib import Path

import pytest
import wat

from tests.harness import Result, run

STATELESS = wat.with_metadata(wat.puppet(words="TLBEdx"), {"stateless": True})
BOTH = pytest.mark.parametrize("module", ["puppet", "stateless"])


@pytest.fixture
def modules(data_dir: Path, tmp_path: Path) -> Path:
    """A directory with modules as files."""
    for name, wasm in (
        ("puppet", wat.puppet()),
        ("stateless", STATELESS),
        ("twice", wat.puppet(kind="array_map")),
        ("fed", wat.tells_fed()),
    ):
        (tmp_path / f"{name}.wasm").write_bytes(wasm)
    return tmp_path


def produce(*values: str, options: tuple[str, ...] = ("--create",)) -> None:
    stdin = "".join(f"{value}\n" for value in values).encode()
    assert 0 == run("produce", "t", *options, stdin=stdin).code


def produce_in_turn(*values: str) -> None:
    """Write values to two partitions in turn, a millisecond apart."""
    run("topic", "create", "t", "-p", "2")
    for stamp, value in enumerate(values):
        produce(value, options=("--timestamp", str(stamp), "-p", str(stamp % 2)))


def consume(modules: Path, module: str, *options: str) -> Result:
    return run(
        *("consume", "t", "-d", "-B", "--smartmodule-path", f"{module}.wasm"), *options, cwd=modules
    )


# --------------------------------------------------------------------------- limits


@pytest.mark.parametrize("options", [(), ("--order", "time"), ("--grep", "v:x")])
def test_a_limit_inside_of_a_record_loses_nothing(options, modules):
    """A consumer can't go on inside of a record: what became of it is printed whole."""
    produce("x1", "x2", "x3")
    kept = [consume(modules, "twice", "-c", "r", "-n", "1", *options).lines for _ in range(4)]
    alone = consume(modules, "twice", "-n", "1", *options).lines
    unmoved = consume(modules, "twice", "-c", "q", "--no-commit", "-n", "3", *options).lines

    assert [2, 2, 2, 0] == [len(lines) for lines in kept]
    assert [f"x{each}" for each in (1, 1, 2, 2, 3, 3)] == [each for lines in kept for each in lines]
    assert (1, 3) == (len(alone), len(unmoved))


# --------------------------------------------------------------------------- order


def test_order_time_stops_at_a_failure(modules):
    """In time, whichever partition it is in: all before it is printed, and nothing behind."""
    produce_in_turn("a", "b", "c", "E", "d", "e")
    result = consume(modules, "puppet", "--order", "time")

    assert (1, ["a", "b", "c"]) == (result.code, result.lines)
    assert "t-1, offset 1;" in result.stderr


def test_order_time_stops_at_a_module_that_can_t_go_on(modules):
    """As one that has look_back and traps: its records are not tried one by one."""
    (modules / "remembers.wasm").write_bytes(wat.puppet(more=wat.LOOK_BACK))
    produce_in_turn("a", "b", "c", "T", "d", "e")
    result = consume(modules, "remembers", "--order", "time")

    assert (1, ["a"]) == (result.code, result.lines)
    assert "Offset: one of 0 to 2" in result.stderr


def test_order_time_counts_what_it_has_seen(modules):
    """Of how many records some were skipped."""
    produce("a", "E", "d", "b")
    result = consume(modules, "puppet", "--order", "time", "--on-error", "skip")

    assert (5, ["a", "b"]) == (result.code, result.lines)
    assert "error: 1 record was skipped, of 4: a SmartModule failed at them" in result.stderr


def test_order_time_sends_a_dead_letter_once(modules):
    """Also of the last record."""
    produce("a", "E")
    for _ in range(2):
        options = ("-c", "reader", "--order", "time", "--on-error", "dead-letter=failed")
        consume(modules, "puppet", *options)

    assert ["E"] == run("consume", "failed", "-B", "-d").lines


def test_order_time_counts_what_was_dropped_as_seen(modules):
    """A consumer does not look at it again."""
    produce("a", "d", "d")
    consume(modules, "puppet", "-c", "reader", "--order", "time")
    (row,) = run("consumer", "list", "-O", "json").json

    assert 2 == row["offset"]


# --------------------------------------------------------------------------- time


@BOTH
def test_a_timeout_ends_a_call(module, modules):
    """The command's own limit is above that of a call."""
    produce("a", "L")
    began = time.monotonic()
    result = consume(modules, module, "--timeout", "300ms", "--sm-time", "50s")

    assert (124, True) == (result.code, time.monotonic() - began < 10)
    assert "error: --timeout of 0.3 s has passed" in result.stderr


@pytest.mark.parametrize("count", [2**32, 2**64, 10**30])
def test_a_look_back_that_is_too_large(count, modules):
    """A usage error."""
    produce("a")
    result = consume(modules, "fed", "-l", str(count))

    assert (2, True) == (result.code, "is not in the range" in result.stderr)
