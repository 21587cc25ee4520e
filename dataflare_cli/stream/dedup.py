"""Deduplication: a topic's filter, asked inside the transaction that appends.

So it holds across processes. Whoever has the writer lock first feeds its filter what others
have appended since it last had it; then the filter says which of the new records were
there already. Fluvio's filters work the same way: they remember what they keep, and their
look_back takes up what is stored.

A filter is fed by count alone: how old a record may be is its own business, which it tells by
the records' times. (Fluvio feeds by the clock, too: what is loaded twice with old timestamps is
stored twice there.)

Invariants
- A filter knows the last `count` records that are stored, whoever appended them, and none that
  were dropped.
- What a filter remembers is in the log, or about to be: when a transaction does not end
  well, the filters of its partitions are thrown away.
- Frames of which nothing is left out stay as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataflare_cli import codec
from dataflare_cli.catalog import Catalog
from dataflare_cli.errors import InvalidModule, ModuleFailed
from dataflare_cli.log import Admitted, Log
from dataflare_cli.log.facade import now
from dataflare_cli.log.keys import log_key
from dataflare_cli.model import (
    BATCH_BYTES_MAX,
    DEDUP_FILTER,
    Deduplication,
    GuestLimits,
    Lookback,
    SmartModuleKind,
    Topic,
)
from dataflare_cli.stream.failures import Place, located
from dataflare_cli.stream.lookback import stored_windows
from dataflare_cli.stream.stage import pack_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataflare_cli.codec.smart import Window
    from dataflare_cli.smartmodule.chain import Step
    from dataflare_cli.store import Change, Store
    from dataflare_cli.stream.transform import ChainPlan, Transform

_AGE_PARAM, _COUNT_PARAM = "age", "count"
# A filter is asked while it holds the writer lock, which all topics share.
_LIMITS = GuestLimits(time_s=2.0)


def open_log(store: "Store") -> Log:
    """Return a log that can append to every topic, also to those without duplicates."""
    gate = _Gate(store)
    log = Log(store, gate=gate.admit)
    gate.log = log
    return log


def check_filter(catalog: Catalog | None, dedup: Deduplication) -> None:
    """Look whether a deduplication's filter is there, is one, and takes its parameters.

    Raises:
        NotFound, InvalidModule, InitFailed: it does not; appends would fail.
    """
    from dataflare_cli.stream.transform import ChainPlan

    ChainPlan([_load(catalog, dedup)], _LIMITS).start()


@dataclass
class _Memory:
    """A partition's filter, and how far it knows the log."""

    dedup: Deduplication
    generation: int
    transform: "Transform"
    start: int  # of the log, when it was fed last
    end: int
    is_sure: bool = field(default=False)  # what it knows is committed


