"""The store's promises: one door, locks that can be waited for, and every bad day by name."""

import os
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb
import pytest

from dataflare_cli.errors import Corruption, DataflareError, Unreachable
from dataflare_cli.store import FORMAT_VERSION, HoldLock, Store
from dataflare_cli.store.translate import translate

HOLD = """
import sys
from pathlib import Path
from dataflare_cli.store import Store
store = Store.open(Path(sys.argv[1]))
with store.change("hold", "the lock"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_change_is_all_or_nothing(tmp_path: Path) -> None:
    """An error inside a change leaves nothing of it."""
    with Store.open(tmp_path) as store:
        with pytest.raises(ZeroDivisionError), store.change("test", "x") as change:
            change.put(b"meta", b"a", b"%d" % (1 // 0))
        with store.view() as view:
            assert view.get(b"meta", b"a") is None


def test_what_is_committed_is_there_after_reopening(tmp_path: Path) -> None:
    """A change survives the environment that made it."""
    with Store.open(tmp_path) as store, store.change("test", "x") as change:
        change.put(b"meta", b"a", b"1")
    with Store.open(tmp_path) as store, store.view() as view:
        assert b"1" == view.get(b"meta", b"a")


def test_a_directory_is_private(tmp_path: Path) -> None:
    """Nobody else can read what is stored."""
    path = tmp_path / "data"
    Store.open(path).close()

    assert 0o700 == path.stat().st_mode & 0o777
    assert 0o600 == (path / "data.mdb").stat().st_mode & 0o777


@contextmanager
def stopped_writer(path: Path) -> Iterator[int]:
    """Have another process hold the writer lock; its id."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert b"held\n" == holder.stdout.readline()
        yield holder.pid
        holder.communicate()


def test_a_busy_store_names_the_holder(tmp_path: Path) -> None:
    """Waiting for a writer ends at the timeout with its process id and what it does."""
    with Store.open(tmp_path, lock_timeout_s=0.05) as store:
        with stopped_writer(tmp_path) as pid:
            message = rf"process {pid} \(hold the lock\)"
            with pytest.raises(Unreachable, match=message), store.change("test", "x"):
                pass
            with pytest.raises(Unreachable, match="busy"):
                Store.open(tmp_path / ".." / tmp_path.name, lock_timeout_s=0.05)
        with store.change("test", "x") as change:
            change.put(b"meta", b"a", b"1")


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    """Who only reads opens the store at once, also beside a stopped writer."""
    Store.open(tmp_path).close()
    with (
        stopped_writer(tmp_path),
        Store.open(tmp_path, read_only=True) as store,
        store.view() as view,
    ):
        assert view.get(b"meta", b"format") is not None


def test_a_wait_can_be_cancelled(tmp_path: Path) -> None:
    """A process that ends does not wait for its turn."""
    with Store.open(tmp_path, lock_timeout_s=600) as store, stopped_writer(tmp_path):
        failures: list[Exception] = []

        def wait() -> None:
            try:
                with store.change("test", "x"):
                    pass
            except Unreachable as exc:
                failures.append(exc)

        waiting = threading.Thread(target=wait)
        waiting.start()
        store.lock.cancel()
        waiting.join(timeout=60)

        assert 1 == len(failures)


def test_a_hold_is_for_one_process(tmp_path: Path) -> None:
    """A second holder is refused, and let in once the first is gone."""
    second = HoldLock(tmp_path / "c", what='consumer "c"')
    message = f"process {os.getpid()}"
    with (
        HoldLock(tmp_path / "c", what='consumer "c"'),
        pytest.raises(Unreachable, match=message),
        second,
    ):
        pass
    with HoldLock(tmp_path / "c", what='consumer "c"'):
        pass


def test_a_superseded_store_is_opened_again(tmp_path: Path) -> None:
    """After a replacement, an open store goes on with the new file."""
    with Store.open(tmp_path / "a") as store:
        with store.change("test", "x") as change:
            change.put(b"meta", b"who", b"old")
        copy = tmp_path / "copy"
        copy.mkdir()
        store.environment.copy(str(copy))
        with lmdb.open(str(copy), max_dbs=9) as other, other.begin(write=True) as txn:
            txn.put(b"who", b"new", db=other.open_db(b"meta", txn=txn))
        with store.change("replace", "store") as change:
            change.put(b"meta", b"superseded", b"1")
            (copy / "data.mdb").rename(tmp_path / "a" / "data.mdb")
        with store.view() as view:
            assert b"new" == view.get(b"meta", b"who")
        with store.change("test", "x") as change:
            change.put(b"meta", b"who", b"newer")
        with store.view() as view:
            assert b"newer" == view.get(b"meta", b"who")


def test_another_machines_store_is_not_taken_for_this_one(tmp_path: Path) -> None:
    """A file swapped in under an open store is refused when it is another cluster's."""
    Store.open(tmp_path / "b").close()
    with Store.open(tmp_path / "a") as store:
        (tmp_path / "b" / "data.mdb").rename(tmp_path / "a" / "data.mdb")
        with pytest.raises(Unreachable, match="another store"), store.view():
            pass


