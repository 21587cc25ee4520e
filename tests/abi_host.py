"""A small SmartModule host, written from the ABI alone: an independent witness.

It shares no code with the program: what both say about a module is true of the module.
Encodings are the plainest possible; `Host` runs one instance and hides only linear memory.
"""

import functools
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import wasmtime

TRANSFORMS = ("filter", "map", "filter_map", "array_map", "aggregate")
KINDS = ("Filter", "Map", "ArrayMap", "Aggregate", "FilterMap", "Join", "Generic")
FUEL_MAX = 2**62

# Versions at which fields of the messages come and go.
JOIN, LOOKBACK, LOOKBACK_AGE, TIMESTAMP = 16, 20, 21, 22
PARAMS_LAST = 22


@dataclass(frozen=True)
class Record:
    """One record, as the wire has it."""

    value: bytes
    key: bytes | None = None
    timestamp_delta: int = 0
    offset_delta: int = 0
    attributes: int = 0


@dataclass(frozen=True)
class RuntimeFailure:
    """What a user's function failed with, and at which record; look_back's has no kind."""

    hint: str
    offset: int
    kind: str | None
    key: bytes | None
    value: bytes


@dataclass(frozen=True)
class Output:
    """What a transform returned; only an aggregate has an accumulator."""

    successes: tuple[Record, ...] = ()
    error: RuntimeFailure | None = None
    accumulator: bytes | None = None

    @property
    def values(self) -> list[bytes]:
        return [record.value for record in self.successes]


@dataclass(frozen=True)
class Lookback:
    """A look-back configuration, as it is among the params."""

    last: int = 0
    age_s: int | None = None


class Status(Exception):
    """A negative return code, with what copy_records delivered before it."""

    def __init__(self, code: int, delivered: bytes = b"") -> None:
        super().__init__(code, delivered)
        self.code = code
        self.delivered = delivered


# ------------------------------------------------------------------------ encoding


def varint(value: int) -> bytes:
    """Zig-zag and LEB128, over all 64 bits."""
    rest = ((value << 1) ^ (value >> 63)) & (2**64 - 1)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def sized(raw: bytes) -> bytes:
    return struct.pack(">I", len(raw)) + raw


def encode_record(record: Record) -> bytes:
    key = b"\0" if record.key is None else b"\1" + varint(len(record.key)) + record.key
    body = (
        struct.pack(">b", record.attributes)
        + varint(record.timestamp_delta)
        + varint(record.offset_delta)
        + key
        + varint(len(record.value))
        + record.value
        + b"\0"  # no headers
    )
    return varint(len(body)) + body


def encode_records(records: Sequence[Record]) -> bytes:
    return struct.pack(">I", len(records)) + b"".join(map(encode_record, records))


def encode_params(
    version: int, params: Mapping[str, str] | None = None, lookback: Lookback | None = None
) -> bytes:
    """ExtraParams; alone, it is the input of init."""
    pairs = sorted((params or {}).items())
    out = struct.pack(">H", len(pairs)) + b"".join(string(k) + string(v) for k, v in pairs)
    if version < LOOKBACK:
        return out
    if lookback is None:
        return out + b"\0"
    out += b"\1" + struct.pack(">Q", lookback.last)
    if version < LOOKBACK_AGE:
        return out
    age = b"\0" if lookback.age_s is None else b"\1" + struct.pack(">QI", lookback.age_s, 0)
    return out + age


def encode_input(
    version: int,
    records: Sequence[Record],
    *,
    base_offset: int = 0,
    base_timestamp: int = -1,
    params: Mapping[str, str] | None = None,
    accumulator: bytes | None = None,
) -> bytes:
    """SmartModuleInput; with an accumulator SmartModuleAggregateInput."""
    out = struct.pack(">q", base_offset) + sized(encode_records(records))
    if version <= PARAMS_LAST:
        out += encode_params(version, params)
    if JOIN <= version <= PARAMS_LAST:
        out += sized(b"")
    if version >= TIMESTAMP:
        out += struct.pack(">q", base_timestamp)
    return out if accumulator is None else out + sized(accumulator)


# ------------------------------------------------------------------------ decoding


