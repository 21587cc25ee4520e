"""Modules made with Fluvio's SDKs of 2021 to 2025, run by our engine as they are.

`test_fluvio_abi` says what they do to a host of its own; here they go through chains, and
what comes out is what Fluvio's documentation says of them.
"""

import functools

import pytest
from stored import flat_run

from dataflare_cli import codec
from dataflare_cli.codec.smart import open_window
from dataflare_cli.errors import InitFailed
from dataflare_cli.model import GuestLimits, Lookback, Record
from dataflare_cli.smartmodule.chain import Chain, Step
from dataflare_cli.smartmodule.engine import Freeing, LoadedModule
from dataflare_cli.smartmodule.inspection import inspect
from tests.fluvio_modules import BUILD_S_MAX, build

pytestmark = pytest.mark.timeout(BUILD_S_MAX)

BASE_MS = 1_700_000_000_000
LIMITS = GuestLimits(time_s=0.2, memory_bytes=50_000_000)
OF_2021 = ("g0", "g1")
LATER = ("g2", "g3", "g4_early", "g4", "current", "wasi")


@functools.cache
def load(name: str) -> LoadedModule:
    return LoadedModule(name, build()[name].read_bytes())


def name_of(generation: str, name: str) -> str:
    return name if generation == "current" else f"{generation}_{name}"


def records_of(*values: str | bytes, keys=None) -> list[Record]:
    return [
        Record(
            value.encode() if isinstance(value, str) else value,
            None if keys is None else keys[number],
            ((b"h", b"%d" % number),),
            BASE_MS + number,
        )
        for number, value in enumerate(values)
    ]


def windows_of(records, base_offset=100):
    run = codec.load_run(flat_run([records], base_offset), engine="kernel")
    while base_offset < run.next_offset:
        window = open_window(run, base_offset, run.next_offset)
        yield window
        base_offset = window.next_offset


def chain_of(*names, params=None, lookback=None, goes_on=False, initial=b""):
    steps = [Step(load(name), params or {}, lookback) for name in names]
    return Chain(steps, limits=LIMITS, goes_on=goes_on, initial=initial)


def run_through(chain: Chain, records, base_offset=100):
    """Return the outputs as records, and the failures as (cause, offset, first line)."""
    outputs, failures = [], []
    for window in windows_of(records, base_offset):
        outcome = chain.process(window)
        outputs += window.attach(outcome.raw).records()
        failures += [
            (each.cause, each.offset, each.text.partition("\n")[0]) for each in outcome.failures
        ]
    return outputs, failures


def values_of(*names, values, **options):
    outputs, failures = run_through(chain_of(*names, **options), records_of(*values))
    assert [] == failures
    return [record.value.decode() for record in outputs]


# ------------------------------------------------------------------- every generation


@pytest.mark.parametrize("generation", [*OF_2021, *LATER])
def test_filters_of_every_year(generation):
    """What has an 'a' is kept, with the offset, time, key and headers it had."""
    records = records_of("apple", "fig", "banana", keys=[b"k", None, b""])
    outputs, failures = run_through(chain_of(name_of(generation, "filter")), records)

    assert ([100, 102], []) == ([record.offset for record in outputs], failures)
    assert [(each.value, each.key, each.headers, each.timestamp_ms) for each in outputs] == [
        (each.value, each.key, each.headers, each.timestamp_ms) for each in records[::2]
    ]


@pytest.mark.parametrize("generation", ["g1", *LATER])
def test_maps_of_every_year(generation):
    """Values in upper case."""
    assert ["APPLE", "", "ÄB"] == [
        value.replace("ä", "Ä")
        for value in values_of(name_of(generation, "map"), values=["apple", "", "äb"])
    ]


@pytest.mark.parametrize("generation", ["g1", *LATER])
def test_aggregates_of_every_year(generation):
    """The accumulator begins as it was given, and lives from window to window."""
    chain = chain_of(name_of(generation, "aggregate"), initial=b">")
    first, _ = run_through(chain, records_of("a", "b"))
    second, _ = run_through(chain, records_of("c"), base_offset=102)

    assert [b">a", b">ab", b">abc"] == [record.value for record in [*first, *second]]


