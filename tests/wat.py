"""SmartModules written in WebAssembly text for tests: each breaks or keeps one rule.

`module` makes one of its transform's body. In it $at and $bytes are the input, $records and
$records_bytes its records (a u32 count and records), and `$give` hands output over.
"""

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
    (local $tag i32) (local $size i32) (local $word i32) (local $count i32)
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
      (local.set $delta (call $varint))
      (local.set $tag (global.get $cursor))
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


def puppet(*, kind: str = "filter", more: str = "", words: str = "TLBEdox") -> bytes:
    """Return a module that does with a record what the first letter of its value says.

    T traps, L loops for ever, B takes all memory, E is an error with the hint "bad"; d is
    dropped, o is kept once only, x comes out twice; every other record is kept as it is.
    `words` are the letters it listens to.
    """
    letters = {word: ord(word) if word in words else -1 for word in "TLBEdox"}
    body = _PUPPET_BODY.format(out=_OUT, out_records=_OUT + 4, **letters)
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
