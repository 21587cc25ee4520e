"""WASM binaries, as much as is read without wasmtime: sections, and what goes in and out.

A binary is a header of 8 bytes, then sections: id u8, size LEB128, contents; one with id 0
begins with its name. wasmtime's Python package aborts the process where it is asked for a
function's type that has a v128 in it, so types are read here.
https://webassembly.github.io/spec/core/binary/modules.html
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple, TypeVar

MAGIC = b"\0asm"
_HEADER_BYTES = 8
_CUSTOM, _TYPE, _IMPORT, _FUNCTION, _MEMORY, _EXPORT, _CODE = 0, 1, 2, 3, 5, 7, 10
_FUNC, _TABLE, _MEM, _GLOBAL = 0, 1, 2, 3
_HAS_MAX = 1
# Others are references, or of proposals that guests have no use for.
_VALUE_TYPES = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128"}

Item = TypeVar("Item")


class Signature(NamedTuple):
    """The type of a function: names of value types, as in WAT; "ref" for all references."""

    parameters: tuple[str, ...]
    results: tuple[str, ...]


class Import(NamedTuple):
    """What a module asks its host for; no signature: it is not a function."""

    module: str
    name: str
    signature: Signature | None


class Interface(NamedTuple):
    """What goes in and out; exports that are no functions have no signature.

    `memory_pages`: of the export "memory", if it is one, the least and the most (None: no
    limit) pages.
    """

    imports: list[Import]
    exports: dict[str, Signature | None]
    memory_pages: tuple[int, int | None] | None


def custom_sections(wasm: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the custom sections as (name, contents); ends where the binary makes no sense."""
    with suppress(IndexError, ValueError):
        for kind, begin, end in _sections(wasm):
            if kind == _CUSTOM:
                cursor = _Cursor(wasm, begin, end)
                yield cursor.name(), wasm[cursor.at : end]


def read_interface(wasm: bytes) -> Interface:
    """Return what goes in and out of a valid module without the types of garbage collection.

    Raises:
        ValueError, IndexError: it is no such module.
    """
    types: list[Signature] = []
    functions: list[Signature] = []
    memories: list[tuple[int, int | None]] = []
    imports: list[Import] = []
    exports: dict[str, Signature | None] = {}
    memory_pages = None
    for kind, begin, end in _sections(wasm):
        cursor = _Cursor(wasm, begin, end)
        if kind == _TYPE:
            types = cursor.items(cursor.signature)
        elif kind == _IMPORT:
            for module, name, what in cursor.items(cursor.imported):
                signature = None
                if isinstance(what, int):
                    signature = types[what]
                    functions.append(signature)
                elif what is not None:
                    memories.append(what)
                imports.append(Import(module, name, signature))
        elif kind == _FUNCTION:
            functions += [types[each] for each in cursor.items(cursor.number)]
        elif kind == _MEMORY:
            memories += cursor.items(cursor.limits)
        elif kind == _EXPORT:
            for name, what, index in cursor.items(cursor.exported):
                exports[name] = functions[index] if what == _FUNC else None
                if name == "memory" and what == _MEM:
                    memory_pages = memories[index]
    return Interface(imports, exports, memory_pages)


def heaviest_function(wasm: bytes) -> int:
    """Return the largest product of a function's bytes and locals: compiling takes as long.

    0 if the binary makes no sense: compiling it will say so.
    """
    heaviest = 0
    with suppress(IndexError, ValueError):
        for kind, begin, end in _sections(wasm):
            if kind == _CODE:
                cursor = _Cursor(wasm, begin, end)
                heaviest = max((0, *cursor.items(cursor.weight)))
    return heaviest


def _sections(wasm: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (id, begin, end) of each section.

    Raises:
        ValueError, IndexError: the binary makes no sense from here on.
    """
    at = _HEADER_BYTES
    while at < len(wasm):
        head = _Cursor(wasm, at + 1, len(wasm))
        size = head.number()
        if head.at + size > len(wasm):
            raise ValueError("a section beyond the end")
        yield wasm[at], head.at, head.at + size
        at = head.at + size


class _Cursor:
    """A place in a section."""

    def __init__(self, wasm: bytes, begin: int, end: int) -> None:
        self._wasm, self.at, self._end = wasm, begin, end

    def byte(self) -> int:
        """Return the next byte."""
        if self.at >= self._end:
            raise ValueError("beyond the end of a section")
        self.at += 1
        return self._wasm[self.at - 1]

    def number(self) -> int:
        """Return the next LEB128, which has at most 64 bits."""
        number = shift = 0
        while shift < 70:
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number
        raise ValueError("a number that does not end")

    def name(self) -> str:
        """Return the next name."""
        size = self.number()
        begin, self.at = self.at, self.at + size
        if self.at > self._end:
            raise ValueError("a name beyond the end of its section")
        return self._wasm[begin : self.at].decode()

    def items(self, item: Callable[[], Item]) -> list[Item]:
        """Return a vector; each item takes at least a byte, so a lying count ends."""
        return [item() for _ in range(self.number())]

    def signature(self) -> Signature:
        """Return a function's type."""
        if self.byte() != 0x60:
            raise ValueError("a type that is not of a function")
        return Signature(tuple(self.items(self._value_type)), tuple(self.items(self._value_type)))

    def _value_type(self) -> str:
        return _VALUE_TYPES.get(self.byte(), "ref")

    def limits(self) -> tuple[int, int | None]:
        """Return the least and the most of something."""
        flags = self.byte()
        least = self.number()
        return least, self.number() if flags & _HAS_MAX else None

    def imported(self) -> tuple[str, str, int | tuple[int, int | None] | None]:
        """Return module, name, and the type of a function, the limits of a memory or None."""
        module, name, kind = self.name(), self.name(), self.byte()
        if kind == _FUNC:
            return module, name, self.number()
        if kind == _MEM:
            return module, name, self.limits()
        if kind == _TABLE:
            self.byte()
            self.limits()
        elif kind == _GLOBAL:
            self.at += 2
        else:
            self.at += 1  # a tag
            self.number()
        return module, name, None

    def weight(self) -> int:
        """Return a function's bytes times its locals, and pass it."""
        size = self.number()
        end = self.at + size
        locals_ = sum(self.items(self._locals))
        self.at = end
        return size * locals_

    def _locals(self) -> int:
        count = self.number()
        self.byte()
        return count

    def exported(self) -> tuple[str, int, int]:
        """Return name, kind and index."""
        return self.name(), self.byte(), self.number()
