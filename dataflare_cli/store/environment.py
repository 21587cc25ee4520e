"""The store: one LMDB environment per data directory, and the one door for changes.

Hides LMDB: its environment, named databases, transactions, map size and errors.

Invariants
- A change is durable when its `with` block has ended without an error (with
  durability "relaxed", a power cut may lose the last commit, never corrupt).
- Nobody waits inside LMDB's own mutex, which can't be interrupted or timed out:
  `write.lock` is taken first, by a flock that is.
- A store whose file was replaced (`meta.superseded`, or another inode under the
  same name) is opened again before anything is read or written.
- Read transactions are as short as their `with` block; nothing outlives them.

A data directory (0700): data.mdb, lock.mdb, write.lock, bells/, holds/.
"""

import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, TypeVar

import lmdb

from dataflare_cli.errors import Corruption, Unreachable
from dataflare_cli.store.lock import WriteLock
from dataflare_cli.store.translate import READERS_MAX, not_a_store, translate, unreachable

if TYPE_CHECKING:
    from types import TracebackType

Durability = Literal["full", "relaxed"]

FORMAT_VERSION = 1
# 1 TiB, sparse: an address range, not disk. Halved where `ulimit -v` forbids it.
MAP_BYTES = 1 << 40
MAP_BYTES_MIN = 4 << 30
# What a commit may add to the file beside its values: pages of the trees, and the list of
# free ones. Room that is not used is a hole in the file.
GROWTH_BYTES_MIN = 1 << 20
GROWTH_BYTES_PER_PUT = 2 * 4096
# LMDB registers readers by process id; a dead one's slot pins pages until it is cleared.
COMMITS_PER_READER_CHECK = 1000
# Two containers on one directory can have equal process ids: LMDB answers EAGAIN meanwhile.
SAME_PID_RETRY_S = 2.0

DATABASES = (
    b"meta",
    b"catalog",
    b"blobs",
    b"partitions",
    b"log",
    b"times",
    b"consumers",
    b"audit",
    b"audit_tree",
)
_U32 = struct.Struct(">I")
_T = TypeVar("_T")
# A key or value that is not as long as it has to be is damage, too.
_FOREIGN = (lmdb.Error, struct.error)


