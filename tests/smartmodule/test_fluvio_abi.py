"""What Fluvio's SDKs of 2021 to 2025 make of calls: the ABI, as a host of its own sees it.

Generations: g0 and g1 are of 2021, g2 of 2022-05, g3 of 2022-11, g4_early of 2023-06,
g4 of 2024-11 (the ABI of 2023-08), current and wasi (current, too) of 2025-07.
"""

import pytest
import wasmtime

from tests import abi_host
from tests.abi_host import Host, Lookback, Output, Record, RuntimeFailure, Status, numbered
from tests.fluvio_modules import BUILD_S_MAX, build

pytestmark = pytest.mark.timeout(BUILD_S_MAX)

WITH_VERSION = ("g2", "g3", "g4_early", "g4", "current", "wasi")
GENERATIONS = ("g1", *WITH_VERSION)
NOW_MS = 1_700_000_000_000
APPLE = Record(b"apple")
NOT_UTF8 = "invalid utf-8 sequence of 1 bytes from index 0"
DECODING_FAILED, RECORDS_FAILED = -11, -22
PAGE_BYTES = 65536
LEAKING_CALLS, OUTPUT_BYTES = 40, 50_000


def host(generation: str, name: str, **options) -> Host:
    """Start a module of a generation."""
    whole_name = name if generation == "current" else f"{generation}_{name}"
    return Host(build()[whole_name], **options)


def current(name: str, **options) -> Host:
    return host("current", name, **options)


def status(call, *args, **fields) -> tuple[int, bytes]:
    """Return the negative code that a call gives, and what was delivered before."""
    with pytest.raises(Status) as caught:
        call(*args, **fields)
    return caught.value.code, caught.value.delivered


# ------------------------------------------------------------------- shape (section 1)


@pytest.mark.parametrize("name", ["filter", "map", "aggregate"])
@pytest.mark.parametrize("generation", WITH_VERSION)
def test_exports(generation, name):
    """A module exports memory, alloc, dealloc and one transform that takes a version."""
    module = host(generation, name)

    assert {"memory", "alloc", "dealloc", name} <= set(module.exports)
    assert {name} == set(module.exports) & set(abi_host.TRANSFORMS)
    assert [(1, 1), (2, 0), (3, 1)] == [module.arity(each) for each in ("alloc", "dealloc", name)]


@pytest.mark.parametrize(
    ("generation", "name"), [("g0", "filter"), ("g1", "filter"), ("g1", "map"), ("g1", "aggregate")]
)
def test_exports_of_2021(generation, name):
    """Modules made before the end of November 2021 are not told a version."""
    assert (2, 1) == host(generation, name).arity(name)


def test_init_and_look_back_are_extra_exports():
    """Both init and look_back have the type of a transform, and are there beside one."""
    module = current("look_back_set")

    assert "filter" == module.kind
    assert [(3, 1), (3, 1)] == [module.arity(each) for each in ("init", "look_back")]


@pytest.mark.parametrize("generation", ["g0", "g1", "g2", "g3", "g4_early", "g4", "current"])
def test_imports(generation):
    """All that a module without WASI imports is copy_records, from env."""
    assert [("env", "copy_records")] == host(generation, "filter").imports


def test_imports_of_wasi():
    """A module built for WASI imports four of its functions, and is never initialised."""
    module = host("wasi", "filter")
    names = {"environ_get", "environ_sizes_get", "fd_write", "proc_exit"}

    assert {("env", "copy_records")} | {("wasi_snapshot_preview1", name) for name in names} == set(
        module.imports
    )
    assert "_initialize" in module.exports


# ---------------------------------------------------- buffers and codes (sections 3 and 4)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_output_buffers_leak(generation):
    """Memory grows with each output, unless its buffer is given back by its chunk's size."""
    pages = []
    for is_freed in (False, True):
        module = host(generation, "filter")
        for _ in range(LEAKING_CALLS):
            module.transform([Record(b"a" * OUTPUT_BYTES)], 13 if generation == "g1" else 22)
            if is_freed:
                module.free_by_chunk()
        pages.append(module.memory_pages)
    leaking, freed = pages

    assert LEAKING_CALLS * OUTPUT_BYTES < leaking * PAGE_BYTES
    assert LEAKING_CALLS * OUTPUT_BYTES > freed * PAGE_BYTES


