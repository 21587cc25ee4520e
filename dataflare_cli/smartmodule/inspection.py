"""Inspection: what can be told of a SmartModule's bytes."""

import hashlib
from typing import NamedTuple

from dataflare_cli.smartmodule import abi
from dataflare_cli.smartmodule.engine import LoadedModule
from dataflare_cli.smartmodule.sections import Param, sdk_of

_PAGE_BYTES = 65_536


class Inspection(NamedTuple):
    """What a module is and wants; sizes in bytes."""

    kind: str
    generation: str
    abi_version: int | None  # what is passed; None to those of 2021, which take none
    has_init: bool
    has_look_back: bool
    stateless: bool
    imports: list[str]
    exports: list[str]
    memory_bytes: int
    memory_bytes_max: int | None
    params: list[Param]
    summary: str
    size_bytes: int
    sha256: str
    sdk: str
    output_freed: str


def inspect(name: str, wasm: bytes) -> Inspection:
    """Compile a module, probe it, and return what was found.

    Raises:
        InvalidModule: it is none.
    """
    loaded = LoadedModule(name, wasm)
    pages = loaded.module.memory_pages
    assert pages is not None  # else it would not have loaded
    low, high = pages
    return Inspection(
        kind=loaded.kind.value,
        generation=_generation(loaded),
        abi_version=loaded.version if loaded.layout is abi.Layout.VERSIONED else None,
        has_init=loaded.has_init,
        has_look_back=loaded.has_look_back,
        stateless=loaded.is_stateless,
        imports=[f"{module}.{item}" for module, item, _ in loaded.module.imports],
        exports=sorted(loaded.module.exports),
        memory_bytes=low * _PAGE_BYTES,
        memory_bytes_max=None if high is None else high * _PAGE_BYTES,
        params=list(loaded.metadata.params),
        summary=loaded.metadata.summary,
        size_bytes=len(wasm),
        sha256=hashlib.sha256(wasm).hexdigest(),
        sdk=sdk_of(wasm),
        output_freed=loaded.freeing.value,
    )


def _generation(loaded: LoadedModule) -> str:
    """Return since when Fluvio's SDK has made such modules; newer ones may look like older."""
    if loaded.layout is abi.Layout.BARE:
        return "2021-04 to 2021-07"
    if loaded.layout is abi.Layout.WITH_ERRORS:
        return "2021-08 to 2021-11"
    if loaded.has_look_back:
        return "2023-06 or later"
    if loaded.is_aggregate and loaded.version == abi.AGGREGATE_VERSION_OLDEST:
        return "2021-11 to 2023-02"
    if loaded.is_aggregate:
        return "2023-06" if loaded.version < abi.VERSION else "2023-08 or later"
    return "2022-09 or later" if loaded.has_init else "2021-11 or later"
