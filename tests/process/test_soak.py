"""The long tests (--soak): a minute of many, hundreds of kills, a sliding window."""

import contextlib
import random
import select
import subprocess
import time
from pathlib import Path

import pytest

from dataflare_cli.catalog import Catalog
from dataflare_cli.log import Log
from dataflare_cli.store import Store
from tests.harness import command_line, process_environ, run, start_process

pytestmark = pytest.mark.soak
MINUTE_S = 60
PAUSE_S = 0.005
GIB = 2**30


def assert_sound(data_dir: Path) -> None:
    """Every checksum, every offset, every total."""
    with Store.open(data_dir) as store:
        assert [] == list(Log(store).verify())


def test_eight_producers_and_eight_followers(data_dir: Path, tmp_path: Path) -> None:
    """For a minute: every follower has every record once, each producer's in order."""
    run("topic", "create", "t", "-p", "2")
    outputs = [tmp_path / f"followed-{number}" for number in range(8)]
    with contextlib.ExitStack() as stack:
        followers = []
        for output in outputs:
            file = stack.enter_context(output.open("wb"))
            follower = start_process("consume", "t", "-B", "--idle-timeout", "15s", stdout=file)
            followers.append(stack.enter_context(follower))
        producers = [
            stack.enter_context(start_process("produce", "t", "-p", str(number % 2)))
            for number in range(8)
        ]
        counts = [0] * len(producers)
        ends = time.monotonic() + MINUTE_S
        while time.monotonic() < ends:
            # Unhurried: it is about who sees what when, not about how much.
            select.select([], [], [], PAUSE_S)
            for number, producer in enumerate(producers):
                assert producer.stdin is not None
                for _ in range(random.randrange(1, 50)):
                    producer.stdin.write(b"%d %08d\n" % (number, counts[number]))
                    counts[number] += 1
                producer.stdin.flush()
        for producer in producers:
            producer.communicate(timeout=MINUTE_S)
        assert [0] * 8 == [producer.returncode for producer in producers]
        assert [0] * 8 == [follower.wait(timeout=5 * MINUTE_S) for follower in followers]

    for output in outputs:
        seen = [0] * len(counts)
        with output.open("rb") as lines:
            for line in lines:
                number, index = map(int, line.split())
                assert seen[number] == index
                seen[number] += 1
        assert counts == seen
    assert_sound(data_dir)


def test_hundreds_of_kills(data_dir: Path, tmp_path: Path) -> None:
    """Two producers at a time, killed at any moment: acknowledged is stored, offsets are dense."""
    chance = random.Random(1)
    path = tmp_path / "input"
    path.write_bytes(b"".join(b"%09d%s\n" % (number, b"x" * 190) for number in range(60_000)))
    run("topic", "create", "t", "--max-partition-size", "100MB")
    for round_ in range(150):
        with (
            start_process("produce", "t", "-f", path, "--tee", stdout=subprocess.DEVNULL) as one,
            start_process("produce", "t", "--tee") as two,
        ):
            assert two.stdin is not None
            assert two.stdout is not None
            two.stdin.write(b"round %d\n" % round_)
            two.stdin.flush()
            acknowledged = two.stdout.readline()
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.wait(timeout=chance.random() / 3)
            for process in (one, two):
                process.kill()
        assert b"round %d\n" % round_ == acknowledged
        last = run("consume", "t", "-T", "70000", "-d", "-G", f"v:^round {round_}$")
        assert acknowledged == last.stdout
    assert_sound(data_dir)


def test_ten_gigabytes_through_half_a_one(data_dir: Path, tmp_path: Path) -> None:
    """The file stays near what is kept, and the end is written as fast as the beginning."""
    path = tmp_path / "input"
    block = b"".join(b"%09d %s\n" % (number, b"x" * 89) for number in range(100_000))
    with path.open("wb") as file:
        for _ in range(GIB // len(block)):
            file.write(block)
    run("topic", "create", "t", "--max-partition-size", "500MiB", "--retention-time", "none")
    seconds = []
    for _ in range(10):
        words = command_line("produce", "t", "-f", path)
        started = time.monotonic()
        subprocess.run(words, env=process_environ(), check=True)
        seconds.append(time.monotonic() - started)
    with Store.open(data_dir) as store:
        live = Log(store).partition_info(Catalog(store).topic("t"), 0).size_bytes

    assert (data_dir / "data.mdb").stat().st_size < 1.3 * live
    # The disk is not ours alone: the median of the last three beside the slowest of the first.
    assert sorted(seconds[-3:])[1] < 2 * max(seconds[:3])
