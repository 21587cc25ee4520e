"""SmartModules written in WebAssembly text for tests: each breaks or keeps one rule.

`module` makes one of its transform's body. In it $at and $bytes are the input, $records and
$records_bytes its records (a u32 count and records), and `$give` hands output over.
"""

import json
from collections.abc import Mapping

import wasmtime

HEAD_BYTES = 12  # base offset, length of the records

_MODULE = """
(module
  (import "env" "copy_records" (func $copy_records (param i32 i32)))
  {imports}
  (memory (export "memory") {pages})
  {data}
  (global $next (mut i32) (i32.const {heap}))
  (func (export "alloc") (param $bytes i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $next))
    (global.set $next (i32.add (global.get $next) (i32.add (local.get $bytes) (i32.const 64))))
    (block $enough
      (br_if $enough (i32.le_u (global.get $next)
                               (i32.mul (memory.size) (i32.const 65536))))
      (br_if $enough (i32.ne (i32.const -1)
        (memory.grow (i32.add (i32.const 1)
          (i32.div_u (i32.sub (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
                     (i32.const 65536))))))
      unreachable)
    (local.get $at))
  (func (export "dealloc") (param i32 i32)
    (global.set $next (i32.const {heap})))
  ;; The u32 at a place, big-endian.
  (func $u32 (param $at i32) (result i32)
    (i32.or (i32.or (i32.shl (i32.load8_u (local.get $at)) (i32.const 24))
                    (i32.shl (i32.load8_u offset=1 (local.get $at)) (i32.const 16)))
            (i32.or (i32.shl (i32.load8_u offset=2 (local.get $at)) (i32.const 8))
                    (i32.load8_u offset=3 (local.get $at)))))
  {functions}
  (func (export "{kind}") (param $at i32) (param $bytes i32) {version} (result i32)
    (local $records i32) (local $records_bytes i32) (local $i i32)
    (local.set $records (i32.add (local.get $at) (i32.const 12)))
    (local.set $records_bytes (call $u32 (i32.add (local.get $at) (i32.const 8))))
    {body})
  {more})
"""

# All records as they are, and no error.
KEEP_ALL = """
    (i32.store8 (i32.add (local.get $records) (local.get $records_bytes)) (i32.const 0))
    (call $copy_records (local.get $records)
                        (i32.add (local.get $records_bytes) (i32.const 1)))
    (call $u32 (local.get $records))
"""


def module(
    body: str = KEEP_ALL,
    *,
    kind: str = "filter",
    pages: str = "17",
    data: bytes = b"",
    imports: str = "",
    functions: str = "",
    more: str = "",
    has_version: bool = True,
) -> bytes:
    """Return a module; `data` lies at address 1024."""
    return _compile(
        _MODULE,
        kind=kind,
        body=body,
        pages=pages,
        data=data,
        imports=imports,
        functions=functions,
        more=more,
        has_version=has_version,
    )


