"""The engine: what is a SmartModule, how it is called, and what it may not do."""

import gc
import weakref
from contextlib import suppress

import pytest
import wasmtime
import wat

from dataflare_cli.errors import InitFailed, InvalidModule, UsageError
from dataflare_cli.model import GuestLimits, Lookback, Secret, SmartModuleKind
from dataflare_cli.smartmodule import abi
from dataflare_cli.smartmodule.engine import (
    Bounds,
    CallFailedError,
    Freeing,
    Instance,
    LoadedModule,
)
from tests.engines import NO_RECORDS, failure_of, load, refusal_of, start

ECHO_ALL_THERE_IS = """
    (call $copy_records (local.get $at) (local.get $bytes))
    (i32.const 0)
"""


# ------------------------------------------------------------------ what is a SmartModule


@pytest.mark.parametrize("kind", SmartModuleKind)
def test_every_kind_is_found_by_its_export(kind):
    """The transform's name is the kind."""
    assert kind is load(wat.module(kind=kind.value)).kind


def test_the_first_of_several_transforms_counts():
    """Fluvio looks for filter, map, filter_map, array_map, aggregate, in this order."""
    more = '(func (export "map") (param i32 i32 i32) (result i32) (i32.const 0))'

    assert SmartModuleKind.FILTER is load(wat.module(more=more)).kind
    assert SmartModuleKind.MAP is load(wat.module(kind="array_map", more=more)).kind


@pytest.mark.parametrize(
    ("wasm", "problem"),
    [
        (b"", "it is empty"),
        (b"(module)", "it is WebAssembly text"),
        (b"\x7fELF", "it is no WebAssembly binary (4 B)"),
        (b"\0asm\1\0\0", "unexpected end-of-file"),
        (b"\0asm\1\0\0\0", "No valid smartmodule found: it exports nothing"),
        (wat.exporting("run()->"), "No valid smartmodule found: it exports memory, run"),
        (wat.exporting("join(i32,i32,i32)->i32"), "No valid smartmodule found"),
        (wat.exporting("filter(i32)->i32"), "its export filter is not a function of"),
        (wat.exporting("map(i32,i32,i64)->i32"), "its export map is not a function of"),
        (wat.exporting("filter(i32,i32,i32)->i32"), "its export alloc is not a function"),
        (
            wat.exporting("filter(i32,i32,i32)->i32", "alloc(i32)->i64"),
            "its export alloc is not a function of (i32) -> i32",
        ),
        (
            wat.exporting("filter(i32,i32,i32)->i32", "alloc(i32)->i32", memory="(memory 1)"),
            "it exports no memory",
        ),
        (
            wat.exporting("filter(i32,i32,i32)->i32", "alloc(i32)->i32", "init(i32)->i32"),
            "its export init is not a function of (i32, i32, i32)",
        ),
    ],
)
def test_what_is_no_smartmodule_is_refused_with_the_reason(wasm, problem):
    """Before anything runs."""
    assert problem in refusal_of(wasm)


def test_a_module_without_imports_is_refused_as_by_fluvio():
    """Its output could not be had."""
    text = """(module (memory (export "memory") 1)
        (func (export "alloc") (param i32) (result i32) (i32.const 0))
        (func (export "filter") (param i32 i32 i32) (result i32) (i32.const 0)))"""

    assert "At least one import is required" == refusal_of(bytes(wasmtime.wat2wasm(text)))


@pytest.mark.parametrize(
    ("imports", "problem"),
    [
        ('(import "env" "open" (func (param i32)))', "it imports env.open, which no host"),
        ('(import "env" "memory2" (global i32))', "it imports env.memory2, which is no function"),
        ('(import "x" "copy_records" (func (param i64)))', "copy_records is not a function of"),
    ],
)
def test_other_imports_are_refused(imports, problem):
    """What no host of SmartModules provides can't be had, and is named."""
    with pytest.raises(InvalidModule, match=problem):
        start(wat.module(imports=imports))


def test_copy_records_may_be_imported_from_any_module():
    """Fluvio links it by the function's name."""
    text = '(import "other" "copy_records" (func $other (param i32 i32)))'
    body = "(call $other (i32.const 1024) (i32.const 5)) (i32.const 0)"
    output = start(wat.module(body, imports=text, data=bytes(5))).run(NO_RECORDS, 0, -1)

    assert bytes(5) == bytes(output)


# ------------------------------------------------------------------------ how it is called