@pytest.mark.parametrize("generation", ["g1", *LATER])
def test_an_aggregate_keeps_what_it_had_before_a_failure(generation):
    """Also where the first record of a call fails."""
    chain = chain_of(name_of(generation, "aggregate"), initial=b">", goes_on=True)
    outputs, failures = run_through(chain, records_of(b"\xff", "a", b"\xff", b"\xfe", "b"))

    assert [b">a", b">ab"] == [record.value for record in outputs]
    assert [100, 102, 103] == [offset for _, offset, _ in failures]


@pytest.mark.parametrize("generation", ["g1", *LATER])
def test_errors_of_every_year(generation):
    """A record that is no UTF-8 stops the run, and is named; those before it are given."""
    chain = chain_of(name_of(generation, "filter"))
    outputs, failures = run_through(chain, records_of("apple", b"a\xff", "banana"))

    assert [100] == [record.offset for record in outputs]
    assert [("error", 101, "invalid utf-8 sequence of 1 bytes from index 1")] == failures


@pytest.mark.parametrize(
    ("name", "generation"),
    [
        ("g0_filter", "2021-04 to 2021-07"),
        ("g1_map", "2021-08 to 2021-11"),
        ("g2_filter", "2021-11 or later"),
        ("g3_filter_init", "2022-09 or later"),
        ("g3_aggregate", "2021-11 to 2023-02"),
        ("g4_early_aggregate", "2023-06"),
        ("g4_aggregate", "2023-08 or later"),
        ("look_back", "2023-06 or later"),
    ],
)
def test_inspection_tells_the_generation(name, generation):
    """As far as the module's exports and what it answers tell it."""
    assert generation == inspect(name, build()[name].read_bytes()).generation


# ------------------------------------------------------------------------ every kind


def test_init_with_its_parameter():
    """A filter that needs `key`; without it, Fluvio's words and ours for the next step."""
    assert ["abc"] == values_of("filter_init", values=["abc", "xyz"], params={"key": "b"})
    with pytest.raises(InitFailed, match="SmartModule init error Missing param key"):
        chain_of("filter_init")


def test_parameters_in_the_input():
    """The SDK of 2022-05 reads its parameters from every input."""
    assert ["xyz"] == values_of("g2_filter_params", values=["abc", "xyz"], params={"key": "z"})
    assert ["abc"] == values_of("g2_filter_params", values=["abc", "xyz"])


def test_filter_map():
    """Odd ones go, even ones are halved; the chain of causes is told."""
    assert ["5", "6"] == values_of("filter_map", values=["10", "7", "12"])
    (failure,) = chain_of("filter_map").process(next(windows_of(records_of("x")))).failures
    assert failure.text.startswith("no number\n\nCaused by:\n    invalid digit found in string\n\n")


def test_array_map():
    """One record becomes several, or none; their offset is not told by the SDK."""
    assert ['"a"', "1"] == values_of("array_map", values=['["a",1]', "[]"])


def test_array_map_of_single_records():
    """Given one at a time, their source is known."""
    outputs = []
    chain = chain_of("array_map")
    run = codec.load_run(flat_run([records_of("[1,2]", "[]", "[3]")], 100), engine="kernel")
    for offset in range(100, 103):
        window = open_window(run, offset, 103, records_max=1)
        outputs += window.attach(chain.process(window).raw).records()

    assert [(b"1", 100), (b"2", 100), (b"3", 102)] == [
        (record.value, record.offset) for record in outputs
    ]
    assert ((b"h", b"2"),) == outputs[-1].headers


def test_offset_and_time_as_the_module_sees_them():
    """What it is told is what the record has, also after a filter and in a second window."""
    records = records_of("a", "b", "a")
    far = [*records, Record(b"a", timestamp_ms=BASE_MS + 2**40)]
    outputs, failures = run_through(chain_of("filter", "map_time"), far)

    assert [] == failures
    assert [b"100:2023-11-14 22:13:20 UTC:a", b"102:2023-11-14 22:13:20.002 UTC:a"] == [
        record.value for record in outputs[:2]
    ]
    assert outputs[2].value.startswith(b"103:2058-09-")
    assert BASE_MS + 2**40 == outputs[2].timestamp_ms


