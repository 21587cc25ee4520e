"""Chains: SmartModules one after the other, over windows of records.

What one gives is what the next is given. A module stops at the first record that it
fails at; what it made of the records before goes on down the chain, and the failure is
kept. (Fluvio hands on such records as they are at that point, past the modules that
follow: half of a chain must not pass for all of it, least of all when it redacts.)

Invariants
- Everything a module gives is checked before anything is made of it.
- With `goes_on` false, what a window gives is what comes before its first failure.
- A module that was stopped, or trapped, is started again as it was at the beginning. The
  records of that call are then given to it one by one, so that the failure is that of one
  record. Not if it has look_back, which means that it remembers records: that would
  remember them twice, and its failure ends the run.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol

from dataflare_cli.codec.engine import Bytes
from dataflare_cli.codec.smart import Checked, NotRecordsError, scan_records
from dataflare_cli.errors import ModuleFailed
from dataflare_cli.model import NO_TIMESTAMP, GuestLimits, Lookback
from dataflare_cli.smartmodule import abi
from dataflare_cli.smartmodule.engine import Bounds, CallFailedError, Instance, LoadedModule
from dataflare_cli.wasm import Deadline

_COUNT_BYTES = 4
# After a failure so many records are tried at once, then twice as many: where failures are
# frequent, each one costs a call.
RETRY_RECORDS = 64
# Of one call, unless one record is all it was given: limits a record are large, a call has many.
CALL_RECORDS_MAX = 4_000_000
CALL_BYTES_MAX = 256 << 20
# Of a record beside its key and value, and of what stands around all records of a call.
_HEAD_BYTES_MAX = 64
# Of what the instances of a module print, as many as there may be.
LOG_CHARS_MAX = 64 * 1024


class Step(NamedTuple):
    """One module of a chain, and what it is started with."""

    module: LoadedModule
    params: Mapping[str, str] = {}
    lookback: Lookback | None = None


class Given(Protocol):
    """What a chain is given; see `codec.smart.Window`."""

    base_offset: int
    base_timestamp_ms: int
    record_count: int
    raw: Bytes

    def check(self, raw: Bytes) -> Checked:
        """Look what a module's output begins with."""
        ...


# What a look-back asks for, as windows, oldest first.
Stored = Callable[[Lookback], Iterable[Given]]


class Failure(NamedTuple):
    """A record at which a module failed; `cause` is error, trap, time, memory, output or code."""

    module: str
    cause: str
    text: str  # as Fluvio prints it
    offset: int
    key: bytes | None
    value: bytes

    def error(self) -> ModuleFailed:
        """Return the error that ends a run."""
        return ModuleFailed(self.module, self.text, offset=self.offset, cause=self.cause)


class Outcome(NamedTuple):
    """What became of a window: the last module's records, and at which records one failed.

    A record that several modules failed at, or one at several of what it was made into, has
    one failure: the first.
    """

    raw: Bytes
    record_count: int
    failures: list[Failure]