def test_the_input_has_the_layout_of_version_22():
    """The worked example of the reference, 11.2, with its parameters in every input."""
    records = bytes.fromhex("00000002 16000000000a6170706c6500 1c000a0201046b310a667275697400")
    instance = start(wat.module(ECHO_ALL_THERE_IS), {"key": "a"})
    given = bytes(instance.run(records, 100, 0x18BCFE56800))

    head = bytes.fromhex("0000000000000064 0000001f")
    params = bytes.fromhex("0001 0003 6b6579 0001 61 00")
    tail = bytes.fromhex("00000000 0000018bcfe56800")
    assert head + records + params + tail == given


def test_an_aggregate_is_given_its_accumulator():
    """The worked example of the reference, 11.4."""
    records = bytes.fromhex("00000001 0e000000000262 00")
    # Of zero records and an accumulator: gives back what it needs to be probed.
    wasm = wat.module(ECHO_ALL_THERE_IS, kind="aggregate")
    instance = start(wasm)
    given = bytes(instance.run(records, 0, 0x18BCFE56800, b"a", version=22))

    assert given.startswith(bytes.fromhex("0000000000000000 0000000c") + records)
    assert given.endswith(bytes.fromhex("00000001 61"))


@pytest.mark.parametrize(
    ("lookback", "encoded"),
    [
        (None, "0000 00"),
        (Lookback(7), "0000 01 0000000000000007 00"),
        (Lookback(0, 1500), "0000 01 0000000000000000 01 0000000000000001 1dcd6500"),
    ],
)
def test_init_is_told_the_look_back(lookback, encoded):
    """Parameters, then the option with `last` and `age`."""
    assert bytes.fromhex(encoded) == abi.encode_params({}, lookback, 22)


def test_parameters_are_sorted_and_limited():
    """Fluvio's decoder reads lengths as signed 16 bits: more can't be said."""
    assert abi.encode_params({"b": "1", "a": "2"}, None, 17) == bytes.fromhex(
        "0002 0001 61 0001 32 0001 62 0001 31"
    )
    assert len(abi.encode_params({"k": "x" * 32_767}, None, 17)) > 32_767
    with pytest.raises(UsageError, match="parameter 'k' has 32768 bytes"):
        abi.encode_params({"k": "x" * 32_768}, None, 17)


def test_init_says_what_is_wrong():
    """-2 with a hint is Fluvio's init error; the message is the module's own."""
    hint = b"\0\x11Missing param key"
    wasm = wat.module(data=hint, more=wat.INIT_REFUSES.format(size=len(hint)))
    with pytest.raises(InitFailed, match="SmartModule init error Missing param key"):
        start(wasm)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-1, "encountered unknown error during SmartModule processing"),
        (-10, "failed to decode SmartModule init input"),
        (-11, "failed to encode SmartModule init output"),
        (-2, "Error during initialization"),
        (1, r"unknown error during SmartModule processing \(code 1\)"),
    ],
)
def test_codes_of_init(code, text):
    """Every code has Fluvio's words."""
    more = f'(func (export "init") (param i32 i32 i32) (result i32) (i32.const {code}))'
    with pytest.raises(InitFailed, match=text):
        start(wat.module(more=more))


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-11, "failed to decode SmartModule base input"),
        (-22, "failed to decode SmartModule record input"),
        (-33, "failed to encode SmartModule output"),
        (-44, "failed to parse SmartModule extra params"),
        (-55, "undefined right record in Join SmartModule"),
        (-7, "encountered unknown error during SmartModule processing"),
    ],
)
def test_codes_of_a_transform(code, text):
    """A negative code is a failed call, whatever was copied."""
    with pytest.raises(CallFailedError, match=text):
        start(wat.giving(bytes(5), code=code)).run(NO_RECORDS, 0, -1)


def test_look_back_failures():
    """-99 comes with the record; other codes have Fluvio's words or their number."""
    fault = b"\0\x09wrong str" + bytes(8) + b"\0" + b"\x12wrong str"
    look_back = """
  (func (export "look_back") (param i32 i32 i32) (result i32)
    (call $copy_records (i32.const 1024) (i32.const {size}))
    (i32.const {code}))
"""
    more = look_back.format(size=len(fault), code=-99)
    instance = start(wat.module(data=fault, more=more))
    with pytest.raises(InitFailed) as caught:
        instance.look_back(NO_RECORDS, 0, -1)
    assert caught.value.message.endswith(
        "SmartModule look_back error wrong str\n\nSmartModule Lookback Error: \n"
        "    Offset: 0\n    Key: NULL\n    Value: wrong str"
    )
    more = look_back.format(size=1, code=-66)
    with pytest.raises(InitFailed, match="failed to decode SmartModule look_back input"):
        start(wat.module(data=b"x", more=more)).look_back(NO_RECORDS, 0, -1)