class Reader:
    """Bytes, taken from the front; nothing may be left over."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def raw(self, count: int) -> bytes:
        assert 0 <= count <= len(self.data) - self.at, (self.data, self.at, count)
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str) -> int:
        (value,) = struct.unpack(">" + form, self.raw(struct.calcsize(form)))
        return int(value)

    def varint(self) -> int:
        value = shift = 0
        while (byte := self.number("B")) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        value |= byte << shift
        return (value >> 1) ^ -(value & 1)

    def string(self) -> str:
        return self.raw(self.number("H")).decode()

    def sized(self) -> bytes:
        return self.raw(self.number("I"))

    def content(self) -> bytes:
        return self.raw(self.varint())

    def key(self) -> bytes | None:
        return self.content() if self.flag() else None

    def flag(self) -> bool:
        return {0: False, 1: True}[self.number("B")]

    def record(self) -> Record:
        body = Reader(self.content())
        attributes, timestamp, offset = body.number("b"), body.varint(), body.varint()
        key, value = body.key(), body.content()
        assert (0, b"") == (body.varint(), body.rest()), "headers, or bytes after them"
        return Record(value, key, timestamp, offset, attributes)

    def records(self) -> tuple[Record, ...]:
        return tuple(self.record() for _ in range(self.number("I")))

    def failure(self, *, has_kind: bool) -> RuntimeFailure:
        hint, offset = self.string(), self.number("q")
        kind = KINDS[self.number("B")] if has_kind else None
        return RuntimeFailure(hint, offset, kind, self.key(), self.content())

    def rest(self) -> bytes:
        return self.raw(len(self.data) - self.at)


def decode_output(delivered: bytes, *, has_accumulator: bool) -> Output:
    reader = Reader(delivered)
    successes = reader.records()
    error = reader.failure(has_kind=True) if reader.flag() else None
    output = Output(successes, error, reader.sized() if has_accumulator else None)
    assert b"" == reader.rest()
    return output


def decode_lookback_failure(delivered: bytes) -> RuntimeFailure:
    reader = Reader(delivered)
    failure = reader.failure(has_kind=False)
    assert b"" == reader.rest()
    return failure


# ------------------------------------------------------------------------ running


@functools.cache
def engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.consume_fuel = True
    return wasmtime.Engine(config)


@functools.cache
def compiled(path: Path) -> wasmtime.Module:
    return wasmtime.Module.from_file(engine(), str(path))


class Host:
    """One instance of a module, called as Fluvio's engine calls it."""

    def __init__(
        self,
        path: Path,
        *,
        fuel: int = FUEL_MAX,
        memory_bytes_max: int | None = None,
        stderr: Path | None = None,
    ) -> None:
        module = compiled(path)
        self.imports = [(each.module, each.name) for each in module.imports]
        self.exports = {each.name: each.type for each in module.exports}
        self.kind = next(name for name in TRANSFORMS if name in self.exports)
        self.delivered = b""
        self.place = (0, 0)
        self.store = wasmtime.Store(engine())
        self.store.set_fuel(fuel)
        if memory_bytes_max is not None:
            self.store.set_limits(memory_size=memory_bytes_max)
        wasi = wasmtime.WasiConfig()
        if stderr is not None:
            wasi.stderr_file = str(stderr)
        self.store.set_wasi(wasi)
        linker = wasmtime.Linker(engine())
        linker.define_wasi()
        i32 = wasmtime.ValType.i32()
        for space, name in self.imports:
            if name == "copy_records":
                form = wasmtime.FuncType([i32, i32], [])
                linker.define_func(space, name, form, self._copy_records)
        self.instance = linker.instantiate(self.store, module)

    def _copy_records(self, pointer: int, length: int) -> None:
        memory = self._memory()
        self.place = (pointer, length)
        self.delivered = bytes(memory.read(self.store, pointer, pointer + length))

    def _memory(self) -> wasmtime.Memory:
        memory = self.instance.exports(self.store)["memory"]
        assert isinstance(memory, wasmtime.Memory)
        return memory

    def _invoke(self, name: str, *args: int) -> int:
        function = self.instance.exports(self.store)[name]
        assert isinstance(function, wasmtime.Func)
        found = function(self.store, *args)
        return found if isinstance(found, int) else 0

    @property
    def memory_pages(self) -> int:
        return self._memory().size(self.store)

    def arity(self, name: str) -> tuple[int, int]:
        """How many parameters and results, all of them i32, an export has."""
        form = self.exports[name]
        assert isinstance(form, wasmtime.FuncType)
        assert {"i32"} == {str(each) for each in (*form.params, *form.results)}
        return len(form.params), len(form.results)

    def call(self, name: str, data: bytes, version: int = 22) -> tuple[int, bytes]:
        """Call an export; return its code and what it delivered.

        Modules of 2021 are not told a version.
        """
        pointer = self._invoke("alloc", len(data))
        self._memory().write(self.store, data, pointer)
        self.delivered = b""
        args = (pointer, len(data), version)[: self.arity(name)[0]]
        return self._invoke(name, *args), self.delivered

    def free_by_size(self) -> None:
        """Give the last output's buffer back, as if it were exactly as long as the output."""
        self._invoke("dealloc", *self.place)

    def free_by_chunk(self) -> None:
        """Give the last output's buffer back, by the size in dlmalloc's header before it."""
        pointer, _ = self.place
        header = self._memory().read(self.store, pointer - 4, pointer)
        (chunk,) = struct.unpack("<I", header)
        self._invoke("dealloc", pointer, (chunk & ~7) - 4)

    def init(self, params: Mapping[str, str] | None = None, version: int = 22, **more) -> None:
        """Call init; Status if it refuses."""
        code, delivered = self.call("init", encode_params(version, params, **more), version)
        if code != 0:
            raise Status(code, delivered)

    def look_back(self, values: Iterable[bytes], version: int = 22) -> None:
        """Call look_back with records of these values; Status if it refuses."""
        data = encode_input(version, numbered(values), base_timestamp=0)
        code, delivered = self.call("look_back", data, version)
        if code != 0:
            raise Status(code, delivered)

    def transform(self, records: Sequence[Record], version: int = 22, **fields) -> Output:
        """Call the transform, whichever it is; Status for a negative code."""
        code, delivered = self.call(self.kind, encode_input(version, records, **fields), version)
        if code < 0:
            raise Status(code, delivered)
        has_accumulator = self.kind == "aggregate" and version >= JOIN
        output = decode_output(delivered, has_accumulator=has_accumulator)
        assert code == len(output.successes)
        return output


def numbered(values: Iterable[bytes]) -> list[Record]:
    """Return records of these values, with consecutive offsets."""
    return [Record(value, offset_delta=number) for number, value in enumerate(values)]