class Chain:
    """The modules' instances; for one thread at a time, and one partition if they remember."""

    def __init__(
        self,
        steps: Sequence[Step],
        *,
        limits: GuestLimits,
        deadline: Deadline | None = None,
        goes_on: bool = False,
        hides_data: bool = False,
        initial: bytes = b"",
        log: Callable[[str, str], None] = lambda _module, _text: None,
    ) -> None:
        """Start every module, in order.

        `initial` is the accumulator that aggregates begin with; `log` gets what modules print.
        With `hides_data` the texts of failures are without keys and values.
        At the deadline everything ends with its text, as a TimedOut.

        Raises:
            InvalidModule, InitFailed: one can't be started.
        """
        bounds = Bounds(limits, deadline)
        self._links = [
            _Link(step, bounds, goes_on=goes_on, hides_data=hides_data, initial=initial, log=log)
            for step in steps
        ]
        self.goes_on = goes_on

    @property
    def wants_look_back(self) -> bool:
        """Tell whether a module is to be fed stored records first."""
        return any(link.wants_look_back for link in self._links)

    def look_back(self, stored: Stored) -> None:
        """Feed every module what it asks for, before its first records.

        Raises:
            InitFailed: a module refuses them.
        """
        for link in self._links:
            if link.wants_look_back:
                link.look_back(stored)

    def feed(self, window: Given) -> None:
        """Feed every module that remembers more stored records.

        Raises:
            InitFailed: a module refuses them.
        """
        for link in self._links:
            link.instance.look_back(window.raw, window.base_offset, window.base_timestamp_ms)

    def process(self, window: Given) -> Outcome:
        """Run the records of a window through all modules.

        The records of the outcome were checked last, if they are not the window's own.

        Raises:
            InvalidModule, InitFailed: a module had to be started again, and can't be.
            ModuleFailed: one that remembers failed, and can't be started again.
        """
        raw, count = window.raw, window.record_count
        failures: list[Failure] = []
        for link in self._links:
            if not count:
                break  # no user code would run
            raw, count, failed = link.run(window, raw, count)
            if failed and not self.goes_on:
                failures = failed  # its input ended before that of any module before it
            else:
                failures += failed
        failures.sort(key=lambda failure: failure.offset)
        first_of_each = [
            next(same) for _, same in groupby(failures, key=lambda failure: failure.offset)
        ]
        return Outcome(raw, count, first_of_each)

    @property
    def fuel_used(self) -> int:
        """What all calls have cost, if the modules were loaded so that it is counted."""
        return sum(link.fuel_used for link in self._links)


