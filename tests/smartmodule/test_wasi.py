"""What modules import of WASI, and of hosts that are none of SmartModules."""

import struct

import pytest
import wat

from dataflare_cli.wasm import Signature
from tests.engines import failure_of, load, refusal_of, start

NO_RECORDS = bytes(4)

WASI = """
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get"
    (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get"
    (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
"""


def wasi_answer(call: str, *, log=None) -> bytes:
    """Return the code of a WASI call, and the 16 bytes at 2048 after it."""
    body = f"""
    (i32.store8 (i32.const 2044) {call})
    (call $copy_records (i32.const 2044) (i32.const 20))
    (i32.const 0)
"""
    iovec = struct.pack("<II", 1040, 12) + bytes(8) + b"one\ntwo\nrest"
    return bytes(start(wat.module(body, imports=WASI, data=iovec), log=log).run(bytes(4), 0, 0))


def test_what_a_module_prints_is_logged():
    """Whole lines, from stdout as from stderr; never on our stdout."""
    lines: list[str] = []
    call = "(call $fd_write (i32.const 1) (i32.const 1024) (i32.const 1) (i32.const 2048))"
    answer = wasi_answer(call, log=lines.append)

    assert (0, 12) == struct.unpack("<IQ", answer[:12])
    assert ["one", "two"] == lines


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("(call $fd_write (i32.const 3) (i32.const 1024) (i32.const 1) (i32.const 0))", 8),
        ("(call $fd_write (i32.const 1) (i32.const -9) (i32.const 1) (i32.const 0))", 21),
        ("(call $fd_write (i32.const 1) (i32.const 1024) (i32.const -1) (i32.const 0))", 28),
        ("(call $environ_sizes_get (i32.const 2048) (i32.const 2052))", 0),
        (
            (
                "(call $path_open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0)"
                " (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0))"
            ),
            52,
        ),
        ("(call $random_get (i32.const 2048) (i32.const 16))", 0),
        ("(call $random_get (i32.const 2048) (i32.const -1))", 28),
        ("(call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 2048))", 0),
        ("(call $clock_time_get (i32.const 0) (i64.const 0) (i32.const -4))", 21),
        ("(call $fd_prestat_get (i32.const 3) (i32.const 2048))", 8),
    ],
)
def test_wasi_sees_nothing_of_the_host(call, code):
    """No files, no environment; bad places are EFAULT, and what is not there is ENOSYS."""
    assert code == wasi_answer(call)[0]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("fd_write", "(param i32 i32 i32) (result i32)"),
        ("fd_write", "(param i32 i32 i32 i32)"),
        ("fd_write", "(param i32 i32 i32 f32) (result i32)"),
        ("clock_time_get", "(param i32 i32 i32) (result i32)"),
        ("proc_exit", "(param i32) (result i32)"),
        ("path_open", "(param f64) (result i32)"),
        ("path_open", "(param externref) (result i32)"),
        ("path_open", "(result i32 i32)"),
        ("_log", "(param i32)"),
        ("__init__", "(param f32) (result i32)"),
        ("__dir__", ""),
    ],
)
def test_wasi_functions_of_other_types(name, kind):
    """They are refused before anything runs, whatever Python has under their names."""
    imports = f'(import "wasi_snapshot_preview1" "{name}" (func {kind}))'
    refusal = refusal_of(wat.module("(i32.const 0)", imports=imports))

    assert f"its import wasi_snapshot_preview1.{name} has another type than in WASI" in refusal


@pytest.mark.parametrize("name", ["_log", "_memory", "__dir__", "__init__", "function"])
def test_wasi_functions_that_only_python_has(name):
    """They answer ENOSYS, as everything that is not there."""
    imports = f'(import "wasi_snapshot_preview1" "{name}" (func $it (param i32) (result i32)))'
    body = """
    (i32.store8 (i32.const 2044) (call $it (i32.const 7)))
    (call $copy_records (i32.const 2044) (i32.const 1))
    (i32.const 0)
"""
    lines: list[str] = []
    instance = start(wat.module(body, imports=imports), log=lines.append)

    assert b"\x34" == bytes(instance.run(bytes(4), 0, 0))
    assert [] == lines


def test_types_that_wasmtimes_package_can_not_tell():
    """A v128 in an export's or an import's type is told; asking the package aborts the process."""
    vector = '(func (export "lanes") (param v128) (result v128) (local.get 0))'
    exports = load(wat.module("(i32.const 0)", functions=vector)).module.exports
    assert Signature(("v128",), ("v128",)) == exports["lanes"]

    refusal = refusal_of(wat.exporting("filter(i32,i32,v128)->i32"))
    assert "its export filter is not a function of" in refusal

    imports = '(import "env" "lanes" (func (param v128)))'
    refusal = refusal_of(wat.module("(i32.const 0)", imports=imports))
    assert "which no host of SmartModules provides" in refusal


def test_proc_exit_ends_the_call():
    """Not the process."""
    wasm = wat.module("(call $proc_exit (i32.const 3)) (i32.const 0)", imports=WASI)

    assert "it trapped: the module called proc_exit(3)" == failure_of(wasm).text


def test_a_printing_loop_fills_no_disk():
    """What is logged has a limit."""
    lines: list[str] = []
    body = """
    (loop $again
      (drop (call $fd_write (i32.const 1) (i32.const 1024) (i32.const 1) (i32.const 2048)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 20000))))
    (call $copy_records (i32.const 2044) (i32.const 4))
    (i32.const 0)
"""
    iovec = struct.pack("<II", 1032, 12) + b"one\ntwo\nrest"
    start(wat.module(body, imports=WASI, data=iovec), log=lines.append).run(NO_RECORDS, 0, 0)

    assert sum(map(len, lines)) < 70_000
    assert "… (more is not shown)" == lines[-1]