class _Gate:
    """The filters of all partitions that this process has appended to."""

    log: Log

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._memories: dict[int, _Memory] = {}
        self._plans: dict[tuple[int, str], ChainPlan] = {}

    def admit(
        self, change: "Change", topic: Topic, frames: Sequence[tuple[int, bytearray]]
    ) -> Admitted:
        """Return what of some frames is no duplicate.

        Raises:
            NotFound, InvalidModule, InitFailed: the filter is not to be had, or is none.
        """
        admitted: list[tuple[int, bytearray]] = []
        touched: dict[int, _Memory] = {}
        error: ModuleFailed | None = None
        for partition, frame in frames:
            memory = touched.get(partition)
            if memory is None:
                memory = touched[partition] = self._memory(topic, partition)
            kept, error = _filter(memory, frame, Place(topic.name, partition))
            admitted += [(partition, each) for each in kept]
            if error is not None:
                break
        change.after_commit.append(lambda: _confirm(list(touched.values())))
        return Admitted(admitted, error)

    def _memory(self, topic: Topic, partition: int) -> _Memory:
        """Return a partition's filter, which knows all that is in the log."""
        partition_id = topic.partition_ids[partition]
        dedup = topic.spec.deduplication
        assert dedup is not None
        start, end = self.log.bounds(topic, partition)
        memory = self._memories.get(partition_id)
        if memory is None or self._is_useless(memory, dedup, start, end):
            memory = self._new(topic, partition, dedup, (start, end))
            self._memories[partition_id] = memory
        elif memory.end < end:
            for window in self._stored(topic, partition, end, Lookback(end - memory.end)):
                memory.transform.chain.feed(window)
            memory.end = end
        memory.start = start
        memory.is_sure = False
        return memory

    def _is_useless(self, memory: _Memory, dedup: Deduplication, start: int, end: int) -> bool:
        """Tell whether a filter can't be fed what it lacks, or remembers what was dropped."""
        oldest = max(memory.start, memory.end - dedup.count)
        return (
            not memory.is_sure
            or memory.dedup != dedup
            or memory.generation != self._store.generation
            or memory.end > end
            or end - memory.end > dedup.count
            or start > oldest
        )

    def _new(
        self, topic: Topic, partition: int, dedup: Deduplication, bounds: tuple[int, int]
    ) -> _Memory:
        from dataflare_cli.codec.program import Needs
        from dataflare_cli.stream.transform import Transform

        start, end = bounds
        plan = self._plan(topic, dedup)
        chain = plan.start(
            lambda _: self._stored(topic, partition, end, Lookback(dedup.count)),
        )
        transform = Transform(plan, chain, Needs())
        return _Memory(dedup, self._store.generation, transform, start, end)

    def _stored(
        self, topic: Topic, partition: int, end: int, lookback: Lookback
    ) -> "Iterator[Window]":
        return stored_windows(self.log, topic, partition, end, lookback, now_ms=now())

    def _plan(self, topic: Topic, dedup: Deduplication) -> "ChainPlan":
        """Load the filter of a topic, once."""
        from dataflare_cli.stream.transform import ChainPlan

        key = (topic.topic_id, repr(dedup))
        if key not in self._plans:
            self._plans[key] = ChainPlan([_load(Catalog(self._store), dedup)], _LIMITS)
        return self._plans[key]


def _load(catalog: Catalog | None, dedup: Deduplication) -> "Step":
    from dataflare_cli.smartmodule.chain import Step
    from dataflare_cli.smartmodule.engine import LoadedModule
    from dataflare_cli.smartmodule.registry import Registry, builtin_module

    if dedup.uses == DEDUP_FILTER:
        found = builtin_module(DEDUP_FILTER)
    else:
        found = Registry(lambda: catalog).resolve(dedup.uses)
    module = LoadedModule(found.name, found.wasm)
    if module.kind is not SmartModuleKind.FILTER:
        raise InvalidModule(
            module.name, f"a deduplication needs a filter, and it is of the kind {module.kind}"
        )
    params = {_COUNT_PARAM: str(dedup.count), **dedup.params}
    if dedup.age_ms is not None:
        params = {_AGE_PARAM: str(dedup.age_ms), **params}
    lookback = Lookback(dedup.count, dedup.age_ms)
    return Step(module, params, lookback)


def _filter(
    memory: _Memory, frame: bytearray, place: Place
) -> tuple[list[bytearray], ModuleFailed | None]:
    """Return what is left of a frame, and why it ended early, if it did."""
    codec.stamp(frame, base_offset=memory.end, appended_ms=0)
    compression = codec.read_header(frame, codec.PREFIX_BYTES).codec
    run = codec.load_run([log_key(0, memory.end), frame])
    kept: list[bytearray] = []
    count = 0
    error = None
    for outputs, _, failures, _ in memory.transform.windows(run, run.start_offset, run.next_offset):
        kept += pack_frames(outputs, compression=compression, batch_bytes_max=BATCH_BYTES_MAX)
        count += outputs.record_count
        if failures:
            error = failures[0].error()
            where = f'in the SmartModule "{error.module}", {place.at(error.offset)}; '
            error.hint = where + _hint(place)
            error = located(error, place)
    if count > run.record_count:
        raise InvalidModule(
            memory.dedup.uses,
            f"a deduplication leaves records out, and of {run.record_count} it made {count}",
            hint=_hint(place),
        )
    if count == run.record_count:
        kept = [frame]
    memory.end += count
    return kept, error


def _hint(place: Place) -> str:
    return (
        f"it is the deduplication of the topic {place.topic}; "
        f"dataflare topic alter {place.topic} --no-dedup ends that"
    )


def _confirm(memories: "Sequence[_Memory]") -> None:
    for memory in memories:
        memory.is_sure = True
