"""WASM modules: the only importer of wasmtime.

Hides the engine and its settings, where modules come from, the cache of compiled
ones, linear memory's addresses, and how code that is not ours is kept in its bounds.

- `Instance`: a module of this package (the kernel), trusted.
- `GuestModule`, `Guest`: somebody's SmartModule, not trusted.
- `Deadline`: when the calls of a run are over.
- `wat_to_wasm`: modules as text, for those who write them.
"""

import wasmtime

from dataflare_cli.wasm.binary import Signature
from dataflare_cli.wasm.clock import Deadline
from dataflare_cli.wasm.guest import Guest, GuestModule, InvalidWasmError, Trap
from dataflare_cli.wasm.trusted import Instance, load, wasm_bytes

__all__ = [
    "Deadline",
    "Guest",
    "GuestModule",
    "Instance",
    "InvalidWasmError",
    "Signature",
    "Trap",
    "load",
    "wasm_bytes",
    "wat_to_wasm",
]


def wat_to_wasm(text: str) -> bytes:
    """Return the module that a WebAssembly text means; whether it is valid is not looked at.

    Raises:
        InvalidWasmError: it means none; the text says where, in a file <anon>.
    """
    try:
        return bytes(wasmtime.wat2wasm(text))
    except wasmtime.WasmtimeError as exc:
        raise InvalidWasmError(str(exc)) from exc
