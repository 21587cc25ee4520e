"""Guests: modules of somebody else, hostile until proven otherwise.

Hides how they are stopped, what they may import, and what ends a call.

Invariants
- A guest has its own store: a memory up to its limit, small tables, one instance.
- It can call nothing of the host but `copy_records`, which notes two numbers, and WASI
  functions that see nothing (`wasi`). Neither refers to the guest, so it is freed in time.
- No call outlives its time. After a `Trap` a guest is in no known state: drop it.
- What a guest says about places is not believed: they are looked at as unsigned, and
  compared with the memory there is.
"""

import threading
import weakref
from collections.abc import Callable
from functools import cache
from traceback import clear_frames
from typing import Literal

import wasmtime

from dataflare_cli.wasm import wasi
from dataflare_cli.wasm.binary import Signature, read_interface
from dataflare_cli.wasm.clock import Clock, Deadline
from dataflare_cli.wasm.compiled import KeptStore, Settings, compile_cached, engine_of
from dataflare_cli.wasm.trusted import no_memory, view_of

GUEST_CHOICES = (Settings(is_guest=True), Settings(reservation_bytes=512 << 20, is_guest=True))
COUNTED = Settings(is_guest=True, has_fuel=True)
# Function tables; an SDK's modules have a few hundred entries.
TABLE_ELEMENTS_MAX = 1_000_000
COPY_RECORDS = "copy_records"
_MASK = 0xFFFFFFFF
_FUEL = 2**63 - 1

# over: the deadline of all calls is past
Reason = Literal["trap", "time", "over", "exit"]


class InvalidWasmError(Exception):
    """Not a module, or one that can't be started here; the text says why."""


