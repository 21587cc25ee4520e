"""The writer: commits frames to one topic in the background, in order.

Encoding goes on while the disk works: that overlap is half of produce's speed. What
arrives while a commit is under way goes into the next one together (group commit),
so that slow input is stored at once and fast input in large batches, and no flag
chooses between the two.

Invariants
- Frames are committed in the order they were put, at most COMMIT_BYTES_MAX at once.
- `totals` counts only what a finished commit made durable.
- The first error ends the writer; every later call raises it.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from dataflare_cli.codec.frame import record_count_of
from dataflare_cli.errors import DataError
from dataflare_cli.log.facade import Stored
from dataflare_cli.model import ATOMIC_BYTES_MAX, COMMIT_BYTES_MAX, Topic
from dataflare_cli.stream.memory import keep_freed_memory

# Two commits' worth: one under way, one being filled.
QUEUE_BYTES_MAX = 2 * COMMIT_BYTES_MAX


class Span(NamedTuple):
    """What was stored in one partition: the first and last offset, and how many records."""

    first_offset: int
    last_offset: int
    record_count: int


class Portion(NamedTuple):
    """Frames with their partitions, and the input they came from (for --tee)."""

    frames: list[tuple[int, bytearray]]
    source: bytes = b""

    @property
    def size(self) -> int:
        """Return how many bytes will be stored."""
        return sum(len(frame) for _, frame in self.frames)


class Destination(Protocol):
    """What frames are appended to; a `Log` is one."""

    def append_some(
        self, topic: Topic, frames: Sequence[tuple[int, bytearray]], *, whole: bool
    ) -> Stored:
        """Append frames; returns when they are durable."""
        ...

    def cancel(self) -> None:
        """Give up waiting for whatever an append waits for."""
        ...


class TopicWriter:
    """Stores portions of frames in a topic, in a thread of its own."""

    # Whether a deduplication that fails keeps out all of a commit.
    _whole = False

    def __init__(
        self,
        log: Destination,
        topic: Topic,
        *,
        after_commit: Callable[[Portion], None] | None = None,
    ) -> None:
        self.log, self.topic = log, topic
        self.totals: dict[int, Span] = {}
        self.stored_bytes = 0
        self.commit_count = 0
        # Records that a topic's deduplication left out.
        self.duplicate_count = 0
        # Readable once the writer has become idle or has failed: for poll() beside stdin.
        self.wake_fd, self._wake_write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._after_commit = after_commit
        self._queue: deque[Portion] = deque()
        self._queued_bytes = 0
        self._busy = False
        self._ending = False
        self._error: BaseException | None = None
        self._state = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def record_count(self) -> int:
        """Return how many records are durable."""
        return sum(span.record_count for span in self.totals.values())

    @property
    def is_idle(self) -> bool:
        """Tell whether a portion put now would be committed at once."""
        return not self._busy and not self._queue

    def put(self, portion: Portion) -> None:
        """Hand over a portion; waits while two commits' worth are queued.

        Raises:
            the error that ended the writer.
        """
        with self._state:
            self._start()
            self._state.wait_for(lambda: self._error or self._queued_bytes < QUEUE_BYTES_MAX)
            self._raise()
            self._queue.append(portion)
            self._queued_bytes += portion.size
            self._state.notify_all()

    def drain(self) -> None:
        """Wait until everything put so far is durable; raises what ended the writer."""
        with self._state:
            self._state.wait_for(lambda: self._error or self.is_idle)
            self._raise()

    def check(self) -> None:
        """Raise what ended the writer, if anything did, and forget the wake-up."""
        with suppress(BlockingIOError):
            os.read(self.wake_fd, 4096)
        self._raise()

    def interrupt(self) -> None:
        """End: commit what is queued if nobody else holds the store, else give it up."""
        self.log.cancel()
        self.close()

    def close(self) -> None:
        """Commit what is queued and end the thread; never raises the writer's error."""
        with self._state:
            self._ending = True
            self._state.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        for handle in (self.wake_fd, self._wake_write_fd):
            if handle >= 0:
                os.close(handle)
        self.wake_fd = self._wake_write_fd = -1

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _start(self) -> None:
        if self._thread is None:
            keep_freed_memory()
            self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            while portions := self._take():
                self._commit(portions)
        except BaseException as exc:  # noqa: BLE001 - carried over to the caller's thread
            with self._state:
                self._error = exc
                self._queue.clear()
                self._queued_bytes = 0
        with self._state:
            self._busy = False
            self._wake()

    def _take(self) -> list[Portion]:
        """Return what goes into the next commit; nothing at the end."""
        with self._state:
            self._busy = False
            if not self._queue:
                self._wake()
            self._state.wait_for(lambda: self._queue or self._ending)
            portions: list[Portion] = []
            size = 0
            while self._queue and (not portions or size + self._queue[0].size <= COMMIT_BYTES_MAX):
                portions.append(self._queue.popleft())
                size += portions[-1].size
            self._queued_bytes -= size
            self._busy = bool(portions)
            self._state.notify_all()
            return portions

    def _commit(self, portions: list[Portion]) -> None:
        frames = [frame for portion in portions for frame in portion.frames]
        if frames:
            given = sum(record_count_of(frame) for _, frame in frames)
            stored = self.log.append_some(self.topic, frames, whole=self._whole)
            for partition, base_offset, record_count in stored.appended:
                given -= record_count
                before = self.totals.get(partition, Span(base_offset, base_offset, 0))
                self.totals[partition] = Span(
                    before.first_offset,
                    base_offset + record_count - 1,
                    before.record_count + record_count,
                )
            self.stored_bytes += stored.stored_bytes
            self.commit_count += 1
            if stored.error is not None:
                raise stored.error
            self.duplicate_count += given
        if self._after_commit is not None:
            for portion in portions:
                self._after_commit(portion)

    def _wake(self) -> None:
        self._state.notify_all()
        with suppress(OSError):
            os.write(self._wake_write_fd, b"\0")


class AtomicWriter(TopicWriter):
    """Keeps everything back until `commit_all`, which commits it at once or not at all."""

    _whole = True

    def __init__(self, log: Destination, topic: Topic) -> None:
        super().__init__(log, topic)
        self._portions: list[Portion] = []
        self._size = 0

    @property
    def is_idle(self) -> bool:
        """Nothing is committed before the end: blocks may as well come out full."""
        return False

    def put(self, portion: Portion) -> None:
        """Keep a portion back.

        Raises:
            DataError: more than one commit may hold; nothing was stored.
        """
        self._size += portion.size
        if self._size > ATOMIC_BYTES_MAX:
            raise DataError(
                f"the input takes more than {ATOMIC_BYTES_MAX} bytes stored, "
                "which is what --atomic takes at most; nothing was stored",
                hint="split the input, or leave --atomic out",
            )
        self._portions.append(portion)

    def drain(self) -> None:
        """Do nothing: there is no part of it to wait for."""

    def commit_all(self) -> None:
        """Commit everything in one transaction."""
        if self._portions:
            self._commit(self._portions)
            self._portions = []
