"""Fluvio's SmartModule ABI: messages as bytes, both ways; records are `codec.smart`'s.

Hides versions: which fields a message has, and in which order. Integers are big-endian.

    input       i64 base offset | u32 n, n bytes of records
                [v <= 22] params | [16 <= v <= 22] u32 0 (a join's records)
                [v >= 22] i64 base timestamp | aggregates: u32 n, n bytes of accumulator
    params      u16 count, then key, value; [v >= 20] look-back option: u8 tag,
                u64 last, [v >= 21] age option: u8 tag, u64 seconds, u32 nanoseconds
    output      records | error option: u8 tag, error | aggregates: u32 n, n bytes (since
                2021-11: before, the accumulator is the last record's value)
    error       string hint | i64 offset | u8 kind | u8 key tag, [varint n, key]
                varint n, value
    string      u16 n, n bytes of UTF-8

The modules of 2021 take two arguments and have no version: `Layout` says what they read.
"""

import struct
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from dataflare_cli.codec.engine import Bytes
from dataflare_cli.errors import UsageError
from dataflare_cli.model import Lookback, SmartModuleKind

# What Fluvio's own tools pass (DEFAULT_SMARTENGINE_VERSION).
VERSION = 22
# An aggregate of 2023 or before reads its accumulator where newer versions have other fields.
# Before 2022-09 they give none back if there are no records, so that these can't be told by it.
AGGREGATE_VERSIONS = (22, 21, 20)
AGGREGATE_VERSION_OLDEST = 17
STRING_BYTES_MAX = 32_767
PARAMS_MAX = 65_535

_JOIN_FIRST, _PARAMS_LAST, _LOOKBACK_FIRST, _AGE_FIRST, _TIMESTAMP_FIRST = 16, 22, 20, 21, 22
_I64, _U64, _U32, _U16 = (struct.Struct(">" + each) for each in "qQIH")
_MS_PER_S, _NS_PER_MS = 1000, 1_000_000
_VARINT_SHIFT_MAX = 63

# Return codes of a transform, and what Fluvio says of them.
TRANSFORM_CODES = {
    -1: "encountered unknown error during SmartModule processing",
    -11: "failed to decode SmartModule base input",
    -22: "failed to decode SmartModule record input",
    -33: "failed to encode SmartModule output",
    -44: "failed to parse SmartModule extra params",
    -55: "undefined right record in Join SmartModule",
}
INIT_USER_ERROR = -2
INIT_CODES = {
    -1: "encountered unknown error during SmartModule processing",
    INIT_USER_ERROR: "Error during initialization",
    -10: "failed to decode SmartModule init input",
    -11: "failed to encode SmartModule init output",
}
LOOK_BACK_USER_ERROR = -99
LOOK_BACK_CODES = {
    -1: "encountered unknown error during SmartModule processing",
    -66: "failed to decode SmartModule look_back input",
    -77: "failed to decode SmartModule look_back records",
    -88: "failed to encode SmartModule look_back output",
    LOOK_BACK_USER_ERROR: "Error returned from user look_back function call",
}
ERROR_KINDS = ("Filter", "Map", "ArrayMap", "Aggregate", "FilterMap", "Join", "Generic")
KIND_NAMES = {
    SmartModuleKind.FILTER: "Filter",
    SmartModuleKind.MAP: "Map",
    SmartModuleKind.FILTER_MAP: "FilterMap",
    SmartModuleKind.ARRAY_MAP: "ArrayMap",
    SmartModuleKind.AGGREGATE: "Aggregate",
}


class Layout(Enum):
    """What a transform reads and writes."""

    VERSIONED = "3 arguments"  # since 2021-11
    WITH_ERRORS = "2 arguments, input with base offset"  # 2021-08 to 2021-11
    BARE = "2 arguments, records only"  # 2021-04 to 2021-07


class MalformedError(ValueError):
    """What a module gave is not the message it should be; its catchers know the module."""


class RuntimeFault(NamedTuple):
    """What a module says of the record that it failed at."""

    hint: str
    offset: int
    kind: str
    key: bytes | None
    value: bytes

    def render(self, *, shows_data: bool = True) -> str:
        """Return what Fluvio prints of it; without key and value if they are not to be shown."""
        place = self.place() if shows_data else f"    Offset: {self.offset}"
        return f"{self.hint}\n\nSmartModule Info: \n    Type: {self.kind}\n{place}"

    def place(self) -> str:
        """Return the lines that say where."""
        key = "NULL" if self.key is None else shown(self.key)
        return f"    Offset: {self.offset}\n    Key: {key}\n    Value: {shown(self.value)}"


class Tail(NamedTuple):
    """What follows the records of an output."""

    fault: RuntimeFault | None
    accumulator: bytes | None


# Of a key or value in an error; the record itself is where the offset says.
SHOWN_CHARS_MAX = 1000