class _Link:
    """A module in its place in a chain."""

    def __init__(
        self,
        step: Step,
        bounds: Bounds,
        *,
        goes_on: bool,
        hides_data: bool,
        initial: bytes,
        log: Callable[[str, str], None],
    ) -> None:
        self._step, self._bounds, self._goes_on = step, bounds, goes_on
        self._log, self._hides_data = log, hides_data
        self.name = step.module.name
        self.accumulator = initial if step.module.is_aggregate else None
        self._fuel_before = 0
        self._has_forgotten = False
        self._log_left = LOG_CHARS_MAX
        self.instance = self._start()

    @property
    def wants_look_back(self) -> bool:
        return self._step.lookback is not None and self._step.module.has_look_back

    @property
    def fuel_used(self) -> int:
        return self._fuel_before + self.instance.fuel_used

    def look_back(self, stored: Stored) -> None:
        assert self._step.lookback is not None
        # Fluvio calls it also where nothing is stored.
        self.instance.look_back(bytes(_COUNT_BYTES), 0, NO_TIMESTAMP)
        for window in stored(self._step.lookback):
            self.instance.look_back(window.raw, window.base_offset, window.base_timestamp_ms)

    def run(self, window: Given, raw: Bytes, count: int) -> tuple[Bytes, int, list[Failure]]:
        """Return what the module makes of records, and its failures."""
        before = self.accumulator
        made = self._try(window, raw, count)
        if isinstance(made, _Made) and made.fault is None:
            return made.raw, made.count, []
        return self._sort_out(window, _Inputs(raw), made, before)

    def _try(self, window: Given, raw: Bytes, count: int) -> "_Made | CallFailedError":
        try:
            return self._call(window, raw, count)
        except CallFailedError as exc:
            # What it came from refers to an instance that is to be freed.
            exc.__context__ = None
            return exc.with_traceback(None)

    def _call(self, window: Given, raw: Bytes, count: int) -> "_Made":
        """Call the module once.

        Raises:
            CallFailedError: it gave nothing that can be used.
        """
        loaded = self._step.module
        output = self.instance.run(
            raw, window.base_offset, window.base_timestamp_ms, self.accumulator
        )
        self._check_size(output, count)
        try:
            found = window.check(output)
            tail = abi.decode_tail(
                output[found.end :], loaded.layout, is_aggregate=loaded.is_aggregate
            )
        except (NotRecordsError, abi.MalformedError) as exc:
            raise CallFailedError("output", f"its output is not records: {exc}") from None
        if loaded.keeps_offsets:
            self._refuse_above_limits(1, found.source_records_max, found.source_bytes_max)
        if loaded.is_aggregate and found.record_count:
            self.accumulator = _last_value(output) if tail.accumulator is None else tail.accumulator
        elif tail.accumulator:
            # An SDK of before 2022-09 gives nothing where it has made nothing.
            self.accumulator = tail.accumulator
        return _Made(output[: found.end], found.record_count, tail.fault)

    def _check_size(self, output: Bytes, count: int) -> None:
        """Refuse what is too much whatever it is, before memory is taken to look at it."""
        made = int.from_bytes(output[:_COUNT_BYTES], "big", signed=True)
        self._refuse_above_limits(max(count, 1), made, len(output))
        if count > 1 and (made > CALL_RECORDS_MAX or len(output) > CALL_BYTES_MAX):
            raise CallFailedError("output", f"it made {made} records, {len(output)} bytes, at once")

    def _refuse_above_limits(self, count: int, made: int, size: int) -> None:
        """Refuse what was made of so many records.

        Where outputs name their sources it is asked of each record, so that a record's
        neighbours don't decide what becomes of it.
        """
        limits = self._bounds.limits
        of = "one record" if count == 1 else f"{count} records"
        if made > limits.records_out * count:
            raise CallFailedError(
                "output",
                f"it made {made} records of {of}, "
                f"more than the limit of {limits.records_out} a record (--sm-records-out)",
            )
        if size > (limits.bytes_out + _HEAD_BYTES_MAX) * count:
            raise CallFailedError(
                "output",
                f"it made {size} bytes of {of}, "
                f"more than the limit of {limits.bytes_out} a record (--sm-bytes-out)",
            )

    # ------------------------------------------------------------------ failures

    def _sort_out(
        self,
        window: Given,
        inputs: "_Inputs",
        made: "_Made | CallFailedError",
        before: bytes | None,
    ) -> tuple[Bytes, int, list[Failure]]:
        """Find out which records a module fails at, and go on behind them if that is wanted.

        `made` is what became of the records that were taken, `before` the accumulator then.
        """
        pieces = _Pieces()
        failures: list[Failure] = []
        chunk = RETRY_RECORDS
        while True:
            if isinstance(made, _Made) and made.fault is not None:
                if inputs.pass_failed(made.fault, window.base_offset):
                    pieces.add(made.raw, made.count)
                    self._fail(failures, "error", made.fault)
                    chunk = RETRY_RECORDS
                else:
                    self.accumulator = before
                    made = CallFailedError("output", "its error names a record it was not given")
            elif isinstance(made, _Made):
                pieces.add(made.raw, made.count)
                inputs.pass_taken()
                chunk *= 2
            if isinstance(made, CallFailedError):
                self._one_by_one(window, inputs.taken, made, pieces, failures)
                inputs.pass_taken()
            if not inputs.left or (failures and not self._goes_on):
                break
            part, count = inputs.take(chunk)
            before = self.accumulator
            made = self._try(window, part, count)
        joined, count = pieces.join()
        # So that it is the last that was checked.
        window.check(joined)
        return joined, count, failures

    def _one_by_one(
        self,
        window: Given,
        raw: bytes,
        failed: CallFailedError,
        pieces: "_Pieces",
        failures: list[Failure],
    ) -> None:
        """Give records one at a time to a module that failed at some of them together."""
        if self._step.module.has_look_back:
            raise self._too_late(window, failed)
        self._restart()
        self._say_forgotten()
        for part, place in _singles(raw, window.base_offset, self._kind_name):
            made = self._try(window, part, 1)
            if isinstance(made, CallFailedError):
                self._fail(failures, made.cause, place._replace(hint=made.text))
                self._restart()
            else:
                pieces.add(made.raw, made.count)
                if made.fault is not None:
                    # Whatever place it names, there was only this record.
                    found = place._replace(hint=made.fault.hint, kind=made.fault.kind)
                    self._fail(failures, "error", found)
            if failures and not self._goes_on:
                return

    def _too_late(self, window: Given, failed: CallFailedError) -> ModuleFailed:
        last = window.base_offset + window.record_count - 1
        text = self.instance.public(failed.text)
        return ModuleFailed(
            self.name,
            f"{text}\n\nSmartModule Info: \n    Type: {self._kind_name}\n"
            f"    Offset: one of {window.base_offset} to {last}",
            offset=window.base_offset,
            cause=failed.cause,
            hint="it has look_back, so it can't be tried again with fewer records: "
            "it would remember some of them twice",
        )

    def _fail(self, failures: list[Failure], cause: str, fault: abi.RuntimeFault) -> None:
        """Note a failure; the first one of a source, which may have become many records."""
        if failures and failures[-1].offset == fault.offset:
            return
        told = self.instance.public(fault.render(shows_data=not self._hides_data))
        failures.append(Failure(self.name, cause, told, fault.offset, fault.key, fault.value))

    @property
    def _kind_name(self) -> str:
        return abi.KIND_NAMES[self._step.module.kind]

    def _start(self) -> Instance:
        step = self._step
        instance = Instance(step.module, step.params, step.lookback, self._bounds, self._say)
        instance.init()
        return instance

    def _restart(self) -> None:
        self._fuel_before = self.fuel_used
        self.instance = self._start()

    def _say_forgotten(self) -> None:
        """Tell it once if what is started again may have known something."""
        is_stateless = self._step.module.is_stateless or self._step.module.is_aggregate
        if self._goes_on and not is_stateless and not self._has_forgotten:
            self._has_forgotten = True
            self._say("started again after a failure: if it remembers records, not those before")

    def _say(self, text: str) -> None:
        """Log what the module prints; all its instances together may not fill anybody's disk."""
        if self._log_left > 0:
            self._log_left -= len(text) + 1
            self._log(self.name, text)


