"""Custom sections of a WASM binary: what a module says of itself."""

import re
from contextlib import suppress

import msgspec

METADATA_SECTION = "dataflare.smartmodule"
_METADATA_BYTES_MAX = 64 * 1024
# Where Rust says which source line panicked: the SDK's crate with its version.
_SDK = re.compile(rb"(fluvio-smartmodule|fluvio_smartmodule)-(\d+\.\d+\.\d+)/")


class Param(msgspec.Struct, frozen=True):
    """A parameter, as the module's author describes it."""

    name: str
    description: str = ""
    optional: bool = False
    default: str | None = None
    example: str | None = None


class Metadata(msgspec.Struct, frozen=True):
    """What a module made with our SDK says of itself.

    `stateless`: no record influences the result for another one. `offsets`: the offset
    deltas of its output name their sources, also in an array_map.
    """

    name: str = ""
    version: str = ""
    kind: str = ""
    summary: str = ""
    params: tuple[Param, ...] = ()
    stateless: bool = False
    offsets: bool = False


def read_metadata(wasm: bytes) -> Metadata:
    """Return what a module says of itself; nothing if it says nothing that can be understood."""
    from dataflare_cli.wasm.binary import custom_sections

    for name, contents in custom_sections(wasm):
        if name == METADATA_SECTION and len(contents) <= _METADATA_BYTES_MAX:
            with suppress(msgspec.MsgspecError):
                return msgspec.json.decode(contents, type=Metadata)
    return Metadata()


def sdk_of(wasm: bytes) -> str:
    """Return which SDK a module was made with, where that can be told: name and version."""
    from dataflare_cli.wasm.binary import custom_sections

    if any(name == METADATA_SECTION for name, _ in custom_sections(wasm)):
        return "dataflare-smartmodule"
    found = _SDK.search(wasm)
    return f"fluvio-smartmodule {found[2].decode()}" if found else ""