@pytest.mark.parametrize("generation", [each for each in GENERATIONS if each != "wasi"])
def test_the_allocator_compares_sizes(generation):
    """To dealloc an output by its own size traps: Rust's allocator since 1.78 knows better."""
    module = host(generation, "filter")
    module.transform([Record(b"a" * 300)], 13 if generation == "g1" else 22)

    with pytest.raises(wasmtime.Trap, match="unreachable"):
        module.free_by_size()


def test_wasi_libc_does_not_compare_sizes():
    """A module built for WASI has another allocator, which takes any size."""
    module = host("wasi", "filter")
    module.transform([Record(b"a" * 300)])
    module.free_by_size()

    assert [b"a"] == module.transform([Record(b"a")]).values


@pytest.mark.parametrize("name", ["filter", "map", "aggregate"])
@pytest.mark.parametrize("generation", WITH_VERSION)
def test_garbage_is_refused(generation, name):
    """An input that ends too early gives -11, and nothing is delivered."""
    module = host(generation, name)

    assert [(DECODING_FAILED, b"")] * 2 == [module.call(name, data) for data in (b"", b"\0\1")]


@pytest.mark.parametrize("name", ["filter", "map", "aggregate"])
@pytest.mark.parametrize("generation", WITH_VERSION)
def test_bad_records_are_refused(generation, name):
    """Records that cannot be decoded give -22; since mid 2023 only in an aggregate."""
    whole = abi_host.encode_input(17, [APPLE], accumulator=b"")
    is_recent = generation not in {"g2", "g3", "g4_early"}
    expected = DECODING_FAILED if is_recent and name != "aggregate" else RECORDS_FAILED

    one_byte_too_long = whole.replace(b"\x0aapple", b"\x0capple")
    assert (expected, b"") == host(generation, name).call(name, one_byte_too_long, 17)


# -------------------------------------------------------------- encodings (sections 5 and 6)


@pytest.mark.parametrize("generation", WITH_VERSION)
@pytest.mark.parametrize(
    ("given", "returned"),
    [
        (2**31 - 1, 2**31 - 1),
        (-(2**31), -(2**31)),
        (2**31, -1),
        (2**31 + 1, -2),
        (-(2**31) - 1, 0),
        (2**33, 2),
    ],
)
def test_the_varint_hazard(generation, given, returned):
    """A delta beyond 32 bits comes back as another one."""
    records = [Record(b"a", timestamp_delta=given)]
    (found,) = host(generation, "filter").transform(records).successes

    assert returned == found.timestamp_delta


@pytest.mark.parametrize("generation", WITH_VERSION)
def test_keys_and_deltas_survive(generation):
    """A map changes key and value only; an empty key is not an absent one."""
    records = [
        Record(b"ab", b"k", timestamp_delta=5, offset_delta=3, attributes=1),
        Record("äa".encode(), None, timestamp_delta=-7, offset_delta=9, attributes=-8),
        Record(b"", b""),
    ]
    expected = [
        Record(b"AB", b"k", timestamp_delta=5, offset_delta=3, attributes=1),
        Record("äA".encode(), None, timestamp_delta=-7, offset_delta=9, attributes=-8),
        Record(b"", b""),
    ]

    assert Output(tuple(expected)) == host(generation, "map").transform(records, base_offset=100)


@pytest.mark.parametrize("length", [32_767, 32_768])
def test_strings_are_limited(length):
    """A param of 32,767 bytes is read; one more, and the input cannot be decoded."""
    params = {"key": "y" * length}
    module = current("filter_init")

    expected = 0 if length == 32_767 else -10
    assert (expected, b"") == module.call("init", abi_host.encode_params(22, params))


# ---------------------------------------------------------------------- versions (section 8)

OK, LOST, WRONG = "ok", "the accumulator is lost", "something else"


def outcomes(*spans: tuple[int, int, object]) -> dict[int, object]:
    return {v: outcome for first, last, outcome in spans for v in range(first, last + 1)}


UNTIL_22 = outcomes((16, 22, OK), (23, 25, DECODING_FAILED))
UNTIL_19 = outcomes((16, 19, OK), (20, 21, LOST), (22, 22, WRONG), (23, 25, DECODING_FAILED))
ALWAYS = outcomes((16, 25, OK))