def test_aggregate_with_init():
    """A sum that begins with a parameter."""
    found = values_of("aggregate_init", values=["1", "2"], params={"initial_value": "10"})

    assert ["11", "13"] == found


def test_a_chain_of_several_kinds():
    """Filter, map, aggregate."""
    found = values_of("filter", "map", "aggregate", values=["apple", "fig", "banana"])

    assert ["APPLE", "APPLEBANANA"] == found


def stored_windows(*values):
    return lambda _: windows_of(records_of(*values), 0)


def test_look_back():
    """It takes up what is stored before the first record."""
    chain = chain_of("look_back", lookback=Lookback(1))
    chain.look_back(stored_windows("5"))
    outputs, _ = run_through(chain, records_of("4", "6", "5", "7"))

    assert [b"6", b"7"] == [record.value for record in outputs]


def test_look_back_of_many():
    """A set that was filled by look_back, of as many as `count` says."""
    chain = chain_of("look_back_set", params={"count": "2"}, lookback=Lookback(10))
    chain.look_back(stored_windows("a", "b", "c"))
    outputs, _ = run_through(chain, records_of("a", "c", "d", "c"))

    assert [b"a", b"d", b"c"] == [record.value for record in outputs]


def test_look_back_that_fails():
    """Fluvio's words, and the record that it was."""
    chain = chain_of("look_back", lookback=Lookback(1))
    with pytest.raises(InitFailed) as caught:
        chain.look_back(stored_windows("wrong"))

    assert "SmartModule look_back error wrong str: wrong\n\nSmartModule Lookback Error: \n" in (
        caught.value.message
    )


@pytest.mark.parametrize("build_of", ["current", "wasi"])
@pytest.mark.parametrize(
    ("value", "cause"), [("panic", "trap"), ("loop", "time"), ("bomb", "memory")]
)
def test_what_goes_wrong_is_that_of_one_record(build_of, value, cause):
    """A panic, an endless loop, a memory bomb: the others are not touched by it."""
    chain = chain_of(name_of(build_of, "hostile"), goes_on=True)
    outputs, failures = run_through(chain, records_of("a", value, "b"))

    assert [b"a", b"b"] == [record.value for record in outputs]
    assert [(cause, 101)] == [each[:2] for each in failures]


def test_what_a_panic_says_is_logged():
    """A module built for WASI can tell."""
    said: list[str] = []
    chain = Chain(
        [Step(load("wasi_hostile"))],
        limits=LIMITS,
        goes_on=True,
        log=lambda module, text: said.append(f"{module}: {text}"),
    )
    run_through(chain, records_of("panic"))

    assert any("as asked" in line for line in said)
    assert all(line.startswith("wasi_hostile: ") for line in said)


# ---------------------------------------------------------------------------- memory


def test_how_their_buffers_are_freed():
    """Rust's allocator compares sizes since 1.78, that of WASI's C library does not."""
    assert Freeing.BY_CHUNK is load("map").freeing
    assert Freeing.BY_CHUNK is load("g1_map").freeing
    assert Freeing.BY_SIZE is load("wasi_map").freeing


def flat_memory(record_count: int, name: str) -> tuple[int, int]:
    """Run records through one instance; return its memory after a tenth, and at the end."""
    chain = chain_of(name)
    records = records_of(*(f"{number:06d} " + "x" * 90 for number in range(8000)))
    run = codec.load_run(flat_run([records], 0), engine="kernel")
    memory = []
    done = 0
    while done < record_count:
        start = 0
        while start < run.next_offset:
            window = open_window(run, start, run.next_offset)
            assert window.record_count == chain.process(window).record_count
            start = window.next_offset
        done += len(records)
        memory.append(chain._links[0].instance.guest.memory_bytes)
    return memory[len(memory) // 10], memory[-1]


@pytest.mark.parametrize("name", ["map", "g1_map", "g3_map", "wasi_map"])
def test_memory_stays_flat(name):
    """Half a million records through one instance: what it gave is freed."""
    early, late = flat_memory(500_000, name)

    assert early == late


@pytest.mark.soak
def test_memory_stays_flat_for_long():
    """Ten million records through one instance."""
    early, late = flat_memory(10_000_000, "map")

    assert early == late
