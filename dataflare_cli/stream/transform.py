"""Transforms: chains of SmartModules over the runs of a partition, a window at a time.

Hides how many records a call is given: few at first, so that what comes first comes soon,
then more while calls are quick, and fewer where a module makes much of each.

Invariants
- What is handed on has the offsets, timestamps and headers of its sources.
- A window that ended at a failure is the last one, unless failures are passed over.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dataflare_cli.codec.engine import Bytes
from dataflare_cli.codec.program import Needs
from dataflare_cli.codec.smart import WINDOW_RECORDS_MAX, Outputs, Window, open_window
from dataflare_cli.model import MIB, GuestLimits
from dataflare_cli.smartmodule.chain import Chain, Failure, Step, Stored
from dataflare_cli.wasm import Deadline

if TYPE_CHECKING:
    from dataflare_cli.codec.runs import Run

WINDOW_RECORDS_FIRST = 256
# A call that takes longer than this is given less next time; one that is quicker, more.
SLOW_S, QUICK_S = 0.2, 0.05
OUTPUT_BYTES_MAX = 4 * MIB


class Transformed(NamedTuple):
    """What became of the records below `next_offset`; valid until the next window."""

    outputs: Outputs
    next_offset: int
    failures: list[Failure]
    raw: Bytes  # as modules gave them


@dataclass(frozen=True)
class ChainPlan:
    """How to make the chain of a partition; `log` gets what modules print.

    With `hides_data` nothing but the chain's outputs and dead letters shows records.
    All chains of a plan end at its deadline.
    """

    steps: Sequence[Step]
    limits: GuestLimits
    goes_on: bool = False
    hides_data: bool = False
    initial: bytes = b""
    parallel: bool = False
    log: Callable[[str, str], None] = lambda _module, _text: None
    deadline: Deadline = field(default_factory=Deadline)

    @property
    def is_stateless(self) -> bool:
        """Whether one chain may serve all partitions, and several one partition."""
        return all(
            step.module.is_stateless
            or (self.parallel and not step.module.is_aggregate and step.lookback is None)
            for step in self.steps
        )

    @property
    def keeps_offsets(self) -> bool:
        """Whether an output's source is known, however many records a call is given."""
        return all(step.module.keeps_offsets for step in self.steps)

    @property
    def names_failures(self) -> bool:
        """Whether a failure's source is known: a module's own is, before outputs have none."""
        return all(step.module.keeps_offsets for step in self.steps[:-1])

    def start(self, stored: Stored | None = None) -> Chain:
        """Start all modules, and feed them what is stored.

        Raises:
            InvalidModule, InitFailed: one can't be started.
            TimedOut: the deadline is past.
        """
        chain = Chain(
            self.steps,
            limits=self.limits,
            deadline=self.deadline,
            goes_on=self.goes_on,
            hides_data=self.hides_data,
            initial=self.initial,
            log=self.log,
        )
        if stored is not None and chain.wants_look_back:
            chain.look_back(stored)
        return chain


class Transform:
    """A chain at work."""

    def __init__(self, plan: ChainPlan, chain: Chain, needs: Needs) -> None:
        self.chain = chain
        self._goes_on = plan.goes_on
        # An SDK's array_map does not say which record it has taken apart, unless it is given
        # one at a time.
        self._is_exact = plan.keeps_offsets
        self._unknown = Needs() if self._is_exact else needs
        if not plan.names_failures:
            self._unknown = self._unknown._replace(offsets=True)
        self._records_max = WINDOW_RECORDS_FIRST

    def windows(self, run: "Run", start: int, stop: int) -> Iterator[Transformed]:
        """Yield what becomes of a run's records in [start, stop), in order.

        Raises:
            InvalidModule, InitFailed, ModuleFailed: a module can't go on.
            TimedOut: the deadline is past.
        """
        while start < stop:
            window = self._open(run, start, stop)
            began = time.perf_counter()
            outcome = self.chain.process(window)
            self._pace(time.perf_counter() - began, window.record_count, len(outcome.raw))
            is_checked = outcome.raw is not window.raw
            outputs = window.attach(None if is_checked else window.raw)
            start = window.next_offset
            if outcome.failures and not self._goes_on:
                failed_at = outcome.failures[0].offset
                yield Transformed(outputs, failed_at, outcome.failures, outcome.raw)
                return
            yield Transformed(outputs, start, outcome.failures, outcome.raw)

    def _open(self, run: "Run", start: int, stop: int) -> Window:
        size = 1 if self._unknown.offsets else self._records_max
        window = open_window(run, start, stop, records_max=size)
        is_alike = window.is_uniform or not self._unknown.times_and_headers
        # Empty outputs are null if their source was.
        if not is_alike or (window.has_some_nulls and not self._is_exact):
            window = open_window(run, start, stop, records_max=1)
        return window

    def _pace(self, took_s: float, records: int, output_bytes: int) -> None:
        """Choose how many records the next call is given."""
        if took_s > SLOW_S or output_bytes > OUTPUT_BYTES_MAX:
            self._records_max = max(1, records // 2)
        elif took_s < QUICK_S and output_bytes < OUTPUT_BYTES_MAX // 4:
            self._records_max = min(4 * self._records_max, WINDOW_RECORDS_MAX)
