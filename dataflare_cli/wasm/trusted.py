"""Instances of the package's own modules, and linear memory's addresses.

Invariants
- Linear memory never moves, so a view of it stays valid while anything refers to it.
- An engine and a module may be shared by threads, an `Instance` may not.
"""

import ctypes
import threading
from contextlib import suppress
from importlib import resources

import wasmtime

from dataflare_cli.errors import Unreachable
from dataflare_cli.wasm.compiled import (
    CHOICES,
    NARROW,
    ROOMY,
    KeptStore,
    Settings,
    compile_cached,
    engine_of,
)

PAGE_BYTES = 65536


class Instance:
    """A module with a memory of its own; for one thread at a time."""

    def __init__(self, name: str) -> None:
        """Start the module `name` of this package.

        Raises:
            Unreachable: the system gives it no memory.
        """
        self._store, instance = _start(name)
        exports = instance.exports(self._store)
        self._functions = {
            name: item for name, item in exports.items() if isinstance(item, wasmtime.Func)
        }
        memory = exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        self._memory = memory
        self.memory = memoryview(b"")
        self.memory_bytes = 0
        self._map()

    def call(self, name: str) -> int:
        """Call an exported function without arguments; its result is unsigned.

        A trap is a bug of the module's author, and a RuntimeError.
        """
        try:
            result = self._functions[name](self._store)
        except wasmtime.Trap as exc:
            raise RuntimeError(f"{name} trapped: {exc}") from exc
        return int(result or 0) & 0xFFFFFFFF

    def reserve(self, size: int) -> None:
        """Grow the memory to at least `size` bytes; `memory` is renewed.

        Raises:
            Unreachable: the system gives no more memory.
        """
        if size <= self.memory_bytes:
            return
        pages = -(-(size - self.memory_bytes) // PAGE_BYTES)
        try:
            self._memory.grow(self._store, pages)
        except wasmtime.WasmtimeError as exc:
            raise no_memory(size) from exc
        self._map()

    def _map(self) -> None:
        self.memory = view_of(self._memory, self._store)
        self.memory_bytes = len(self.memory)


def view_of(memory: wasmtime.Memory, store: wasmtime.Store) -> memoryview:
    """Return a view of all of a memory; whoever holds it holds the store, which owns the bytes."""
    size = memory.data_len(store)
    if not size:
        return memoryview(b"")
    base = ctypes.addressof(memory.data_ptr(store).contents)
    array = (ctypes.c_ubyte * size).from_address(base)
    array.store = store  # type: ignore[attr-defined]
    return memoryview(array).cast("B")


def load(name: str) -> None:
    """Compile the module `name` of this package, or take it from the cache.

    Done by the first `Instance` otherwise; may be called in a background thread.
    """
    _module(name, ROOMY)


def wasm_bytes(name: str) -> bytes:
    """Return the module `name` of this package as it is shipped."""
    return resources.files(__package__).joinpath(f"{name}.wasm").read_bytes()


def no_memory(size: int) -> Unreachable:
    """Make the error for when the system has no more address space."""
    return Unreachable(
        "memory",
        f"the system does not give {size} bytes",
        hint="raise the limits of this process (ulimit -v)",
    )


_lock = threading.Lock()
_modules: dict[tuple[str, Settings], wasmtime.Module] = {}


def _start(name: str) -> tuple[wasmtime.Store, wasmtime.Instance]:
    for settings in CHOICES:
        module = _module(name, settings)
        store = KeptStore(engine_of(settings))
        with suppress(wasmtime.WasmtimeError):
            return store, wasmtime.Instance(store, module, [])
    raise no_memory(NARROW.reservation_bytes)


def _module(name: str, settings: Settings) -> wasmtime.Module:
    with _lock:
        module = _modules.get((name, settings))
        if module is None:
            module = compile_cached(wasm_bytes(name), settings)
            _modules[name, settings] = module
        return module