class Trap(Exception):
    """A call that did not return."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason, self.text = reason, text


class GuestModule:
    """A compiled module; may be shared by threads."""

    def __init__(self, wasm: bytes, *, counts_fuel: bool = False) -> None:
        """Compile a module, or take it from the cache.

        Raises:
            InvalidWasmError: it is none.
        """
        self._wasm = wasm
        self._choices = (COUNTED,) if counts_fuel else GUEST_CHOICES
        self._lock = threading.Lock()
        self._compiled: dict[Settings, wasmtime.Module] = {}
        self._module(self._choices[0])
        # What has compiled is valid.
        self.imports, self.exports, self.memory_pages = read_interface(wasm)

    def _module(self, settings: Settings) -> wasmtime.Module:
        with self._lock:
            if settings not in self._compiled:
                try:
                    self._compiled[settings] = compile_cached(self._wasm, settings)
                except wasmtime.WasmtimeError as exc:
                    raise InvalidWasmError(str(exc)) from exc
            return self._compiled[settings]

    def start(
        self, store_of: "Callable[[Settings], tuple[KeptStore, list[wasmtime.Func]]]"
    ) -> tuple[KeptStore, wasmtime.Instance, Settings]:
        """Instantiate in a store that the caller prepares; with less address space if need be.

        Raises:
            InvalidWasmError: its imports, its memory or its start function are not to be had.
            Unreachable: the system gives it no memory.
        """
        for settings in self._choices:
            module = self._module(settings)
            store, functions = store_of(settings)
            try:
                with clock_of(settings).limit(store, START_S_MAX, Deadline()):
                    return store, wasmtime.Instance(store, module, functions), settings
            except (wasmtime.WasmtimeError, wasmtime.Trap, wasi.ExitError) as exc:
                text = str(exc)
                if "mmap" in text or "Cannot allocate memory" in text:
                    continue
                raise InvalidWasmError(text) from exc
        raise no_memory(self._choices[-1].reservation_bytes)


# For a start section, which SDKs' modules don't have.
START_S_MAX = 1.0


class Guest:
    """One instance, for one thread at a time."""

    def __init__(
        self,
        module: GuestModule,
        *,
        memory_bytes_max: int,
        log: Callable[[str], None] = lambda _: None,
        deadline: Deadline | None = None,
    ) -> None:
        """Start a module, whose calls end at a deadline.

        Raises:
            InvalidWasmError: what it imports is not here, or it can't be instantiated.
            Unreachable: the system gives it no memory.
        """
        self._copied: list[tuple[int, int]] = []  # at most one
        self._memory_bytes_max = memory_bytes_max
        self._log = log
        self._deadline = Deadline() if deadline is None else deadline
        self._imports = module.imports
        self._store, instance, settings = module.start(self._prepare)
        self._clock = clock_of(settings)
        self._counts_fuel = settings.has_fuel
        exports = instance.exports(self._store)
        self._functions = {
            name: item for name, item in exports.items() if isinstance(item, wasmtime.Func)
        }
        memory = exports.get("memory")
        if not isinstance(memory, wasmtime.Memory):
            raise InvalidWasmError("it exports no memory")
        self._memory = memory
        self._view = memoryview(b"")

    def call(self, name: str, *arguments: int, time_s: float) -> int:
        """Call a function; its result is signed, 0 if it has none.

        Raises:
            Trap: it did not return.
        """
        self._copied.clear()
        if self._counts_fuel:
            self._store.set_fuel(_FUEL)
        try:
            with self._clock.limit(self._store, time_s, self._deadline):
                result = self._functions[name](self._store, *map(_signed, arguments))
        except (wasmtime.Trap, wasmtime.WasmtimeError, wasi.ExitError) as exc:
            trap = self._trap_of(exc)
            # wasmtime's frames refer to it, and to the store, which would wait for a collector.
            clear_frames(exc.__traceback__)
        else:
            return int(result or 0)
        try:
            raise trap
        finally:
            del trap  # nor may this frame refer to what refers to it

    def _trap_of(self, exc: Exception) -> Trap:
        if isinstance(exc, wasi.ExitError):
            return Trap("exit", str(exc))
        if not isinstance(exc, wasmtime.Trap):
            return Trap("trap", str(exc))
        if exc.trap_code is not wasmtime.TrapCode.INTERRUPT:
            return Trap("trap", _reason_of(exc))
        if self._deadline.is_past:
            return Trap("over", self._deadline.text)
        return Trap("time", _reason_of(exc))

    @property
    def fuel_used(self) -> int:
        """What the last call has cost, in wasmtime's units of work (about one an instruction)."""
        return _FUEL - self._store.get_fuel()

    @property
    def copied(self) -> tuple[int, int] | None:
        """The place and size that the last call gave to `copy_records`; None if it did not."""
        return self._copied[0] if self._copied else None

    @property
    def memory_bytes(self) -> int:
        """How much memory the guest has taken."""
        return int(self._memory.data_len(self._store))

    def view(self, at: int, size: int) -> memoryview:
        """Return a view of some bytes, valid until the next call.

        Raises:
            IndexError: the guest does not have them.
        """
        if at + size > len(self._view):
            # Memory grows, and stays where it is (`compiled`).
            self._view = view_of(self._memory, self._store)
        if at < 0 or at + size > len(self._view):
            raise IndexError(f"{size} bytes at {at} of {len(self._view)}")
        return self._view[at : at + size]

    def read(self, at: int, size: int) -> bytes:
        """Return a copy of some bytes; IndexError as in `view`."""
        return bytes(self.view(at, size))

    def write(self, at: int, data: bytes | bytearray | memoryview) -> None:
        """Replace some bytes; IndexError as in `view`."""
        self.view(at, len(data))[:] = data

    def _prepare(self, settings: Settings) -> tuple[KeptStore, list[wasmtime.Func]]:
        store = KeptStore(engine_of(settings))
        store.set_limits(
            memory_size=self._memory_bytes_max,
            table_elements=TABLE_ELEMENTS_MAX,
            instances=1,
            tables=8,
            memories=1,
        )
        if settings.has_fuel:
            store.set_fuel(_FUEL)
        this = weakref.ref(self)

        def memory() -> wasi.Memory:
            guest = this()
            if guest is None or not hasattr(guest, "_memory"):
                raise IndexError("not started yet")
            return guest

        host = wasi.Wasi(memory, self._log)
        return store, [
            self._function(store, host, module, name, signature)
            for module, name, signature in self._imports
        ]

    def _function(
        self,
        store: KeptStore,
        host: wasi.Wasi,
        module: str,
        name: str,
        signature: Signature | None,
    ) -> wasmtime.Func:
        """Return the host's side of an import."""
        if signature is None:
            raise InvalidWasmError(f"it imports {module}.{name}, which is no function")
        if name == COPY_RECORDS:
            if signature != Signature(("i32", "i32"), ()):
                raise InvalidWasmError(f"its import {name} is not a function of (i32, i32)")
            call: Callable[..., int | None] = _note_in(self._copied)
        elif module == wasi.MODULE:
            call = self._wasi(host, name, signature)
        else:
            raise InvalidWasmError(
                f"it imports {module}.{name}, which no host of SmartModules provides"
            )
        kind = wasmtime.FuncType(
            [_VALUE_TYPES[each]() for each in signature.parameters],
            [_VALUE_TYPES[each]() for each in signature.results],
        )
        return wasmtime.Func(store, kind, call)

    @staticmethod
    def _wasi(host: wasi.Wasi, name: str, signature: Signature) -> Callable[..., int | None]:
        call = host.function(name, signature)
        if call is None:
            raise InvalidWasmError(f"its import {wasi.MODULE}.{name} has another type than in WASI")
        return call


@cache
def clock_of(settings: Settings) -> Clock:
    """Return the clock of the engine of some settings."""
    return Clock(engine_of(settings))


_VALUE_TYPES = {
    "i32": wasmtime.ValType.i32,
    "i64": wasmtime.ValType.i64,
    "f32": wasmtime.ValType.f32,
    "f64": wasmtime.ValType.f64,
}


def _note_in(copied: list[tuple[int, int]]) -> Callable[[int, int], None]:
    def copy_records(at: int, size: int) -> None:
        copied[:] = [(at & _MASK, size & _MASK)]

    return copy_records


def _signed(number: int) -> int:
    """Return the bits of a u32 as the i32 that wasmtime takes."""
    return number - (1 << 32) if number >= 1 << 31 else number


def _reason_of(trap: wasmtime.Trap) -> str:
    """Return what happened, without the backtrace: `wasm trap: …`."""
    for line in reversed(trap.message.splitlines()):
        _, found, text = line.partition("wasm trap: ")
        if found:
            return text
    return trap.message.splitlines()[0] if trap.message else "trap"
