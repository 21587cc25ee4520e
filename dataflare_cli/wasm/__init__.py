"""WASM modules: the only importer of wasmtime.

Hides the engine and its settings, where modules come from, the cache of compiled
ones, linear memory's addresses, and how code that is not ours is kept in its bounds.

- `Instance`: a module of this package (the kernel), trusted.
- `GuestModule`, `Guest`: somebody's SmartModule, not trusted.
"""

from dataflare_cli.wasm.guest import Guest, GuestModule, InvalidWasmError, Signature, Trap
from dataflare_cli.wasm.trusted import Instance, load, wasm_bytes

__all__ = [
    "Guest",
    "GuestModule",
    "Instance",
    "InvalidWasmError",
    "Signature",
    "Trap",
    "load",
    "wasm_bytes",
]
