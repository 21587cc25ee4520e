"""Hostile modules: nothing that one is, does or gives can do harm.

Invariants:
- Whatever the bytes of a module are, it is refused with a reason, or it runs within its limits.
- Whatever a module does, the record that made it do so is a failure, or what comes out is
  records of the window; the next module of the same process works as if nothing had been.
- A call ends.
"""

import random
import struct

import pytest
import wasmtime
import wat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored import flat_run

from dataflare_cli import codec
from dataflare_cli.codec.smart import open_window
from dataflare_cli.errors import InitFailed, InvalidModule
from dataflare_cli.model import GuestLimits, Record, SmartModuleKind
from dataflare_cli.smartmodule.chain import Chain, Step
from dataflare_cli.smartmodule.engine import Bounds, CallFailedError, Instance, LoadedModule

LIMITS = GuestLimits(time_s=0.03, memory_bytes=20_000_000, records_out=10, bytes_out=1_000_000)
EDGES = [0, 1, 3, 8, 1023, 1024, 65_535, 65_536, 17 * 65_536, 1 << 20, 1 << 24]
EDGES += [2**31 - 1, -(2**31), -1, -4, -65_536]
GOOD = LoadedModule("good", wat.puppet())
MIRRORS = {kind: LoadedModule("mirror", wat.mirror(kind=kind.value)) for kind in SmartModuleKind}
HOSTILE = LoadedModule("hostile", wat.hostile())

operands = st.sampled_from(EDGES) | st.integers(-(2**31), 2**31 - 1)
scripts = st.lists(
    st.tuples(st.sampled_from(range(len(wat.OPERATIONS))), operands, operands), max_size=6
).map(lambda steps: b"".join(struct.pack("<Bii", *step) for step in steps))


def chain_of(module: LoadedModule) -> Chain:
    return Chain([Step(module)], limits=LIMITS, goes_on=True, initial=b"0")


def process(chain: Chain, *values: bytes, engine="kernel"):
    """Run values through a chain; every one is made of, dropped or a failure."""
    run = codec.load_run(
        flat_run([[Record(value, timestamp_ms=1) for value in values]]), engine=engine
    )
    window = open_window(run, 0, len(values))
    outcome = chain.process(window)
    outputs = window.attach(outcome.raw)
    records = list(outputs.records())
    assert all(0 <= record.offset < len(values) for record in records)
    assert all(0 <= failure.offset < len(values) for failure in outcome.failures)
    return records, outcome.failures


def assert_all_is_well():
    records, failures = process(chain_of(GOOD), b"a", b"d", b"b")
    assert ([b"a", b"b"], []) == ([record.value for record in records], failures)


# ------------------------------------------------------------------------- bad outputs


def varint(number: int) -> bytes:
    raw = (number << 1) ^ (number >> 63)
    out = bytearray()
    while raw >= 0x80:
        out.append(raw & 0x7F | 0x80)
        raw >>= 7
    return bytes([*out, raw])


numbers = st.sampled_from([0, 1, -1, 2, 5, 63, 64, 2**31 - 1, -(2**31), 2**62]) | st.integers(
    -(2**63), 2**63 - 1
)
pieces = st.one_of(
    numbers.map(varint),
    st.sampled_from([b"\0\0\0\0", b"\0\0\0\1", b"\0\0\0\2", b"\xff\xff\xff\xff", b"\0", b"\1"]),
    st.binary(max_size=6),
    st.sampled_from([b"\x0e\0\0\0\0\2x\0", b"\x10\0\0\0\1\2k\0\0", b"\0\5wrong" + bytes(8)]),
)
outputs = st.lists(pieces, max_size=8).map(b"".join)


@given(outputs, st.sampled_from(SmartModuleKind), st.sampled_from(["python", "kernel"]))
@settings(deadline=None, max_examples=400)
def test_bad_outputs(output, kind, engine):
    """Invariants: any bytes as output are records, an error of the record's, or a failure."""
    process(chain_of(MIRRORS[kind]), output, engine=engine)