def _last_value(output: Bytes) -> bytes:
    """Return the accumulator of a module of 2021, which gives none beside its records."""
    *_, (last, _) = scan_records(output, 1 << 31)
    return last.value or b""


class _Made(NamedTuple):
    """What one call made, valid until the next one; the fault is that of the record after it."""

    raw: Bytes
    count: int  # type: ignore[assignment]  # nobody asks how often something is in it
    fault: abi.RuntimeFault | None


class _Pieces:
    """Records of several calls."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._count = 0

    def add(self, raw: Bytes, count: int) -> None:
        self._parts.append(bytes(raw[_COUNT_BYTES:]))
        self._count += count

    def join(self) -> tuple[bytes, int]:
        return self._count.to_bytes(_COUNT_BYTES, "big") + b"".join(self._parts), self._count


class _Inputs:
    """The records of a window that a module has not been given yet."""

    def __init__(self, raw: Bytes) -> None:
        data = bytes(raw)
        self._data = data
        self._records = list(scan_records(data, 1 << 31))
        self._next = 0
        self._end = len(self._records)  # of what was taken last: all of it

    @property
    def left(self) -> bool:
        return self._next < len(self._records)

    def take(self, count: int) -> tuple[bytes, int]:
        """Return the next records as a module is given them, and how many it are."""
        self._end = min(self._next + count, len(self._records))
        return self.taken, self._end - self._next

    @property
    def taken(self) -> bytes:
        """What was taken last, less what was passed of it."""
        count = self._end - self._next
        records = self._data[self._begin(self._next) : self._begin(self._end)]
        return count.to_bytes(_COUNT_BYTES, "big") + records

    def pass_taken(self) -> None:
        """Note that all that was taken last is done."""
        self._next = self._end

    def pass_failed(self, fault: abi.RuntimeFault, base_offset: int) -> bool:
        """Pass the record that a module failed at, and all before it; False if there is none."""
        wanted = fault.offset - base_offset
        for index in range(self._next, self._end):
            record = self._records[index][0]
            if (record.offset, record.key, record.value) == (wanted, fault.key, fault.value):
                self._next = index + 1
                return True
        return False

    def _begin(self, index: int) -> int:
        return self._records[index - 1][1] if index else _COUNT_BYTES


def _singles(raw: bytes, base_offset: int, kind: str) -> "list[tuple[bytes, abi.RuntimeFault]]":
    """Return records, each as a module is given it alone, and what to say if it fails."""
    singles = []
    begin = _COUNT_BYTES
    for record, end in scan_records(raw, 1 << 31):
        fault = abi.RuntimeFault(
            "", base_offset + record.offset, kind, record.key, record.value or b""
        )
        singles.append((b"\0\0\0\1" + raw[begin:end], fault))
        begin = end
    return singles
