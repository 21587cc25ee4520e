"""Bad days with real processes: kill -9, Ctrl-Z, many at once, full disks, stopped writers."""

import contextlib
import os
import random
import re
import signal
import subprocess
from pathlib import Path

import pytest

from dataflare_cli.catalog import Catalog
from dataflare_cli.log import Log
from dataflare_cli.store import Store
from tests.harness import command_line, process_environ, run, run_process, start_process

WAIT_S = 120


def lines_of(topic: str = "t") -> list[bytes]:
    """Return everything in a topic."""
    result = run("consume", topic, "-B", "-d")
    assert 0 == result.code, result.stderr
    return result.stdout.splitlines()


def assert_sound(data_dir: Path) -> None:
    """Every checksum, every offset, every total."""
    with Store.open(data_dir) as store:
        assert [] == list(Log(store).verify())


@pytest.mark.parametrize("seed", range(6))
def test_killed_producers_lose_nothing_acknowledged(data_dir: Path, seed: int) -> None:
    """Killed at a random moment: what was acknowledged is stored, once, in order.

    Acknowledged is what --tee passed on: it does so after the commit.
    """
    chance = random.Random(seed)
    run("topic", "create", "t")
    with start_process("consume", "t", "-B") as follower:
        acknowledged = b""
        for _ in range(3):
            with start_process("produce", "t", "--tee") as producer:
                assert producer.stdin is not None
                assert producer.stdout is not None
                for number in range(chance.randrange(1, 40)):
                    producer.stdin.write(b"%d %d\n" % (producer.pid, number))
                    producer.stdin.flush()
                    if chance.random() < 0.7:
                        acknowledged += producer.stdout.readline()
                os.kill(producer.pid, signal.SIGKILL)
                acknowledged += producer.communicate(timeout=WAIT_S)[0]
        stored = lines_of()
        assert follower.stdout is not None
        followed = [follower.stdout.readline().rstrip(b"\n") for _ in stored]
        follower.terminate()
        follower.communicate(timeout=WAIT_S)

    assert stored == followed
    assert set(acknowledged.splitlines()) <= set(stored)
    assert len(stored) == len(set(stored))
    assert_sound(data_dir)


def test_a_producer_killed_in_a_large_commit(data_dir: Path, tmp_path: Path) -> None:
    """However far it came, the store is sound and holds a prefix."""
    path = tmp_path / "input"
    path.write_bytes(b"".join(b"%09d%s\n" % (number, b"x" * 90) for number in range(400_000)))
    run("topic", "create", "t")
    for _ in range(3):
        before = len(lines_of())
        with start_process("produce", "t", "-f", path, "--tee") as producer:
            assert producer.stdout is not None
            producer.stdout.read(1_000_000)
            os.kill(producer.pid, signal.SIGKILL)
            acknowledged = 1_000_000 + len(producer.communicate(timeout=WAIT_S)[0])
        stored = lines_of()[before:]

        assert stored == path.read_bytes().splitlines()[: len(stored)]
        assert len(stored) >= acknowledged // 100
    assert_sound(data_dir)


