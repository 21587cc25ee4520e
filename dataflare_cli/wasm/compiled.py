"""Compiled modules: engines, their settings, and the cache of what they have compiled.

Invariants
- Compiled code is only run if its SHA-256 is the one that was stored with it, in a
  directory that nobody else can write to: wasmtime itself loads damaged artefacts.
- A cache that can't be used costs time, never an error.
- An engine and a module may be shared by threads.

A cached artefact: SHA-256 of the rest and of its name (32 bytes), what wasmtime serialised.
Its name is the SHA-256 of the module, wasmtime's version and the engine's settings.
"""

import hashlib
import os
import secrets
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs
import wasmtime

from dataflare_cli.wasm.binary import heaviest_function

# Of the cache. A kernel compiles to about 200 KB, a large SmartModule to 15 MB.
ARTEFACTS_MAX = 128
ARTEFACTS_BYTES_MAX = 512 << 20
# Bytes of a function times its locals. The largest of real modules have some 100 million; a
# module that is made to take minutes has far more.
FUNCTION_WEIGHT_MAX = 4_000_000_000
_DIGEST_BYTES = hashlib.sha256().digest_size


class Settings(NamedTuple):
    """What decides how code is compiled; part of a cached artefact's name."""

    # Address space set aside for a memory. With all of 4 GiB no access needs a check.
    reservation_bytes: int = 1 << 32
    # Code that is not ours can be stopped (`clock`), and speaks WebAssembly as SDKs write it.
    is_guest: bool = False
    has_fuel: bool = False


ROOMY = Settings()
# For `ulimit -v`: memories of at most 512 MiB, every access checked.
NARROW = Settings(reservation_bytes=512 << 20)
CHOICES = (ROOMY, NARROW)


class KeptAtExit:
    """Frees nothing while the interpreter ends: what wasmtime needs for that may be gone."""

    def _delete(self, ptr: Any, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        if not is_finalizing():
            super()._delete(ptr)  # type: ignore[misc]  # that of the class beside this one


class _Engine(KeptAtExit, wasmtime.Engine):
    pass


class _Module(KeptAtExit, wasmtime.Module):
    pass


class KeptStore(KeptAtExit, wasmtime.Store):
    """A store that is freed while the interpreter runs, or not at all."""


@cache
def engine_of(settings: Settings) -> wasmtime.Engine:
    """Return the engine of some settings; there is one of each in a process."""
    config = wasmtime.Config()
    config.wasm_simd = True
    config.wasm_bulk_memory = True
    config.memory_may_move = False
    config.memory_reservation = settings.reservation_bytes
    if settings.is_guest:
        config.epoch_interruption = True
        config.wasm_relaxed_simd_deterministic = True
        # What no SDK of SmartModules makes: less of wasmtime that a hostile module can reach.
        config.wasm_memory64 = False
        config.wasm_multi_memory = False
        config.wasm_gc = False
        config.wasm_function_references = False
    config.consume_fuel = settings.has_fuel
    return _Engine(config)


def compile_cached(wasm: bytes, settings: Settings = ROOMY) -> wasmtime.Module:
    """Return a compiled module, from the cache if it is there and whole.

    Raises:
        wasmtime.WasmtimeError: not a valid module.
    """
    engine = engine_of(settings)
    directory = cache_directory()
    if directory is None:
        return _compile(engine, wasm)
    file = directory / f"{artefact_name(wasm, settings)}.cwasm"
    artefact = _read(file)
    if artefact is not None:
        # Whole, but of another machine: wasmtime refuses one for other processors.
        with suppress(wasmtime.WasmtimeError):
            return _Module.deserialize(engine, artefact)
    if settings.is_guest and heaviest_function(wasm) > FUNCTION_WEIGHT_MAX:
        raise wasmtime.WasmtimeError("a function of it is too large to be compiled in time")
    module = _compile(engine, wasm)
    with suppress(OSError):
        _write(file, bytes(module.serialize()))
        _prune(directory)
    return module


def _compile(engine: wasmtime.Engine, wasm: bytes) -> wasmtime.Module:
    """Compile in a thread of its own: a module made to take minutes must not be deaf to Ctrl-C."""
    done: list[wasmtime.Module | BaseException] = []

    def run() -> None:
        try:
            done.append(_Module(engine, wasm))
        except BaseException as exc:  # noqa: BLE001 - carried over to the caller's thread
            done.append(exc)

    thread = threading.Thread(target=run, name="compile", daemon=True)
    thread.start()
    thread.join()
    (result,) = done
    if isinstance(result, BaseException):
        raise result
    return result


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
        os.utime(file)  # those not used for longest go first
    except OSError:
        return None
    digest, artefact = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
    return artefact if _digest_of(file, artefact) == digest else None


def _digest_of(file: Path, artefact: bytes) -> bytes:
    """Return what an artefact is checked by: its bytes, and which module they are of."""
    digest = hashlib.sha256(artefact)
    digest.update(file.stem.encode())
    return digest.digest()


def _write(file: Path, artefact: bytes) -> None:
    """Put an artefact in place at once, so that no reader sees a part of it."""
    temporary = file.with_suffix(f".{secrets.token_hex(8)}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(_digest_of(file, artefact))
            out.write(artefact)
        temporary.replace(file)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _prune(directory: Path) -> None:
    """Drop the artefacts of releases and modules that are gone: those not used for longest."""
    by_age = [(file.stat().st_mtime, file.stat().st_size, file) for file in directory.iterdir()]
    by_age.sort(reverse=True)
    kept_bytes = 0
    for number, (_, size, file) in enumerate(by_age):
        kept_bytes += size
        if number >= ARTEFACTS_MAX or (number and kept_bytes > ARTEFACTS_BYTES_MAX):
            file.unlink(missing_ok=True)
