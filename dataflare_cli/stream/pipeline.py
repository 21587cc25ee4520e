"""Pipelines: work on several cores whose results come out in the order it was put in.

The work has to be what lets go of the interpreter's lock: WASM, the kernel, a codec.
"""

import os
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

# Jobs under way or waiting, for each worker: one that is done waits for one before it.
DEPTH = 2


def core_count() -> int:
    """Return how many cores this process may use."""
    if sys.platform != "linux":
        return os.cpu_count() or 1
    return len(os.sched_getaffinity(0))


class Pipeline(Generic[Job, Result]):
    """Runs `work` in threads, and `deliver` in the thread that puts, in order."""

    def __init__(
        self,
        work: Callable[[Job], Result],
        deliver: Callable[[Job, Result], None],
        give_up: Callable[[], None],
        *,
        workers: int,
    ) -> None:
        """Start no thread yet; `give_up` makes work that is under way end soon."""
        self._work, self._deliver, self._give_up = work, deliver, give_up
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="pipeline")
        self._depth = DEPTH * workers
        self._waiting: deque[tuple[Job, Future[Result]]] = deque()

    def put(self, job: Job) -> None:
        """Take on a job; delivers what is done, and waits where too much is not.

        Raises:
            what the work or the delivery of an earlier job raises.
        """
        self._waiting.append((job, self._pool.submit(self._work, job)))
        while self._waiting and (len(self._waiting) > self._depth or self._waiting[0][1].done()):
            self._deliver_first()

    def drain(self) -> None:
        """Deliver everything; raises as `put`."""
        while self._waiting:
            self._deliver_first()

    def close(self) -> None:
        """Give up what was not delivered."""
        self._waiting.clear()
        self._give_up()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _deliver_first(self) -> None:
        job, future = self._waiting.popleft()
        self._deliver(job, future.result())
