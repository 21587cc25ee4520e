"""Modules made with Fluvio's current SDK: what each kind and feature does to records.

They do what Fluvio's examples of these names do; `hostile` is what no example shows.
"""

import pytest
import wasmtime

from tests.abi_host import Host, Lookback, Output, Record, RuntimeFailure, numbered
from tests.fluvio_modules import BUILD_S_MAX, build

pytestmark = pytest.mark.timeout(BUILD_S_MAX)

NOW_MS = 1_700_000_000_000
NOT_UTF8 = "invalid utf-8 sequence of 1 bytes from index 0"
PAGE_BYTES = 65536


def start(name: str, **options) -> Host:
    return Host(build()[name], **options)


@pytest.mark.parametrize(
    ("name", "params", "given", "expected"),
    [
        ("filter", None, ["apple", "b", "", "bar"], ["apple", "bar"]),
        ("filter_init", {"key": "p"}, ["apple", "bar", "p"], ["apple", "p"]),
        ("filter_odd", None, ["1", "2", "-4", "+7"], ["2", "-4"]),
        ("filter_map", None, ["12", "7", "-4"], ["6", "-2"]),
        ("map", None, ["aZ1 ä"], ["AZ1 ä"]),
        ("array_map", None, ['["x", {"b": 1, "a": [null]}]', "[]"], ['"x"', '{"a":[null],"b":1}']),
        ("aggregate", None, ["a", "", "b"], ["a", "a", "ab"]),
        ("aggregate_init", {"initial_value": "10"}, ["1", "2"], ["11", "13"]),
        ("aggregate_init", {}, ["1", "2"], ["1", "3"]),
        ("look_back", None, ["2", "1", "5", "5"], ["2", "5"]),
        ("look_back_set", {}, ["a", "b", "a", "c", "b"], ["a", "b", "c"]),
        ("look_back_set", {"count": "1"}, ["a", "b", "a", "a"], ["a", "b", "a"]),
    ],
)
def test_examples(name, params, given, expected):
    """What each module makes of some values."""
    module = start(name)
    if params is not None:
        module.init(params)
    accumulator = b"" if module.kind == "aggregate" else None
    records = numbered(each.encode() for each in given)

    output = module.transform(records, accumulator=accumulator)
    assert [each.encode() for each in expected] == output.values
    assert output.error is None


@pytest.mark.parametrize(
    ("name", "kind", "hint"),
    [
        ("map_time", "Map", NOT_UTF8),
        ("array_map", "ArrayMap", "expected value at line 1 column 1"),
        ("aggregate_init", "Aggregate", NOT_UTF8),
        ("look_back", "Filter", NOT_UTF8),
    ],
)
def test_errors_of_examples(name, kind, hint):
    """Each kind of transform has its name in its errors."""
    accumulator = b"" if kind == "Aggregate" else None
    output = start(name).transform([Record(b"\xff", b"k")], accumulator=accumulator)

    assert RuntimeFailure(hint, 0, kind, b"k", b"\xff") == output.error


def test_causes():
    """Several causes are numbered, a single one is not."""
    causes = "Oops something went wrong\n\nCaused by:\n   0: Failed to parse int\n   1: {}"
    single = "no number\n\nCaused by:\n    {}"
    reason = "invalid digit found in string"

    found = [start(name).transform([Record(b"x")]).error for name in ("filter_odd", "filter_map")]
    assert [causes.format(reason), single.format(reason)] == [error.hint for error in found]


@pytest.mark.parametrize(
    ("fields", "delta", "time"),
    [
        ({"base_timestamp": 1_687_336_833_120}, 3, "2023-06-21 08:40:33.123 UTC"),
        ({"base_timestamp": 0}, 0, "1970-01-01 00:00:00 UTC"),
        ({"base_timestamp": -1}, 0, "unknown"),
        ({"version": 21, "base_timestamp": NOW_MS}, 0, "1970-01-01 00:00:00 UTC"),
    ],
)
def test_offsets_and_timestamps(fields, delta, time):
    """They are the base's plus the delta; without a base timestamp in the input that is zero."""
    records = [Record(b"v", timestamp_delta=delta, offset_delta=3)]

    output = start("map_time").transform(records, base_offset=100, **fields)
    assert [f"103:{time}:v".encode()] == output.values


def test_array_map_makes_new_records():
    """Outputs of an array_map have neither key nor deltas."""
    output = start("array_map").transform([Record(b"[1]", b"k", 5, 3, 1)])

    assert Output((Record(b"1"),)) == output


def test_look_back_fills_the_set():
    """Of three values before, a set of two has forgotten the first."""
    module = start("look_back_set")
    module.init({"count": "2"}, lookback=Lookback(2))
    module.look_back([b"a", b"b", b"c"])

    assert [b"a", b"b"] == module.transform(numbered([b"c", b"a", b"b"])).values


@pytest.mark.parametrize(
    ("value", "limits", "trap"),
    [
        (b"panic", {}, "unreachable"),
        (b"loop", {"fuel": 10_000_000}, "all fuel consumed"),
        (b"bomb", {"memory_bytes_max": 50_000_000}, "unreachable"),
    ],
)
@pytest.mark.parametrize("name", ["hostile", "wasi_hostile"])
def test_hostile(name, value, limits, trap):
    """What a guest may do is bounded, and ends in a trap."""
    module = start(name, **limits)

    assert [b"fine"] == module.transform([Record(b"fine")]).values
    with pytest.raises(wasmtime.Trap, match=trap):
        module.transform([Record(value)])
    assert limits.get("memory_bytes_max", 2**32) >= module.memory_pages * PAGE_BYTES


def test_a_panic_is_told_to_wasi(tmp_path):
    """Built for WASI, a module that panics says where and why on stderr."""
    module = start("wasi_hostile", stderr=tmp_path / "stderr")
    with pytest.raises(wasmtime.Trap):
        module.transform([Record(b"panic")])

    assert (
        b"panicked at current/hostile.rs:10:21:\nas asked\n" in (tmp_path / "stderr").read_bytes()
    )


def test_memory_is_limited_from_the_start():
    """A limit below the initial 17 pages keeps a module from being instantiated."""
    with pytest.raises(wasmtime.WasmtimeError, match="minimum size of 17 pages exceeds"):
        start("hostile", memory_bytes_max=16 * PAGE_BYTES)
