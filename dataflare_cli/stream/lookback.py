"""Look-back: the stored records that SmartModules are fed before the first new one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dataflare_cli.codec.records import TIMESTAMP_MIN
from dataflare_cli.codec.smart import Window, open_window
from dataflare_cli.log import Log
from dataflare_cli.model import Lookback, Topic

if TYPE_CHECKING:
    from dataflare_cli.codec.runs import Run


def stored_windows(
    log: Log, topic: Topic, partition: int, before: int, lookback: Lookback, *, now_ms: int
) -> Iterator[Window]:
    """Yield what a look-back asks for of the records below an offset, oldest first.

    Of `last` records those that are young enough; without it, all that are.
    """
    start, end = log.bounds(topic, partition)
    end = min(end, before)
    oldest_ms = TIMESTAMP_MIN
    if lookback.age_ms is not None:
        oldest_ms = now_ms - lookback.age_ms
        start = max(start, log.offset_for_time(topic, partition, oldest_ms))
    elif not lookback.last:
        return
    if lookback.last:
        start = max(start, end - lookback.last)
    while start < end:
        found = log.read(topic, partition, start, end)
        if found is None:
            return
        run, first = found
        stop = min(end, run.next_offset)
        yield from _windows(run, max(start, first), stop, oldest_ms)
        start = stop


def _windows(run: "Run", start: int, stop: int, oldest_ms: int) -> Iterator[Window]:
    while start < stop:
        window = open_window(run, start, stop, timestamp_min_ms=oldest_ms)
        if window.record_count:
            yield window
        start = window.next_offset