@pytest.mark.parametrize(
    ("generation", "kind", "expected"),
    [
        ("g2", "filter", UNTIL_22),
        ("g2", "map", UNTIL_22),
        ("g2", "aggregate", UNTIL_19),
        ("g3", "filter", UNTIL_22),
        ("g3", "map", UNTIL_22),
        ("g3", "aggregate", UNTIL_19),
        ("g4_early", "filter", UNTIL_22),
        ("g4_early", "map", UNTIL_22),
        ("g4_early", "aggregate", outcomes((16, 21, OK), (22, 25, DECODING_FAILED))),
        *[
            (generation, kind, ALWAYS)
            for generation in ("g4", "current", "wasi")
            for kind in ("filter", "map", "aggregate")
        ],
    ],
)
def test_which_versions_work(generation, kind, expected):
    """What a generation makes of each version: 22 suits all but aggregates before July 2023."""
    assert expected == {version: outcome(generation, kind, version) for version in expected}


def outcome(generation: str, kind: str, version: int) -> object:
    module = host(generation, kind)
    accumulator = b"acc" if kind == "aggregate" else None
    try:
        output = module.transform(
            [Record(b"abc")], version, base_timestamp=NOW_MS, accumulator=accumulator
        )
    except Status as refusal:
        return refusal.code
    value = {"filter": b"abc", "map": b"ABC", "aggregate": b"accabc"}[kind]
    final = value if kind == "aggregate" else None
    if output == Output((Record(value),), None, final):
        return OK
    return LOST if output.values == [b"abc"] else WRONG


@pytest.mark.parametrize(
    ("generation", "expected"),
    [
        ("g2", {22: b"", 21: b"", 20: b"", 17: b""}),
        ("g3", {22: b"\x8b", 21: b"", 20: b"", 17: b"prb"}),
        ("g4_early", {22: DECODING_FAILED, 21: b"prb", 20: b"prb", 17: b"prb"}),
        *[(each, dict.fromkeys((22, 21, 20, 17), b"prb")) for each in ("g4", "current", "wasi")],
    ],
)
def test_probing_an_aggregate(generation, expected):
    """Without records an accumulator comes back as it is, but in 2022-05 as nothing."""
    assert expected == {version: probe(generation, version) for version in expected}


def probe(generation: str, version: int) -> object:
    module = host(generation, "aggregate")
    try:
        output = module.transform([], version, base_timestamp=NOW_MS, accumulator=b"prb")
    except Status as refusal:
        return refusal.code
    assert Output((), None, output.accumulator) == output
    return output.accumulator


@pytest.mark.parametrize("generation", ["g2", "g3", "g4_early"])
def test_small_timestamps_hide_a_wrong_version(generation):
    """At version 25 an old filter takes eight zero bytes of timestamp for its params."""
    module = host(generation, "filter")

    assert [b"apple"] == module.transform([APPLE], 25, base_timestamp=0).values
    assert (DECODING_FAILED, b"") == status(module.transform, [APPLE], 25, base_timestamp=-1)


# -------------------------------------------------------------------- semantics (section 9)


@pytest.mark.parametrize("generation", WITH_VERSION)
def test_an_error_ends_the_call(generation):
    """What succeeded before an error is returned with it; what follows is not looked at."""
    records = [APPLE, Record(b"\xff", b"k", offset_delta=1), APPLE]
    expected = RuntimeFailure(NOT_UTF8, 101, "Filter", b"k", b"\xff")

    output = host(generation, "filter").transform(records, base_offset=100)
    assert Output((APPLE,), expected) == output


@pytest.mark.parametrize("generation", WITH_VERSION)
def test_an_aggregate_keeps_what_it_had_before_an_error(generation):
    """The accumulator is the one before the failing record."""
    records = numbered([b"b", b"\xff", b"c"])
    error = RuntimeFailure(NOT_UTF8, 1, "Aggregate", None, b"\xff")

    output = host(generation, "aggregate").transform(records, 17, accumulator=b"a")
    assert Output((Record(b"ab"),), error, b"ab") == output


@pytest.mark.parametrize("generation", WITH_VERSION)
def test_an_error_at_the_first_record(generation):
    """Nothing has succeeded: the accumulator is the given one, but in 2022-05 nothing."""
    error = RuntimeFailure(NOT_UTF8, 0, "Aggregate", None, b"\xff")
    kept = b"" if generation == "g2" else b"a"

    output = host(generation, "aggregate").transform([Record(b"\xff")], 17, accumulator=b"a")
    assert Output((), error, kept) == output


