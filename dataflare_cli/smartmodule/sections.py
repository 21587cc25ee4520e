"""Custom sections of a WASM binary: what a module says of itself.

Pure bytes, read without compiling. A binary is a header of 8 bytes, then sections: id u8,
size LEB128, contents; one with id 0 begins with its name.
https://webassembly.github.io/spec/core/binary/modules.html#custom-section
"""

import re
from collections.abc import Iterator
from contextlib import suppress

import msgspec

METADATA_SECTION = "dataflare.smartmodule"
MAGIC = b"\0asm"
_HEADER_BYTES = 8
_CUSTOM = 0
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


def custom_sections(wasm: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the custom sections as (name, contents); ends where the binary makes no sense."""
    at = _HEADER_BYTES
    with suppress(IndexError, ValueError):
        while at < len(wasm):
            kind = wasm[at]
            size, at = _leb128(wasm, at + 1)
            end = at + size
            if end > len(wasm):
                return
            if kind == _CUSTOM:
                name_bytes, begin = _leb128(wasm, at)
                if begin + name_bytes > end:
                    return
                yield wasm[begin : begin + name_bytes].decode(), wasm[begin + name_bytes : end]
            at = end


def read_metadata(wasm: bytes) -> Metadata:
    """Return what a module says of itself; nothing if it says nothing that can be understood."""
    for name, contents in custom_sections(wasm):
        if name == METADATA_SECTION and len(contents) <= _METADATA_BYTES_MAX:
            with suppress(msgspec.MsgspecError):
                return msgspec.json.decode(contents, type=Metadata)
    return Metadata()


def sdk_of(wasm: bytes) -> str:
    """Return which SDK a module was made with, where that can be told: name and version."""
    if any(name == METADATA_SECTION for name, _ in custom_sections(wasm)):
        return "dataflare-smartmodule"
    found = _SDK.search(wasm)
    return f"fluvio-smartmodule {found[2].decode()}" if found else ""


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while shift < 35:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at
    raise ValueError("a number that does not end")