def test_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    """A store of a later release is refused, and not changed."""
    Store.open(tmp_path).close()
    with lmdb.open(str(tmp_path), max_dbs=9) as env, env.begin(write=True) as txn:
        meta = env.open_db(b"meta", txn=txn)
        txn.put(b"format", struct.pack(">I", FORMAT_VERSION + 1), db=meta)
    before = (tmp_path / "data.mdb").read_bytes()

    with pytest.raises(Unreachable, match="newer than this release"):
        Store.open(tmp_path)
    assert before == (tmp_path / "data.mdb").read_bytes()


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\0" * 100_000, os.urandom(50_000), b"SQLite format 3\0" * 1000]
)
def test_a_file_that_is_no_store_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """Bytes under our name that are not ours are never written to."""
    (tmp_path / "data.mdb").write_bytes(content)
    if not content:
        Store.open(tmp_path).close()  # an empty file is what a crashed creation leaves
        return
    with pytest.raises(DataflareError):
        Store.open(tmp_path)
    assert content == (tmp_path / "data.mdb").read_bytes()


def test_another_programs_lmdb_is_left_alone(tmp_path: Path) -> None:
    """An LMDB environment with other databases in it is not a store."""
    with lmdb.open(str(tmp_path), max_dbs=9) as env:
        env.open_db(b"theirs")
    with pytest.raises(Unreachable, match="not a dataflare store"):
        Store.open(tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_store_is_corrupt(tmp_path: Path, share: float) -> None:
    """A cut file is found at open, before a page beyond its end kills the process."""
    with Store.open(tmp_path) as store, store.change("test", "x") as change:
        change.put(b"blobs", b"k", b"v" * 3_000_000)
    with lmdb.open(str(tmp_path), readonly=True) as env:
        size = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    os.truncate(tmp_path / "data.mdb", int(size * share) // 4096 * 4096)

    with pytest.raises(Corruption, match="truncated"):
        Store.open(tmp_path)


def test_a_file_in_the_place_of_a_directory(tmp_path: Path) -> None:
    """A path that is a file is refused by name."""
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(Unreachable, match="is not a directory"):
        Store.open(tmp_path / "file")


def test_a_missing_directory_is_only_made_on_request(tmp_path: Path) -> None:
    """Looking does not create anything."""
    with pytest.raises(Unreachable, match="no data directory"):
        Store.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_a_small_address_space_is_enough(tmp_path: Path) -> None:
    """With `ulimit -v` the map is made smaller instead of failing."""
    program = (
        "from pathlib import Path; from dataflare_cli.store import Store; import sys; "
        "Store.open(Path(sys.argv[1])).close()"
    )
    limit_kib = 32 * 1024 * 1024
    done = subprocess.run(
        [
            "bash",
            "-c",
            f'ulimit -v {limit_kib}; exec "$0" -c "$1" "$2"',
            sys.executable,
            program,
            str(tmp_path),
        ],
        check=False,
        capture_output=True,
        text=True,
    )

    assert (0, "") == (done.returncode, done.stderr)


def test_every_error_of_lmdb_has_a_translation(tmp_path: Path) -> None:
    """No class of LMDB's errors reaches the user as it is."""
    classes = [
        each
        for each in vars(lmdb).values()
        if isinstance(each, type) and issubclass(each, lmdb.Error)
    ]

    assert len(classes) > 20
    for each in classes:
        assert isinstance(translate(tmp_path, each("what it says")), DataflareError)


def test_stores_that_change_places_are_told_apart(tmp_path: Path) -> None:
    """A copy of one machine's store is opened like any; its lock file may be stale."""
    Store.open(tmp_path / "a").close()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with Store.open(tmp_path / "b") as store, store.change("test", "x") as change:
        change.put(b"meta", b"a", b"1")


@pytest.mark.parametrize("name", ["lock.mdb", "write.lock", "bells", "holds", "data.mdb"])
def test_links_inside_are_not_followed(tmp_path: Path, name: str) -> None:
    """A data directory from elsewhere can't make us write to other files."""
    Store.open(tmp_path / "d").close()
    target = tmp_path / "mine"
    inside = tmp_path / "d" / name
    if inside.is_dir():
        inside.rmdir()
        target.mkdir()
    else:
        target.write_bytes(b"precious")
        inside.unlink(missing_ok=True)
    inside.symlink_to(target)

    with pytest.raises(Unreachable, match="symbolic link"):
        Store.open(tmp_path / "d")
    assert target.is_dir() or b"precious" == target.read_bytes()


def test_the_lock_file_may_be_removed(tmp_path: Path) -> None:
    """Whoever comes later and whoever was there lock the same file again."""
    with Store.open(tmp_path, lock_timeout_s=0.05) as store:
        with store.change("test", "x") as change:
            change.put(b"meta", b"a", b"1")
        (tmp_path / "write.lock").unlink()
        with (
            stopped_writer(tmp_path),
            pytest.raises(Unreachable, match="busy"),
            store.change("test", "x"),
        ):
            pass


def test_a_replaced_file_is_taken_up_by_a_writer(tmp_path: Path) -> None:
    """A change that finds another file opens it without waiting for itself."""
    with Store.open(tmp_path, lock_timeout_s=5) as store:
        with store.change("test", "x") as change:
            change.put(b"meta", b"a", b"1")
        shutil.copyfile(tmp_path / "data.mdb", tmp_path / "new.mdb")
        (tmp_path / "new.mdb").rename(tmp_path / "data.mdb")
        with store.change("test", "x") as change:
            change.put(b"meta", b"a", b"2")
        with store.view() as view:
            assert b"2" == view.get(b"meta", b"a")
    with Store.open(tmp_path) as store, store.view() as view:
        assert b"2" == view.get(b"meta", b"a")