# ------------------------------------------------------------------------ what it may not


LOOP = "(loop $again (br $again)) (i32.const 0)"
BOMB = """
    (loop $again
      (br_if $again (i32.ne (memory.grow (i32.const 100)) (i32.const -1))))
    unreachable
"""


def test_an_endless_loop_is_stopped():
    """The message names the limit and its flag."""
    found = failure_of(wat.module(LOOP), time_s=0.05)

    assert "time" == found.cause
    assert "it took longer than the limit of 0.05 s a call (--sm-time)" == found.text


def test_an_endless_init_is_stopped():
    """The limit is for every call, not for transforms alone."""
    more = f'(func (export "init") (param i32 i32 i32) (result i32) {LOOP})'
    with pytest.raises(InitFailed, match="took longer than the limit"):
        start(wat.module(more=more), time_s=0.05)


def test_a_memory_bomb_is_stopped():
    """The limit is named with Fluvio's words."""
    found = failure_of(wat.module(BOMB), memory_bytes=20_000_000)

    assert "memory" == found.cause
    assert "SmartModule memory limit exceeded" in found.text
    assert "max allowed 20000000 bytes (--sm-memory)" in found.text


def test_less_memory_than_a_module_begins_with():
    """It can't be started, and the message says why."""
    with pytest.raises(InvalidModule, match=r"Failed to instantiate: .*memory"):
        start(wat.module(), memory_bytes=100_000)


def test_an_input_that_does_not_fit_is_a_matter_of_memory():
    """Not of an opaque trap in its allocator."""
    with pytest.raises(CallFailedError) as caught:
        start(wat.module(), memory_bytes=2_000_000).run(bytes(3_000_000), 0, -1)

    assert "memory" == caught.value.cause


@pytest.mark.parametrize(
    "body",
    [
        "unreachable",
        "(i32.load (i32.const -1))",
        "(i32.div_s (i32.const 1) (i32.const 0))",
        "(call $again) (i32.const 0)",
    ],
)
def test_traps_are_failures(body):
    """Also when the stack overflows."""
    instance = start(wat.module(body, functions="(func $again (call $again))"))
    with pytest.raises(CallFailedError, match="it trapped: "):
        instance.run(NO_RECORDS, 0, -1)


@pytest.mark.parametrize(
    ("at", "size"),
    [(-1, 5), (-5, 10), (1 << 30, 5), (1024, -1), (1024, 1 << 30), (-(1 << 31), -(1 << 31))],
)
def test_places_outside_of_its_memory(at, size):
    """Pointers and lengths are unsigned, and compared with the memory there is."""
    found = failure_of(wat.giving(bytes(5), at=at, size=size))

    assert "output" == found.cause
    assert "is outside of its memory" in found.text


def test_an_alloc_outside_of_its_memory():
    """Nothing is written there."""
    wasm = wat.exporting("filter(i32,i32,i32)->i32", memory='(memory (export "memory") 0)')
    wasm = bytes(
        wasmtime.wat2wasm("""(module
        (import "env" "copy_records" (func (param i32 i32)))
        (memory (export "memory") 1)
        (func (export "alloc") (param i32) (result i32) (i32.const -8))
        (func (export "filter") (param i32 i32 i32) (result i32) (i32.const 0)))""")
    )
    assert "its alloc gave a place outside of its memory" == failure_of(wasm).text


def test_no_output_at_all():
    """A module that never calls copy_records has said nothing."""
    assert "copy_records was not called" in failure_of(wat.module("(i32.const 0)")).text


def test_the_last_of_several_outputs_counts():
    """As on Fluvio, whose host has one slot."""
    body = """
    (loop $again
      (call $copy_records (i32.const 0) (local.get $i))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 2000))))
    (call $copy_records (i32.const 1024) (i32.const 5))
    (i32.const 0)
"""
    output = start(wat.module(body, data=b"\0\0\0\0\0")).run(NO_RECORDS, 0, -1)

    assert bytes(5) == bytes(output)


# ------------------------------------------------------------------------------- buffers