@given(st.binary(max_size=80))
@settings(deadline=None, max_examples=200)
def test_bytes_of_nobodys_making(output):
    """Invariants: also without any structure."""
    process(chain_of(MIRRORS[SmartModuleKind.FILTER]), output)


# ---------------------------------------------------------------------------- bad deeds


@given(st.lists(scripts, min_size=1, max_size=3))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_bad_deeds(values):
    """Invariants: lying places and sizes, endless loops, memory bombs, traps, ruins of its own."""
    process(chain_of(HOSTILE), *values)
    assert_all_is_well()


def script(*steps) -> bytes:
    return b"".join(struct.pack("<Bii", wat.OPERATIONS.index(name), a, b) for name, a, b in steps)


@pytest.mark.parametrize("at", EDGES)
@pytest.mark.parametrize("size", EDGES)
def test_every_pair_of_edges_as_output(at, size):
    """Places and sizes at the edges of memory and of their types."""
    process(chain_of(HOSTILE), script(("copy", at, size), ("return", 0, 0)))


def test_a_module_that_lays_its_memory_waste():
    """What it was given lies there; what the host has does not."""
    _, failures = process(chain_of(HOSTILE), script(("fill", 0, 17 * 65_536)))

    assert 1 == len(failures)
    assert_all_is_well()


# -------------------------------------------------------------------------- bad modules

SEEDS = [wat.puppet(), wat.mirror(), wat.hostile(kind="map"), wat.module(more=wat.LOOK_BACK)]


def broken_modules(seed: int, count: int):
    """Yield modules with a few bytes changed, cut or put in; the same every time."""
    chance = random.Random(seed)
    for _ in range(count):
        wasm = bytearray(chance.choice(SEEDS))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(8, len(wasm))
            match chance.randrange(5):
                case 0 | 1 | 2:
                    wasm[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
                case 3:
                    del wasm[at : at + chance.randint(1, 3)]
                case 4:
                    wasm[at:at] = bytes(chance.randrange(256) for _ in range(2))
        yield bytes(wasm)


def try_out(wasm: bytes) -> str:
    """Return what became of a module: refused, failed or ran."""
    try:
        instance = Instance(LoadedModule("broken", wasm), {}, None, Bounds(LIMITS))
        instance.init()
    except (InvalidModule, InitFailed):
        return "refused"
    try:
        instance.run(bytes(4), 0, -1)
        process(chain_of(instance.loaded), b"a", b"d", b"E")
    except (CallFailedError, InvalidModule, InitFailed):
        return "failed"
    return "ran"


@pytest.mark.parametrize("seed", range(4))
def test_bad_modules(seed):
    """Nearly right binaries are refused, or do what they can within their limits."""
    became = [try_out(wasm) for wasm in broken_modules(seed, 60)]

    assert {"refused", "ran"} <= set(became)
    assert_all_is_well()


@pytest.mark.parametrize(
    "part",
    [
        '(memory (export "memory") 65536)',
        '(memory (export "memory") 1) (memory 1)',
        '(memory (export "memory") i64 1)',
        '(memory (export "memory") 1) (table 2000000 funcref)',
        '(memory (export "memory") 1) (table 100000000 1000000000 funcref)',
        '(memory (export "memory") 1) (func $s (loop $a (br $a))) (start $s)',
        '(memory (export "memory") 1) (func $s unreachable) (start $s)',
        '(memory (export "memory") 1) (data (i32.const -1) "x")',
        '(memory (export "memory") 1 1 shared)',
        '(memory (export "memory") 1) (global (export "filter2") (mut i64) (i64.const 0))',
    ],
)
def test_what_a_module_asks_for_before_it_runs(part):
    """Too much memory, large tables, start sections that never end: none of it hangs or kills."""
    text = f"""(module (import "env" "copy_records" (func (param i32 i32))) {part}
        (func (export "alloc") (param i32) (result i32) (i32.const 64))
        (func (export "filter") (param i32 i32 i32) (result i32) (i32.const 0)))"""
    try_out(bytes(wasmtime.wat2wasm(text)))
    assert_all_is_well()
