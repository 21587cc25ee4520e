"""WASM modules: the only importer of wasmtime.

Hides the engine and its settings, where modules come from, the cache of compiled
ones, and linear memory's addresses.

Invariants
- Compiled code is only run if its SHA-256 is the one that was stored with it, in a
  directory that nobody else can write to: wasmtime itself loads damaged artefacts.
- A cache that can't be used costs time, never an error.
- Linear memory never moves, so a view of it stays valid while anything refers to it.
- An engine and a module may be shared by threads, an `Instance` may not.

A cached artefact: SHA-256 of the rest (32 bytes), what wasmtime serialised. Its name
is the SHA-256 of the module, wasmtime's version and the engine's settings.
"""

import ctypes
import hashlib
import os
import secrets
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs
import wasmtime

from dataflare_cli.errors import Unreachable

PAGE_BYTES = 65536
# Of the cache: a kernel compiles to about 200 KB, a SmartModule to a few MB.
ARTEFACTS_MAX = 64
_DIGEST_BYTES = hashlib.sha256().digest_size


class Settings(NamedTuple):
    """What decides how code is compiled; part of a cached artefact's name."""

    # Address space set aside for a memory. With all of 4 GiB no access needs a check.
    reservation_bytes: int = 1 << 32


ROOMY = Settings()
# For `ulimit -v`: memories of at most 512 MiB, every access checked.
NARROW = Settings(reservation_bytes=512 << 20)
CHOICES = (ROOMY, NARROW)


class _KeptAtExit:
    """Frees nothing while the interpreter ends: what wasmtime needs for that may be gone."""

    def _delete(self, ptr: Any, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        if not is_finalizing():
            super()._delete(ptr)  # type: ignore[misc]  # that of the class beside this one


class _Engine(_KeptAtExit, wasmtime.Engine):
    pass


class _Module(_KeptAtExit, wasmtime.Module):
    pass


class _Store(_KeptAtExit, wasmtime.Store):
    pass


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
            raise _no_memory(size) from exc
        self._map()

    def _map(self) -> None:
        self.memory_bytes = self._memory.data_len(self._store)
        base = ctypes.addressof(self._memory.data_ptr(self._store).contents)
        array = (ctypes.c_ubyte * self.memory_bytes).from_address(base)
        # The store owns the memory: whoever holds a view holds the store.
        array.store = self._store  # type: ignore[attr-defined]
        self.memory = memoryview(array).cast("B")


def load(name: str) -> None:
    """Compile the module `name` of this package, or take it from the cache.

    Done by the first `Instance` otherwise; may be called in a background thread.
    """
    _module(name, ROOMY)


def is_loaded(name: str) -> bool:
    """Tell whether the next `Instance` of a module starts at once."""
    return (name, ROOMY) in _modules


def wasm_bytes(name: str) -> bytes:
    """Return the module `name` of this package as it is shipped."""
    return resources.files(__package__).joinpath(f"{name}.wasm").read_bytes()


_lock = threading.Lock()
_modules: dict[tuple[str, Settings], wasmtime.Module] = {}


def _start(name: str) -> tuple[wasmtime.Store, wasmtime.Instance]:
    for settings in CHOICES:
        module = _module(name, settings)
        store = _Store(_engine(settings))
        with suppress(wasmtime.WasmtimeError):
            return store, wasmtime.Instance(store, module, [])
    raise _no_memory(NARROW.reservation_bytes)


def _no_memory(size: int) -> Unreachable:
    return Unreachable(
        "memory",
        f"the system does not give {size} bytes",
        hint="raise the limits of this process (ulimit -v)",
    )


@cache
def _engine(settings: Settings) -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_simd = True
    config.wasm_bulk_memory = True
    config.memory_may_move = False
    config.memory_reservation = settings.reservation_bytes
    return _Engine(config)


def _module(name: str, settings: Settings) -> wasmtime.Module:
    with _lock:
        module = _modules.get((name, settings))
        if module is None:
            module = compile_cached(wasm_bytes(name), settings)
            _modules[name, settings] = module
        return module


def compile_cached(wasm: bytes, settings: Settings = ROOMY) -> wasmtime.Module:
    """Return a compiled module, from the cache if it is there and whole."""
    engine = _engine(settings)
    directory = cache_directory()
    if directory is None:
        return _Module(engine, wasm)
    file = directory / f"{artefact_name(wasm, settings)}.cwasm"
    artefact = _read(file)
    if artefact is not None:
        # Whole, but of another machine: wasmtime refuses one for other processors.
        with suppress(wasmtime.WasmtimeError):
            return _Module.deserialize(engine, artefact)
    module = _Module(engine, wasm)
    with suppress(OSError):
        _write(file, bytes(module.serialize()))
        _prune(directory)
    return module


def artefact_name(wasm: bytes, settings: Settings) -> str:
    """Return the name of a compiled module: everything that decides its bytes."""
    digest = hashlib.sha256(wasm)
    digest.update(f"\0{_wasmtime_version()}\0{settings!r}".encode())
    return digest.hexdigest()


@cache
def _wasmtime_version() -> str:
    """Return wasmtime's version, by the name of its metadata: reading it takes 10 ms more."""
    packages = Path(wasmtime.__file__).parent.parent
    found = next(packages.glob("wasmtime-*.dist-info"), None)
    if found is not None:
        return found.name
    from importlib.metadata import version

    return version("wasmtime")


def cache_directory() -> Path | None:
    """Return the directory of compiled modules, made on first use, or None.

    None: it can't be made, or somebody else could have written to it.
    """
    directory = platformdirs.user_cache_path("dataflare", appauthor=False) / "wasm"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.stat(directory)
    except OSError:
        return None
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    return directory if private and found.st_uid == os.geteuid() else None


def _read(file: Path) -> bytes | None:
    try:
        stored = file.read_bytes()
    except OSError:
        return None
    digest, artefact = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
    return artefact if hashlib.sha256(artefact).digest() == digest else None


def _write(file: Path, artefact: bytes) -> None:
    """Put an artefact in place at once, so that no reader sees a part of it."""
    temporary = file.with_suffix(f".{secrets.token_hex(8)}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(hashlib.sha256(artefact).digest())
            out.write(artefact)
        temporary.replace(file)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _prune(directory: Path) -> None:
    """Drop the oldest artefacts of releases and modules that are gone."""
    by_age = sorted(directory.iterdir(), key=lambda file: file.stat().st_mtime)
    for file in by_age[:-ARTEFACTS_MAX]:
        file.unlink(missing_ok=True)