class View:
    """A read transaction; every buffer it gives is valid until its block ends."""

    def __init__(self, store: "Store", txn: lmdb.Transaction) -> None:
        self.store = store
        self.txn = txn

    def get(self, database: bytes, key: bytes) -> bytes | None:
        """Return a value as bytes of its own, or None."""
        value = self.txn.get(key, db=self.store.database(database))
        return None if value is None else bytes(value)

    def cursor(self, database: bytes) -> lmdb.Cursor:
        """Return a cursor whose keys and values are memoryviews into the map."""
        return self.txn.cursor(db=self.store.database(database))

    def items(self, database: bytes, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries whose key begins with `prefix`, in key order, as bytes."""
        cursor = self.cursor(database)
        if cursor.set_range(prefix) if prefix else cursor.first():
            for key, value in cursor:
                if bytes(key[: len(prefix)]) != prefix:
                    return
                yield bytes(key), bytes(value)


class Change(View):
    """A write transaction: all of it is committed at the end of its block, or nothing.

    `action` and `resource` say what is being done to what; the audit trail reads them.
    """

    def __init__(self, store: "Store", txn: lmdb.Transaction, action: str, resource: str) -> None:
        super().__init__(store, txn)
        self.action, self.resource = action, resource
        self.after_commit: list[Callable[[], None]] = []
        self.growth_bytes = GROWTH_BYTES_MIN

    def put(self, database: bytes, key: bytes, value: "bytes | bytearray | memoryview") -> None:
        """Store a value, replacing what was there."""
        self.growth_bytes += len(value) + GROWTH_BYTES_PER_PUT
        self.txn.put(key, value, db=self.store.database(database))

    def insert(
        self,
        database: bytes,
        key: bytes,
        value: "bytes | bytearray | memoryview",
        *,
        last: bool = False,
    ) -> None:
        """Store a value under a key that must be new (`last`: and the largest)."""
        self.growth_bytes += len(value) + GROWTH_BYTES_PER_PUT
        if not self.txn.put(
            key, value, db=self.store.database(database), overwrite=False, append=last
        ):
            raise Corruption(
                f"database {database.decode()}", expected=f"no key {key.hex()}", found="one"
            )

    def delete(self, database: bytes, key: bytes) -> bool:
        """Remove a key; tell whether it was there."""
        return bool(self.txn.delete(key, db=self.store.database(database)))

    def count_up(self, counter: bytes) -> int:
        """Take the next number of a counter that never goes back."""
        raw = self.get(b"meta", counter)
        number = _U32.unpack(raw)[0] if raw else 1
        self.put(b"meta", counter, _U32.pack(number + 1))
        return int(number)


class Store:
    """An open data directory. One per path and process: LMDB refuses a second."""

    def __init__(
        self, path: Path, *, read_only: bool, durability: Durability, lock_timeout_s: float
    ) -> None:
        self.path = path
        self.read_only = read_only
        self.durability = durability
        self.lock = WriteLock(path / "write.lock", timeout_s=lock_timeout_s)
        self.cluster_id = b""
        # Counts how often another file took this one's place.
        self.generation = 0
        self._commits = 0
        self._env: lmdb.Environment | None = None
        self._inode = (0, 0)
        self._databases: dict[bytes, lmdb._Database] = {}

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        create: bool = True,
        read_only: bool = False,
        durability: Durability = "full",
        lock_timeout_s: float = 30.0,
    ) -> "Store":
        """Open a data directory, making it on first use unless `create` is false.

        `read_only` is for whoever never changes anything: it does not wait for a writer,
        not even a stopped one. It is what is left where the file system is mounted
        read-only.

        Raises:
            Unreachable: not a directory, not a store, a newer format, no permission,
                truncated, or busy.
        """
        exists = (path / "data.mdb").exists()
        if not exists and (read_only or not create):
            raise _nothing_here(path)
        if exists and not read_only:
            read_only = _mounted_read_only(path)
        store = cls(path, read_only=read_only, durability=durability, lock_timeout_s=lock_timeout_s)
        try:
            if not read_only:
                _make_directories(path)
            store._open_environment()
        except OSError as exc:
            raise unreachable(path, exc) from exc
        except lmdb.Error as exc:
            raise translate(path, exc) from exc
        return store

    def database(self, name: bytes) -> "lmdb._Database":
        """Return LMDB's handle of a named database."""
        return self._databases[name]

    @property
    def environment(self) -> lmdb.Environment:
        """LMDB's environment; never outlives `close` or a reopening."""
        assert self._env is not None
        return self._env

    def close(self) -> None:
        """Close the environment; harmless when called again."""
        if self._env is not None:
            self._env.close()
            self._env = None
        self.lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        self.close()

    @contextmanager
    def view(self) -> Iterator[View]:
        """Open a short read transaction."""
        txn = self._begin_read()
        try:
            yield View(self, txn)
        except _FOREIGN as exc:
            raise translate(self.path, exc) from exc
        finally:
            txn.abort()

    @contextmanager
    def change(self, action: str, resource: str) -> Iterator[Change]:
        """Open a write transaction; it is durable when the block has ended.

        Raises:
            Unreachable: busy for longer than the lock timeout (the holder is named),
                disk full, read-only.
        """
        if self.read_only:
            raise Unreachable(str(self.path), "is read-only", hint="choose another --data-dir")
        change = Change(self, self._begin_write(f"{action} {resource}"), action, resource)
        try:
            try:
                yield change
                self._cover(change.growth_bytes)
                change.txn.commit()
            except BaseException as exc:
                change.txn.abort()
                if isinstance(exc, _FOREIGN):
                    raise translate(self.path, exc) from exc
                raise
        finally:
            self.lock.release()
        self._commits += 1
        if self._commits % COMMITS_PER_READER_CHECK == 0:
            self.environment.reader_check()
        for act in change.after_commit:
            act()

    def _cover(self, growth_bytes: int) -> None:
        """Make the file as long as LMDB may say it is after a commit.

        LMDB counts pages that it took and gave back without ever writing them, so its
        last page may lie beyond the end of a sound file. With that excluded, a file that is
        too short was truncated.
        """
        environment = self.environment
        pages_end = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
        file = self.path / "data.mdb"
        try:
            if file.stat().st_size < pages_end + growth_bytes:
                os.truncate(file, pages_end + growth_bytes)
        except OSError as exc:
            raise translate(self.path, exc) from exc

    def _begin_read(self) -> lmdb.Transaction:
        for _ in range(3):
            try:
                txn = _retry_same_pid(self.path, lambda: self.environment.begin(buffers=True))
            except lmdb.MapResizedError:
                self.environment.set_mapsize(0)
                continue
            except lmdb.Error as exc:
                raise translate(self.path, exc) from exc
            if not self._replaced(txn):
                return txn
            txn.abort()
            self._reopen()
        raise Unreachable(str(self.path), "is being replaced again and again", hint="try again")

    def _begin_write(self, what: str) -> lmdb.Transaction:
        """Take the writer lock and begin; the lock stays taken when it returns."""
        for _ in range(3):
            self.lock.acquire(what)
            try:
                txn = self.environment.begin(write=True, buffers=True)
                if not self._replaced(txn):
                    return txn
                txn.abort()
            except lmdb.MapResizedError:
                self.environment.set_mapsize(0)
                self.lock.release()
                continue
            except BaseException as exc:
                self.lock.release()
                if isinstance(exc, lmdb.Error):
                    raise translate(self.path, exc) from exc
                raise
            # Without the lock: opening takes it itself.
            self.lock.release()
            self._reopen()
        raise Unreachable(str(self.path), "is being replaced again and again", hint="try again")

    def _replaced(self, txn: lmdb.Transaction) -> bool:
        if txn.get(b"superseded", db=self._databases[b"meta"]) is not None:
            return True
        try:
            found = os.stat(self.path / "data.mdb")
        except OSError as exc:
            raise Unreachable(
                str(self.path), "the store was deleted", hint="start the command again"
            ) from exc
        return (found.st_dev, found.st_ino) != self._inode

    def _reopen(self) -> None:
        """Move over to the file that took this one's place (design: superseded stores)."""
        before = self.cluster_id
        self.generation += 1
        if self._env is not None:
            self._env.close()
            self._env = None
        self._open_environment()
        if self.cluster_id != before:
            raise Unreachable(
                str(self.path), "another store was put in its place", hint="start again"
            )

    def _open_environment(self) -> None:
        file = self.path / "data.mdb"
        created = not file.exists()
        _refuse_links(self.path)
        self._env = _retry_same_pid(self.path, self._open_lmdb)
        try:
            found = os.stat(file)
            self._inode = (found.st_dev, found.st_ino)
            self._refuse_truncated(file)
            self._open_databases()
        except BaseException:
            self._env.close()
            self._env = None
            raise
        if created:
            # A new file is only durable once its directory entry is.
            _fsync_directory(self.path)
            _fsync_directory(self.path.parent)

    def _open_lmdb(self) -> lmdb.Environment:
        size = MAP_BYTES
        while True:
            try:
                return lmdb.open(
                    str(self.path),
                    map_size=size,
                    max_readers=READERS_MAX,
                    max_dbs=len(DATABASES),
                    mode=0o600,
                    readonly=self.read_only,
                    metasync=self.durability == "full",
                )
            except lmdb.MemoryError as exc:
                if size <= MAP_BYTES_MIN:
                    raise translate(self.path, exc) from exc
                size //= 2
            except lmdb.Error as exc:
                if "Cannot allocate memory" in str(exc) and size > MAP_BYTES_MIN:
                    size //= 2
                    continue
                if _is_same_pid(exc):
                    raise
                raise translate(self.path, exc) from exc

    def _refuse_truncated(self, file: Path) -> None:
        """A page beyond the end of the file is SIGBUS: look before touching any."""
        environment = self.environment
        page_bytes = environment.stat()["psize"]
        needed = (environment.info()["last_pgno"] + 1) * page_bytes
        # After that: a commit of another process makes the file longer first.
        file_bytes = file.stat().st_size
        if 0 < file_bytes < needed and environment.stat()["entries"]:
            raise Corruption(
                f"{self.path}/data.mdb",
                expected=f"at least {needed} bytes",
                found=f"{file_bytes} (truncated)",
                hint="restore it from a backup; what is left was not touched",
            )

    def _open_databases(self) -> None:
        environment = self.environment
        environment.reader_check()
        with environment.begin() as txn:
            names = {bytes(key) for key, _ in txn.cursor()}
        if b"meta" not in names:
            if names:
                raise not_a_store(self.path)
            if self.read_only:  # whoever began to make it did not get far
                raise _nothing_here(self.path)
            with self.lock.held("create store"):
                self._initialise()
        if self.read_only:
            self._databases = {name: environment.open_db(name, create=False) for name in DATABASES}
        else:
            # Outside a read-only environment LMDB opens handles in a write transaction
            # only: take our lock first, which unlike LMDB's can be waited for.
            with self.lock.held("open store"), environment.begin(write=True) as txn:
                self._databases = {
                    name: environment.open_db(name, txn=txn, create=False) for name in DATABASES
                }
        with environment.begin() as txn:
            meta = self._databases[b"meta"]
            version = txn.get(b"format", db=meta)
            self.cluster_id = txn.get(b"cluster_id", db=meta) or b""
        if version is None:
            raise not_a_store(self.path)
        if _U32.unpack(version)[0] > FORMAT_VERSION:
            raise Unreachable(
                str(self.path),
                f"its format {_U32.unpack(version)[0]} is newer than this release's "
                f"{FORMAT_VERSION}; nothing was touched",
                hint="install a newer dataflare, or choose another --data-dir",
            )

    def _initialise(self) -> None:
        environment = self.environment
        with environment.begin(write=True) as txn:
            handles = {name: environment.open_db(name, txn=txn) for name in DATABASES}
            meta = handles[b"meta"]
            if txn.get(b"format", db=meta) is None:  # else: another process was first
                txn.put(b"format", _U32.pack(FORMAT_VERSION), db=meta)
                txn.put(b"cluster_id", os.urandom(16).hex().encode(), db=meta)
                created_ms = time.time_ns() // 1_000_000
                txn.put(b"created_ms", struct.pack(">q", created_ms), db=meta)


def _refuse_links(path: Path) -> None:
    """What lies in a data directory is its own: a link in it could lead to anybody's files.

    The directory itself may be one.
    """
    for name in ("data.mdb", "lock.mdb", "write.lock", "bells", "holds"):
        if (path / name).is_symlink():
            raise Unreachable(
                f"{path}/{name}",
                "is a symbolic link; nothing was touched",
                hint="remove it, or name the directory it leads to with --data-dir",
            )


def _nothing_here(path: Path) -> Unreachable:
    return Unreachable(
        str(path), "no data directory here", hint="dataflare topic create NAME makes one"
    )


def _mounted_read_only(path: Path) -> bool:
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _make_directories(path: Path) -> None:
    is_new = not path.exists()
    for each in (path, path / "bells", path / "holds"):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_new:
        # A sandbox in a working tree is nothing to commit.
        (path / ".gitignore").write_text("*\n", encoding="ascii")


def _fsync_directory(path: Path) -> None:
    # Some file systems refuse fsync on directories; then there is nothing to be done.
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _is_same_pid(exc: lmdb.Error) -> bool:
    return "Resource temporarily unavailable" in str(exc)


def _retry_same_pid(path: Path, begin: Callable[[], _T]) -> _T:
    deadline = time.monotonic() + SAME_PID_RETRY_S
    while True:
        try:
            return begin()
        except lmdb.Error as exc:
            if not _is_same_pid(exc):
                raise
            if time.monotonic() > deadline:
                raise Unreachable(
                    str(path),
                    f"another container's process with this one's id ({os.getpid()}) has it open",
                    hint="start the command again, or share the process ids (--pid=host)",
                ) from exc
            time.sleep(0.02)