def test_how_buffers_are_freed_is_found_out():
    """A module without dealloc, or with one of another type, is never asked to."""
    assert Freeing.BY_SIZE is load(wat.module()).freeing
    assert Freeing.NEVER is load(wat.module(more="").replace(b"dealloc", b"dealloX")).freeing


def test_an_unknown_generation_is_refused():
    """Two arguments, and an output that is neither of the two of 2021."""
    body = "(call $copy_records (i32.const 0) (i32.const 7)) (i32.const 0)"

    assert "no generation that is known" in refusal_of(wat.module(body, has_version=False))


def test_a_module_of_two_arguments_is_told_by_what_it_says_of_no_records():
    """5 bytes have an error option, and are of 2021-08 and later; 4 bytes are older."""
    later = wat.module(
        "(call $copy_records (i32.const 1024) (i32.const 5)) (i32.const 0)",
        data=bytes(5),
        has_version=False,
    )
    older = wat.module(
        "(call $copy_records (i32.const 1024) (i32.const 4)) (i32.const 0)",
        data=bytes(4),
        has_version=False,
    )
    assert abi.Layout.WITH_ERRORS is load(later).layout
    assert abi.Layout.BARE is load(older).layout


# --------------------------------------------------------------------- what it costs


@pytest.mark.parametrize("body", ["(i32.const 0)", "unreachable", LOOP])
def test_an_instance_is_freed_at_once(body):
    """Without waiting for a collector: a run that goes on past failures starts many."""
    instance = start(wat.module(body), {"key": Secret("hunter2")}, time_s=0.05)
    guest, store = weakref.ref(instance.guest), weakref.ref(instance.guest._store)
    gc.disable()
    try:
        with suppress(CallFailedError):
            instance.run(NO_RECORDS, 0, -1)
        del instance
        assert (None, None) == (guest(), store())
    finally:
        gc.enable()


def test_a_module_of_many_megabytes_may_trap():
    """A trap is not taken for a lack of memory where the call has asked for none."""
    found = failure_of(wat.module("unreachable", pages="96"), memory_bytes=8_000_000)

    assert "trap" == found.cause
    assert "it has 6291456 bytes of memory, and --sm-memory is 8000000" in found.text


def test_an_error_about_exports_is_short():
    """However many there are."""
    more = "".join(f'(func (export "f{number}"))' for number in range(5000))
    wasm = bytes(wasmtime.wat2wasm(f"(module {more})"))

    assert len(refusal_of(wasm)) < 200


def test_a_start_function_that_exits():
    """It is no SmartModule, and the process goes on."""
    wasm = bytes(
        wasmtime.wat2wasm("""(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func $start (call $exit (i32.const 3)))
        (start $start)
        (func (export "dealloc") (param i32 i32))
        (func (export "alloc") (param i32) (result i32) (i32.const 8))
        (func (export "filter") (param i32 i32 i32) (result i32) (i32.const 0)))""")
    )

    assert "the module called proc_exit(3)" in refusal_of(wasm)


def test_functions_that_take_minutes_to_compile_are_refused():
    """Many locals in a large function: what compiling takes is their product."""
    locals_ = "(local i32) " * 40_000
    body = "(local.set 39000 (i32.add (local.get 5) (i32.const 7)))" * 15_000
    wasm = bytes(
        wasmtime.wat2wasm(f"""(module
        (import "env" "copy_records" (func (param i32 i32)))
        (func {locals_} {body})
        (memory (export "memory") 1)
        (func (export "alloc") (param i32) (result i32) (i32.const 8))
        (func (export "filter") (param i32 i32 i32) (result i32) (i32.const 0)))""")
    )

    assert "a function of it is too large to be compiled in time" in refusal_of(wasm)


def test_more_parameters_than_can_be_counted():
    """They are refused, not cut off."""
    more = '(func (export "init") (param i32 i32 i32) (result i32) (i32.const 0))'
    params = {str(number): "" for number in range(65_536)}
    with pytest.raises(UsageError, match="65536 parameters"):
        start(wat.module(more=more), params)


def test_the_fuel_of_a_trap_counts():
    """So does that of allocating."""
    loaded = LoadedModule("m", wat.module("unreachable"), counts_fuel=True)
    instance = Instance(loaded, {}, None, Bounds(GuestLimits()))
    with pytest.raises(CallFailedError):
        instance.run(NO_RECORDS, 0, -1)

    assert instance.fuel_used > 0