def test_a_stopped_producer_is_named(data_dir: Path) -> None:
    """Who stops inside a commit holds the others; they time out by name, and go on later."""
    run("topic", "create", "t")
    hold = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from dataflare_cli.store import Store\n"
        "store = Store.open(Path(sys.argv[1]))\n"
        "with store.change('append', 'topic t'):\n"
        "    print('held', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGSTOP)\n"
    )
    words = [command_line()[0], "-c", hold, str(data_dir)]
    with (
        subprocess.Popen(words, env=process_environ(), stdout=subprocess.PIPE) as stopped,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(stopped.kill)  # a stopped process would be waited for, for ever
        assert stopped.stdout is not None
        assert b"held\n" == stopped.stdout.readline()
        waiting = run("--lock-timeout", "200ms", "produce", "t", stdin=b"a\n")

        assert 3 == waiting.code
        assert f"process {stopped.pid} (append topic t) is writing" in waiting.stderr
        assert "kill -CONT" in waiting.stderr
        # Readers are not held, and a waiting producer answers Ctrl-C.
        assert [] == lines_of()
        with start_process("produce", "t") as patient:
            assert patient.stdin is not None
            patient.stdin.close()
            patient.stdin = None
            patient.send_signal(signal.SIGTERM)
            patient.communicate(timeout=WAIT_S)
            assert patient.returncode in (143, -signal.SIGTERM)
        os.kill(stopped.pid, signal.SIGCONT)
        stopped.wait(timeout=WAIT_S)
    assert 0 == run("produce", "t", stdin=b"a\n").code
    assert [b"a"] == lines_of()


def test_many_producers_and_followers(data_dir: Path, tmp_path: Path) -> None:
    """Four producers and four followers: every record once, each producer's in order."""
    count = 20_000
    run("topic", "create", "t", "-p", "2")
    outputs = [tmp_path / f"followed-{number}" for number in range(4)]
    running = []
    for output in outputs:
        with output.open("wb") as file:
            words = command_line("consume", "t", "-B", "-n", str(4 * count))
            running.append(subprocess.Popen(words, env=process_environ(), stdout=file))
    producers = []
    for number in range(4):
        source = tmp_path / f"input-{number}"
        source.write_bytes(b"".join(b"%d %06d\n" % (number, index) for index in range(count)))
        # Through cat, so that it comes in pieces.
        pipe = f"cat {source} | " + " ".join(command_line("produce", "t", "-p", str(number % 2)))
        producers.append(subprocess.Popen(["bash", "-c", pipe], env=process_environ()))
    assert [0] * 4 == [producer.wait(timeout=WAIT_S) for producer in producers]
    assert [0] * 4 == [follower.wait(timeout=WAIT_S) for follower in running]

    for output in outputs:
        lines = output.read_bytes().splitlines()
        assert 4 * count == len(lines) == len(set(lines))
        for number in range(4):
            mine = [line for line in lines if line.startswith(b"%d " % number)]
            assert mine == sorted(mine)
    assert_sound(data_dir)


def test_one_by_one_stays_cheap(data_dir: Path) -> None:
    """A thousand lines that came one by one are merged into few batches."""
    run("topic", "create", "t")
    with start_process("produce", "t", "--tee") as producer:
        assert producer.stdin is not None
        assert producer.stdout is not None
        for number in range(1000):
            producer.stdin.write(b"%d\n" % number)
            producer.stdin.flush()
            producer.stdout.readline()
        producer.communicate(timeout=WAIT_S)

    assert [b"%d" % number for number in range(1000)] == lines_of()
    with Store.open(data_dir) as store:
        info = Log(store).partition_info(Catalog(store).topic("t"), 0)
        assert info.batch_count < 300
    assert_sound(data_dir)


def test_a_full_disk(tmp_path: Path) -> None:
    """It is said, with what is stored; nothing is lost, and it goes on once there is room.

    A small file system, where one may be mounted; else a limit on the file's size.
    """
    data = tmp_path / "data"
    source = tmp_path / "input"
    source.write_bytes((b"x" * 99 + b"\n") * 100_000)
    script = f"ulimit -f 4096; exec {' '.join(command_line())} --data-dir {data} produce t"
    run("--data-dir", data, "topic", "create", "t")
    done = subprocess.run(
        ["bash", "-c", f"trap '' XFSZ; {script} -f {source}"],
        env=process_environ(),
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )

    assert 3 == done.returncode, done.stderr
    assert "Traceback" not in done.stderr
    stored = re.search(r"(\d+) records are stored", done.stderr)
    found = run("--data-dir", data, "consume", "t", "-B", "-d").stdout
    assert (int(stored[1]) if stored else 0) <= len(found) // 100
    assert 0 == run("--data-dir", data, "produce", "t", stdin=b"more\n").code
    assert_sound(data)


def test_a_read_only_directory(tmp_path: Path) -> None:
    """Readers say what they need; nothing is made worse."""
    # Root may write anywhere: what a mount refuses is tested on a mount.
    words = ["unshare", "-m", "bash", "-c"] if os.geteuid() == 0 else ["bash", "-c"]
    data = tmp_path / "data"
    run("--data-dir", data, "produce", "t", "--create", stdin=b"a\n")
    program = " ".join(command_line("--data-dir", data))
    mount = f"mount --bind {data} {data} && mount -o remount,ro,bind {data}"
    prepare = mount if os.geteuid() == 0 else f"chmod a-w {data} {data}/*"
    done = subprocess.run(
        [*words, f"{prepare} && {program} consume t -B -d; {program} produce t <<< b; echo $?"],
        env=process_environ(),
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )

    assert done.stdout.endswith("3\n"), done.stderr
    assert "Traceback" not in done.stderr
    if os.geteuid() == 0:
        assert "a\n3\n" == done.stdout
        assert "is read-only" in done.stderr


@pytest.mark.parametrize("seed", range(12))
def test_damaged_pages(data_dir: Path, seed: int) -> None:
    """Zeros or noise in the place of any page: the right data, or 7 (3: not a store) by name."""
    run("produce", "t", "--create", stdin=b"".join(b"%d\n" % number for number in range(5000)))
    for number in range(3):
        run("produce", "t", stdin=b"%d\n" % number)
    sound = run("consume", "t", "-B", "-d").stdout
    file = data_dir / "data.mdb"
    content = bytearray(file.read_bytes())
    chance = random.Random(seed)
    page = chance.randrange(len(content.rstrip(b"\0")) // 4096) * 4096
    content[page : page + 4096] = bytes(4096) if seed % 2 else chance.randbytes(4096)
    file.write_bytes(content)
    done = run_process("consume", "t", "-B", "-d")

    assert done.code in (0, 3, 7), done.stderr
    assert (done.code != 0) or done.stdout == sound
    assert sound.startswith(done.stdout)
    assert "Traceback" not in done.stderr
    assert bool(done.code) == bool(done.stderr)


def test_two_containers_on_one_directory(data_dir: Path) -> None:
    """Equal process ids in two namespaces: LMDB can't tell them apart, and the second is told.

    Everybody else goes on, and so does the second once the first has ended.
    """
    run("topic", "create", "t")
    inside = ["unshare", "-p", "-f", "--kill-child"]
    if os.geteuid() != 0:
        inside = ["unshare", "-U", "-r", "-p", "-f", "--kill-child"]

    def produce(line: bytes) -> "subprocess.CompletedProcess[bytes]":
        words = [*inside, *command_line("produce", "t")]
        return subprocess.run(
            words,
            env=process_environ(),
            input=line,
            capture_output=True,
            check=False,
            timeout=WAIT_S,
        )

    words = [*inside, *command_line("consume", "t", "-B", "-n", "2")]
    with subprocess.Popen(words, env=process_environ(), stdout=subprocess.PIPE) as follower:
        assert follower.stdout is not None
        run("produce", "t", stdin=b"a\n")
        assert b"a\n" == follower.stdout.readline()
        refused = produce(b"b\n")
        run("produce", "t", stdin=b"c\n")
        assert b"c\n" == follower.stdout.read()

    assert 3 == refused.returncode
    assert b"another container's process with this one's id" in refused.stderr
    assert 0 == produce(b"d\n").returncode
    assert [b"a", b"c", b"d"] == lines_of()
    assert_sound(data_dir)