def shown(data: bytes) -> str:
    """Return a key or value as errors have it."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return f"Binary: {len(data)} bytes"
    if len(text) <= SHOWN_CHARS_MAX:
        return text
    return f"{text[:SHOWN_CHARS_MAX]}… ({len(data)} bytes)"


# ------------------------------------------------------------------------ to a module


def encode_params(params: Mapping[str, str], lookback: Lookback | None, version: int) -> bytes:
    """Encode parameters, keys ascending, and the look-back where a version has it.

    Raises:
        UsageError: a text that is longer than modules can read, or more than they count.
    """
    if len(params) > PARAMS_MAX:
        raise UsageError(f"{len(params)} parameters: a SmartModule has {PARAMS_MAX} at most")
    parts = [_U16.pack(len(params))]
    for key, value in sorted(params.items()):
        parts += (_string(key, key), _string(value, key))
    if version >= _LOOKBACK_FIRST:
        parts.append(b"\0" if lookback is None else _encode_lookback(lookback, version))
    return b"".join(parts)


def _string(text: str, name: str) -> bytes:
    encoded = text.encode("utf-8", "surrogateescape")
    if len(encoded) > STRING_BYTES_MAX:
        raise UsageError(
            f"parameter {name[:40]!r} has {len(encoded)} bytes: "
            f"a SmartModule's parameters have {STRING_BYTES_MAX} at most"
        )
    return _U16.pack(len(encoded)) + encoded


def _encode_lookback(lookback: Lookback, version: int) -> bytes:
    encoded = b"\1" + _U64.pack(lookback.last)
    if version >= _AGE_FIRST:
        if lookback.age_ms is None:
            return encoded + b"\0"
        seconds, ms = divmod(lookback.age_ms, _MS_PER_S)
        encoded += b"\1" + _U64.pack(seconds) + _U32.pack(ms * _NS_PER_MS)
    return encoded


class Envelope:
    """What stands around the records of every input of one instance."""

    def __init__(
        self,
        layout: Layout,
        version: int,
        params: Mapping[str, str],
        lookback: Lookback | None,
    ) -> None:
        self._layout, self._version = layout, version
        self._middle = b""
        if layout is Layout.WITH_ERRORS:
            self._middle = encode_params(params, None, 0)
        elif layout is Layout.VERSIONED:
            if version <= _PARAMS_LAST:
                self._middle = encode_params(params, lookback, version)
            if _JOIN_FIRST <= version <= _PARAMS_LAST:
                self._middle += bytes(_U32.size)

    def head(self, base_offset: int, raw_bytes: int) -> bytes:
        """Return what comes before the records."""
        if self._layout is Layout.BARE:
            return b""
        return _I64.pack(base_offset) + _U32.pack(raw_bytes)

    def tail(self, base_timestamp_ms: int, accumulator: bytes | None) -> bytes:
        """Return what comes after the records."""
        tail = self._middle
        if self._layout is Layout.VERSIONED and self._version >= _TIMESTAMP_FIRST:
            tail += _I64.pack(base_timestamp_ms)
        if accumulator is not None:
            tail += _U32.pack(len(accumulator)) + accumulator
        return tail


# ---------------------------------------------------------------------- from a module


def decode_tail(data: Bytes, layout: Layout, *, is_aggregate: bool) -> Tail:
    """Read what follows the records of an output.

    Raises:
        MalformedError: it is something else.
    """
    reader = _Reader(bytes(data))
    fault = accumulator = None
    if layout is not Layout.BARE and reader.option():
        fault = reader.fault()
    if is_aggregate and layout is Layout.VERSIONED:
        accumulator = reader.take(reader.number(_U32))
    return Tail(fault, accumulator)


def decode_hint(data: Bytes) -> str:
    """Read what an init that failed gives.

    Raises:
        MalformedError: it is something else.
    """
    return _Reader(bytes(data)).string()


def decode_look_back_fault(data: Bytes) -> RuntimeFault:
    """Read what a look_back that failed gives.

    Raises:
        MalformedError: it is something else.
    """
    return _Reader(bytes(data)).fault(has_kind=False)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        if not 0 <= size <= len(self._data) - self._at:
            raise MalformedError(f"{size} bytes of {len(self._data) - self._at}")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, form: struct.Struct) -> int:
        number: int = form.unpack(self.take(form.size))[0]
        return number

    def option(self) -> bool:
        tag = self.take(1)[0]
        if tag > 1:
            raise MalformedError(f"an option's tag of {tag}")
        return bool(tag)

    def string(self) -> str:
        # SDKs write hints of more than 32,767 bytes, too, which Fluvio's hosts can't read.
        return self.take(self.number(_U16)).decode(errors="replace")

    def sized(self) -> bytes:
        raw = shift = 0
        while True:
            byte = self.take(1)[0]
            raw |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return self.take((raw >> 1) ^ -(raw & 1))
            if shift > _VARINT_SHIFT_MAX:
                raise MalformedError("a number that does not end")

    def fault(self, *, has_kind: bool = True) -> RuntimeFault:
        hint = self.string()
        offset = self.number(_I64)
        kind = self.take(1)[0] if has_kind else 0
        key = self.sized() if self.option() else None
        name = ERROR_KINDS[kind] if kind < len(ERROR_KINDS) else "Unknown"
        return RuntimeFault(hint, offset, name, key, self.sized())