def test_an_aggregate_shows_every_step():
    """Each record gets the accumulator as it is after it, and keeps key and deltas."""
    records = [Record(b"x", b"k", timestamp_delta=4), Record(b"y", offset_delta=1)]
    expected = (Record(b"ax", b"k", timestamp_delta=4), Record(b"axy", offset_delta=1))

    output = current("aggregate").transform(records, accumulator=b"a")
    assert Output(expected, None, b"axy") == output


@pytest.mark.parametrize("name", ["filter", "filter_map", "map", "array_map"])
def test_no_records(name):
    """A call without records succeeds and returns none."""
    assert Output() == current(name).transform([])


@pytest.mark.parametrize("age_s", [None, 7])
@pytest.mark.parametrize("version", [17, 20, 21, 22, 25])
def test_init_takes_a_look_back_configuration(version, age_s):
    """Params may carry a look-back since version 20, and its age since 21."""
    module = current("filter_init")
    module.init({"key": "x"}, version, lookback=Lookback(3, age_s))

    assert [b"xa"] == module.transform(numbered([b"xa", b"b"])).values


@pytest.mark.parametrize("version", [20, 22, 25])
def test_look_back(version):
    """look_back sees records before the filter does."""
    module = current("look_back")
    module.look_back([b"5", b"7"], version)

    assert [b"8", b"4"] == module.transform(numbered([b"7", b"8", b"3", b"4"])).values


def test_look_back_without_records():
    """An empty log is looked back at, and nothing happens."""
    module = current("look_back")
    module.look_back([])

    assert [b"1"] == module.transform([Record(b"1")]).values


def test_look_back_error():
    """An error of look_back gives -99, with the record it is about; garbage gives -66."""
    module = current("look_back")
    code, delivered = status(module.look_back, [b"5", b"zz", b"7"])

    assert -99 == code
    assert bytes.fromhex("000d 77726f6e67207374723a207a7a 0000000000000001 00 04 7a7a") == delivered
    expected = RuntimeFailure("wrong str: zz", 1, None, None, b"zz")
    assert expected == abi_host.decode_lookback_failure(delivered)
    assert (-66, b"") == module.call("look_back", b"\0\1")


# ------------------------------------------------------------------- generations (section 10)


def test_a_module_of_spring_2021():
    """The first modules take and return records, and nothing else: -1 is their only error."""
    records = [APPLE, Record(b"xyz", offset_delta=1), Record(b"a", b"k", 5, 2)]
    module = host("g0", "filter")

    expected = abi_host.encode_records([records[0], records[2]])
    assert (2, expected) == module.call("filter", abi_host.encode_records(records))
    assert (-1, b"") == module.call("filter", b"\0\1")


def test_a_module_of_spring_2021_takes_later_inputs_for_no_records():
    """A base offset below 2^32 begins with a count of zero."""
    data = abi_host.encode_input(13, [APPLE], base_offset=100)

    assert (0, b"\0\0\0\0") == host("g0", "filter").call("filter", data)


def test_modules_of_autumn_2021():
    """Base offset, records, params: the layout of version 13; the map returns as today's do."""
    error = RuntimeFailure(NOT_UTF8, 101, "Filter", None, b"\xff")
    records = [APPLE, Record(b"\xff", offset_delta=1)]

    found = host("g1", "filter").transform(records, 13, base_offset=100)
    assert Output((APPLE,), error) == found
    assert Output((Record(b"APPLE"),)) == host("g1", "map").transform([APPLE], 13)


def test_an_aggregate_of_autumn_2021():
    """It does not return its accumulator: that is the last success's value."""
    output = host("g1", "aggregate").transform(numbered([b"b", b"c"]), 13, accumulator=b"a")

    assert Output((Record(b"ab"), Record(b"abc", offset_delta=1))) == output


@pytest.mark.parametrize("name", ["filter", "map"])
def test_modules_of_autumn_2021_take_later_layouts(name):
    """What follows the params is not looked at, so that the layout of version 22 does, too."""
    expected = b"apple" if name == "filter" else b"APPLE"

    data = abi_host.encode_input(22, [APPLE], base_timestamp=NOW_MS)
    code, delivered = host("g1", name).call(name, data)
    output = abi_host.decode_output(delivered, has_accumulator=False)
    assert (1, [expected]) == (code, output.values)