def _compile(
    template: str,
    *,
    kind: str,
    body: str,
    pages: str,
    data: bytes,
    imports: str = "",
    functions: str = "",
    more: str = "",
    has_version: bool = True,
) -> bytes:
    segment = "".join(f"\\{byte:02x}" for byte in data)
    text = template.format(
        kind=kind,
        body=body,
        pages=pages,
        heap=-(-(1024 + len(data) + 64) // 64) * 64,
        data=f'(data (i32.const 1024) "{segment}")' if data else "",
        imports=imports,
        functions=functions,
        more=more,
        version="(param $version i32)" if has_version else "",
    )
    return bytes(wasmtime.wat2wasm(text))


def giving(output: bytes, *, at: int = 1024, size: int | None = None, code: int = 0) -> bytes:
    """Return a filter that answers every call with these bytes, or says that they lie elsewhere."""
    length = len(output) if size is None else size
    body = f"""
    (call $copy_records (i32.const {at}) (i32.const {length}))
    (i32.const {code})
"""
    return module(body, data=output)


def exporting(*functions: str, memory: str = '(memory (export "memory") 1)') -> bytes:
    """Return a module of other functions, given as `name(i32,i32)->i32`."""
    parts = ['(import "env" "copy_records" (func (param i32 i32)))', memory]
    for each in functions:
        name, _, rest = each.partition("(")
        params, _, result = rest.partition(")->")
        types = f"(param {params.replace(',', ' ')})" if params else ""
        value = f"(result {result}) ({result}.const 0)" if result else ""
        parts.append(f'(func (export "{name}") {types} {value})')
    return bytes(wasmtime.wat2wasm(f"(module {' '.join(parts)})"))


# The parts of init and look_back; the others are `module`'s.
INIT_REFUSES = """
  (func (export "init") (param i32 i32 i32) (result i32)
    (call $copy_records (i32.const 1024) (i32.const {size}))
    (i32.const -2))
"""


# Where a puppet writes its output; its inputs lie below.
_OUT = 1 << 21
_PUPPET_FUNCTIONS = """
  (global $cursor (mut i32) (i32.const 0))
  ;; The zig-zag number at the cursor.
  (func $varint (result i32)
    (local $raw i32) (local $shift i32) (local $byte i32)
    (loop $more
      (local.set $byte (i32.load8_u (global.get $cursor)))
      (global.set $cursor (i32.add (global.get $cursor) (i32.const 1)))
      (local.set $raw (i32.or (local.get $raw)
        (i32.shl (i32.and (local.get $byte) (i32.const 127)) (local.get $shift))))
      (local.set $shift (i32.add (local.get $shift) (i32.const 7)))
      (br_if $more (i32.ge_u (local.get $byte) (i32.const 128))))
    (i32.xor (i32.shr_u (local.get $raw) (i32.const 1))
             (i32.sub (i32.const 0) (i32.and (local.get $raw) (i32.const 1)))))
  (func $pass (param $bytes i32)
    (global.set $cursor (i32.add (global.get $cursor) (local.get $bytes))))
  (func $put_be32 (param $at i32) (param $value i32)
    (i32.store8 (local.get $at) (i32.shr_u (local.get $value) (i32.const 24)))
    (i32.store8 offset=1 (local.get $at) (i32.shr_u (local.get $value) (i32.const 16)))
    (i32.store8 offset=2 (local.get $at) (i32.shr_u (local.get $value) (i32.const 8)))
    (i32.store8 offset=3 (local.get $at) (local.get $value)))
  (global $out (mut i32) (i32.const 0))
  (global $seen (mut i32) (i32.const 0))
  (func $put (param $from i32) (param $bytes i32)
    (memory.copy (global.get $out) (local.get $from) (local.get $bytes))
    (global.set $out (i32.add (global.get $out) (local.get $bytes))))
"""
_PUPPET_BODY = """
    (local $end i32) (local $begin i32) (local $next i32) (local $delta i32)
    (local $tag i32) (local $size i32) (local $word i32) (local $count i32) (local $place i32)
    (local.set $end (i32.add (local.get $records) (local.get $records_bytes)))
    (global.set $cursor (i32.add (local.get $records) (i32.const 4)))
    (global.set $out (i32.const {out_records}))
    (block $done (loop $record
      (br_if $done (i32.ge_u (global.get $cursor) (local.get $end)))
      (local.set $begin (global.get $cursor))
      (local.set $next (call $varint))
      (local.set $next (i32.add (local.get $next) (global.get $cursor)))
      (call $pass (i32.const 1))
      (drop (call $varint))
      (local.set $place (global.get $cursor))
      (local.set $delta (call $varint))
      (local.set $tag (global.get $cursor))
      (if (i32.const {forgets}) (then (block $zero (loop $byte
        (br_if $zero (i32.eq (local.get $place) (local.get $tag)))
        (i32.store8 (local.get $place) (i32.shl (i32.const 128) (i32.eq
          (i32.add (local.get $place) (i32.const 1)) (local.get $tag))))
        (local.set $place (i32.add (local.get $place) (i32.const 1)))
        (br $byte)))))
      (call $pass (i32.const 1))
      (if (i32.load8_u (local.get $tag)) (then (call $pass (call $varint))))
      (local.set $size (call $varint))
      (local.set $word (i32.const 0))
      (if (local.get $size) (then (local.set $word (i32.load8_u (global.get $cursor)))))
      (call $pass (local.get $size))
      (if (i32.eq (local.get $word) (i32.const {T})) (then unreachable))
      (if (i32.eq (local.get $word) (i32.const {L})) (then (loop $ever (br $ever))))
      (if (i32.eq (local.get $word) (i32.const {B})) (then
        (loop $grow (br_if $grow (i32.ne (memory.grow (i32.const 100)) (i32.const -1))))
        unreachable))
      (if (i32.eq (local.get $word) (i32.const {E})) (then
        (call $put_be32 (i32.const {out}) (local.get $count))
        (i32.store8 (global.get $out) (i32.const 1))
        (global.set $out (i32.add (global.get $out) (i32.const 1)))
        (call $put (i32.const 1024) (i32.const 5))
        (call $put_be32 (global.get $out) (i32.const 0))
        (call $put_be32 (i32.add (global.get $out) (i32.const 4))
          (i32.add (local.get $delta) (call $u32 (i32.add (local.get $at) (i32.const 4)))))
        (global.set $out (i32.add (global.get $out) (i32.const 8)))
        (i32.store8 (global.get $out) (i32.const 0))
        (global.set $out (i32.add (global.get $out) (i32.const 1)))
        (call $put (local.get $tag) (i32.sub (local.get $next)
                                             (i32.add (local.get $tag) (i32.const 1))))
        (call $copy_records (i32.const {out}) (i32.sub (global.get $out) (i32.const {out})))
        (return (local.get $count))))
      (global.set $cursor (local.get $next))
      (br_if $record (i32.eq (local.get $word) (i32.const {d})))
      (if (i32.eq (local.get $word) (i32.const {o})) (then
        (br_if $record (global.get $seen))
        (global.set $seen (i32.const 1))))
      (call $put (local.get $begin) (i32.sub (local.get $next) (local.get $begin)))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (if (i32.eq (local.get $word) (i32.const {x})) (then
        (call $put (local.get $begin) (i32.sub (local.get $next) (local.get $begin)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))))
      (br $record)))
    (call $put_be32 (i32.const {out}) (local.get $count))
    (i32.store8 (global.get $out) (i32.const 0))
    (call $copy_records (i32.const {out})
                        (i32.sub (i32.add (global.get $out) (i32.const 1)) (i32.const {out})))
    (local.get $count)
"""


def puppet(
    *, kind: str = "filter", more: str = "", words: str = "TLBEdox", forgets: bool = False
) -> bytes:
    """Return a module that does with a record what the first letter of its value says.

    T traps, L loops for ever, B takes all memory, E is an error with the hint "bad"; d is
    dropped, o is kept once only, x comes out twice; every other record is kept as it is.
    `words` are the letters it listens to. One that forgets says of no record which one it was
    made of, as an SDK's array_map does not: all offset deltas of its output are 0.
    """
    letters = {word: ord(word) if word in words else -1 for word in "TLBEdox"}
    body = _PUPPET_BODY.format(out=_OUT, out_records=_OUT + 4, forgets=int(forgets), **letters)
    first, _, rest = body.partition("(local.set $end")
    text = _MODULE.replace("(local $i i32)", "(local $i i32) " + " ".join(first.split()))
    return _compile(
        text,
        kind=kind,
        body="(local.set $end" + rest,
        pages="96",
        data=b"\0\3bad",
        functions=_PUPPET_FUNCTIONS,
        more=more,
    )


# A look_back that only says that there is one.
LOOK_BACK = '(func (export "look_back") (param i32 i32 i32) (result i32) (i32.const 0))'


# Of the first record's value, the place and the size; the record has no key.
_FIRST_VALUE = """
    (global.set $cursor (i32.add (local.get $records) (i32.const 4)))
    (drop (call $varint))
    (call $pass (i32.const 1))
    (drop (call $varint))
    (drop (call $varint))
    (call $pass (i32.const 1))
    (local.set $i (call $varint))
"""


def mirror(*, kind: str = "filter") -> bytes:
    """Return a module whose output is the value of its first record, whatever that is."""
    body = f"""
    (if (i32.eqz (call $u32 (local.get $records))) (then
      (call $copy_records (i32.const 1024) (i32.const 5))
      (return (i32.const 0))))
    {_FIRST_VALUE}
    (call $copy_records (global.get $cursor) (local.get $i))
    (i32.const 1)
"""
    return module(body, kind=kind, data=bytes(5), functions=_PUPPET_FUNCTIONS)


OPERATIONS = ("return", "copy", "grow", "load", "store", "loop", "trap", "fill")


def hostile(*, kind: str = "filter") -> bytes:
    """Return a module that does what the value of its first record says.

    The value is a list of `OPERATIONS`: u8 its number, i32 and i32 (little-endian) of operands.
    """
    body = f"""
    (if (i32.eqz (call $u32 (local.get $records))) (then
      (call $copy_records (i32.const 1024) (i32.const 5))
      (return (i32.const 0))))
    {_FIRST_VALUE}
    (local.set $records (global.get $cursor))
    (local.set $i (i32.add (local.get $records) (local.get $i)))
    (loop $operation
      (if (i32.gt_u (i32.add (local.get $records) (i32.const 9)) (local.get $i))
        (then (return (i32.const 0))))
      (local.set $at (i32.load offset=1 align=1 (local.get $records)))
      (local.set $bytes (i32.load offset=5 align=1 (local.get $records)))
      (block $fill (block $trap (block $loop (block $store (block $load (block $grow
      (block $copy (block $return
        (br_table $return $copy $grow $load $store $loop $trap $fill
          (i32.and (i32.load8_u (local.get $records)) (i32.const 7))))
        (return (local.get $at)))
        (call $copy_records (local.get $at) (local.get $bytes)) (br $fill))
        (drop (memory.grow (local.get $at))) (br $fill))
        (drop (i32.load (local.get $at))) (br $fill))
        (i32.store (local.get $at) (local.get $bytes)) (br $fill))
        (loop $ever (br $ever)))
        unreachable)
      (if (i32.eq (i32.and (i32.load8_u (local.get $records)) (i32.const 7)) (i32.const 7))
        (then (memory.fill (local.get $at) (i32.const 255) (local.get $bytes))))
      (local.set $records (i32.add (local.get $records) (i32.const 9)))
      (br $operation))
    unreachable
"""
    return module(body, kind=kind, data=bytes(5), functions=_PUPPET_FUNCTIONS)


def with_metadata(wasm: bytes, metadata: Mapping[str, object]) -> bytes:
    """Return a module that says this of itself, as those made with our SDK do."""
    return with_section(wasm, "dataflare.smartmodule", json.dumps(metadata).encode())


def with_section(wasm: bytes, name: str, contents: bytes) -> bytes:
    """Return a module with a custom section at its end."""
    body = _leb128(len(name.encode())) + name.encode() + contents
    return wasm + b"\0" + _leb128(len(body)) + body


def _leb128(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def tells_params(*, kind: str = "map") -> bytes:
    """Return a module that makes one record of each call: what follows the records it is given.

    That begins with the parameters, as init is given them; 57 bytes of it at most.
    """
    body = f"""
    (if (i32.eqz (call $u32 (local.get $records))) (then
      (call $copy_records (i32.const 1024) (i32.const 5))
      (return (i32.const 0))))
    (local.set $at (i32.add (local.get $records) (local.get $records_bytes)))
    (local.set $i (i32.sub (local.get $bytes)
                           (i32.add (local.get $records_bytes) (i32.const {HEAD_BYTES}))))
    (if (i32.gt_u (local.get $i) (i32.const 57)) (then (local.set $i (i32.const 57))))
    (i32.store8 (i32.const 1032) (i32.mul (i32.const 2) (i32.add (i32.const 6) (local.get $i))))
    (i32.store8 (i32.const 1037) (i32.mul (i32.const 2) (local.get $i)))
    (memory.copy (i32.const 1038) (local.get $at) (local.get $i))
    (i32.store16 (i32.add (i32.const 1038) (local.get $i)) (i32.const 0))
    (call $copy_records (i32.const 1028) (i32.add (i32.const 12) (local.get $i)))
    (i32.const 1)
"""
    return module(body, kind=kind, data=bytes(7) + b"\1" + bytes(72))


def tells_fed() -> bytes:
    """Return a module that makes one record of each call: how many look_back was given, a u32."""
    body = """
    (if (i32.eqz (call $u32 (local.get $records))) (then
      (call $copy_records (i32.const 1024) (i32.const 5))
      (return (i32.const 0))))
    (call $put_be32 (i32.const 1038) (global.get $fed))
    (call $copy_records (i32.const 1028) (i32.const 16))
    (i32.const 1)
"""
    look_back = """
  (global $fed (mut i32) (i32.const 0))
  (func (export "look_back") (param $at i32) (param i32 i32) (result i32)
    (global.set $fed (i32.add (global.get $fed)
                              (call $u32 (i32.add (local.get $at) (i32.const 12)))))
    (i32.const 0))
"""
    record = bytes.fromhex("00000000 00000001 14 00000000 08 00000000 00 00")
    return module(body, kind="map", data=record, functions=_PUPPET_FUNCTIONS, more=look_back)
