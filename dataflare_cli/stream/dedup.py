"""Deduplication: a topic's filter, asked inside the transaction that appends.

So it holds across processes. Whoever has the writer lock first feeds its filter what others
have appended since it last had it; then the filter says which of the new records were
there already. Fluvio's filters work the same way: they remember what they keep, and their
look_back takes up what is stored.

Invariants
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
    from dataflare_cli.smartmodule.chain import Step
    from dataflare_cli.store import Change, Store
    from dataflare_cli.stream.transform import ChainPlan, Transform

_MS = "age"
_COUNT = "count"


def open_log(store: "Store") -> Log:
    """Return a log that can append to every topic, also to those without duplicates."""
    gate = _Gate(store)
    log = Log(store, gate=gate.admit)
    gate.log = log
    return log


@dataclass
class _Memory:
    """A partition's filter, and how far it knows the log."""

    dedup: Deduplication
    generation: int
    transform: "Transform"
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
            NotFound, InvalidModule, InitFailed: the filter is not to be had.
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
        end = self.log.bounds(topic, partition)[1]
        memory = self._memories.get(partition_id)
        is_useless = (
            memory is None
            or not memory.is_sure
            or memory.dedup != dedup
            or memory.generation != self._store.generation
            or memory.end > end
        )
        if memory is None or is_useless:
            memory = self._new(topic, partition, dedup, end)
            self._memories[partition_id] = memory
        elif memory.end < end:
            self._feed(memory, topic, partition, end)
        memory.is_sure = False
        return memory

    def _new(self, topic: Topic, partition: int, dedup: Deduplication, end: int) -> _Memory:
        from dataflare_cli.stream.transform import Needs, Transform

        plan = self._plan(topic, dedup)
        chain = plan.start(
            lambda lookback: stored_windows(self.log, topic, partition, end, lookback, now_ms=now())
        )
        transform = Transform(plan, chain, Needs())
        return _Memory(dedup, self._store.generation, transform, end)

    def _feed(self, memory: _Memory, topic: Topic, partition: int, end: int) -> None:
        """Tell a filter of what others have appended."""
        dedup = memory.dedup
        news = Lookback(min(dedup.count, end - memory.end), dedup.age_ms)
        windows = stored_windows(self.log, topic, partition, end, news, now_ms=now())
        for window in windows:
            memory.transform.chain.feed(window)
        memory.end = end

    def _plan(self, topic: Topic, dedup: Deduplication) -> "ChainPlan":
        """Load the filter of a topic, once."""
        from dataflare_cli.stream.transform import ChainPlan

        key = (topic.topic_id, repr(dedup))
        if key not in self._plans:
            self._plans[key] = ChainPlan([_load(self._store, dedup)], GuestLimits())
        return self._plans[key]


def _load(store: "Store", dedup: Deduplication) -> "Step":
    from dataflare_cli.smartmodule.chain import Step
    from dataflare_cli.smartmodule.engine import LoadedModule
    from dataflare_cli.smartmodule.registry import Registry, builtin_module

    if dedup.uses == DEDUP_FILTER:
        found = builtin_module(DEDUP_FILTER)
    else:
        found = Registry(lambda: Catalog(store)).resolve(dedup.uses)
    module = LoadedModule(found.name, found.wasm)
    if module.kind is not SmartModuleKind.FILTER:
        raise InvalidModule(
            module.name, f"a deduplication needs a filter, and it is of the kind {module.kind}"
        )
    params = {_COUNT: str(dedup.count), **dedup.params}
    if dedup.age_ms is not None:
        params = {_MS: str(dedup.age_ms), **params}
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
    for outputs, _, failures in memory.transform.windows(run, run.start_offset, run.next_offset):
        kept += pack_frames(outputs, compression=compression, batch_bytes_max=BATCH_BYTES_MAX)
        count += outputs.record_count
        if failures:
            error = located(failures[0].error(), place)
    if count == run.record_count:
        kept = [frame]
    memory.end += count
    return kept, error


def _confirm(memories: "Sequence[_Memory]") -> None:
    for memory in memories:
        memory.is_sure = True