@pytest.mark.parametrize("version", range(16, 23))
def test_params_of_2022_are_in_the_input(version):
    """A module of 2022-05 reads its params from every input; without them it has its default."""
    records = numbered([b"az", b"a", b"z"])
    module = host("g2", "filter_params")

    assert [b"az", b"z"] == module.transform(records, version, params={"key": "z"}).values
    assert [b"az", b"a"] == module.transform(records, version).values


@pytest.mark.parametrize("generation", WITH_VERSION)
def test_params_in_the_input_harm_nobody(generation):
    """Newer modules, and those without params, ignore params in the input."""
    found = host(generation, "filter").transform([APPLE], params={"key": "z"})

    assert [b"apple"] == found.values


# ---------------------------------------------------------------- worked bytes (section 11)

WORKED = [APPLE, Record(b"fruit", b"k1", timestamp_delta=5, offset_delta=1)]
WORKED_RECORDS = "00000002 16 00 00 00 00 0a 6170706c65 00 1c 00 0a 02 01 04 6b31 0a 6672756974 00"
WORKED_INPUTS = {
    17: f"0000000000000064 0000001f {WORKED_RECORDS} 0000 00000000",
    22: f"0000000000000064 0000001f {WORKED_RECORDS} 0000 00 00000000 0000018bcfe56800",
    25: f"0000000000000064 0000001f {WORKED_RECORDS} 0000018bcfe56800",
}
WORKED_SUCCESS = "00000001 16 00 00 00 00 0a 6170706c65 00"


@pytest.mark.parametrize("generation", ["g3", "current"])
def test_worked_init(generation):
    """Section 11.1: one param, and no look-back."""
    data = bytes.fromhex("0001 0003 6b6579 0001 61 00")
    module = host(generation, "filter_init")

    assert data == abi_host.encode_params(22, {"key": "a"})
    assert (0, b"") == module.call("init", data, 22)
    assert (-2, b"\x00\x11Missing param key") == module.call("init", b"\0\0\0", 22)
    assert (-10, b"") == module.call("init", b"\0\1", 22)


@pytest.mark.parametrize(
    ("generation", "version"),
    [("g3", 17), ("g3", 22), ("current", 17), ("current", 22), ("current", 25)],
)
def test_worked_filter(generation, version):
    """Section 11.2: of two records the one that contains the param is returned as it was."""
    data = bytes.fromhex(WORKED_INPUTS[version])
    fields = {"base_offset": 100, "base_timestamp": NOW_MS}
    module = host(generation, "filter_init")
    module.init({"key": "a"})

    assert {17: 49, 22: 58, 25: 51}[version] == len(data)
    assert data == abi_host.encode_input(version, WORKED, **fields)
    assert (1, bytes.fromhex(WORKED_SUCCESS + "00")) == module.call("filter", data, version)


@pytest.mark.parametrize("generation", ["g3", "current"])
def test_worked_error(generation):
    """Section 11.3: an error follows the successes, with the offset it is at."""
    records = [APPLE, Record(b"\xff\xfe", b"kk", offset_delta=1)]
    data = abi_host.encode_input(22, records, base_offset=100)
    module = host(generation, "filter_init")
    module.init({"key": "a"})

    expected = (
        bytes.fromhex(WORKED_SUCCESS)
        + b"\1\0\x2e"
        + NOT_UTF8.encode()
        + bytes.fromhex("0000000000000065 00 01 04 6b6b 04 fffe")
    )
    assert (1, expected) == module.call("filter", data, 22)


def test_worked_aggregate():
    """Section 11.4: the accumulator is the last thing in the input and in the output."""
    data = bytes.fromhex(
        "0000000000000000 0000000c 00000001 0e 00 00 00 00 02 62 00 0000 00 00000000"
        "0000018bcfe56800 00000001 61"
    )
    expected = bytes.fromhex("00000001 10 00 00 00 00 04 6162 00 00 00000002 6162")

    fields = {"base_timestamp": NOW_MS, "accumulator": b"a"}
    assert data == abi_host.encode_input(22, [Record(b"b")], **fields)
    assert (1, expected) == current("aggregate").call("aggregate", data, 22)
