"""Windows: what modules are given, and what becomes of their output.

Invariants:
- The kernel and the reference agree on every window, output, text and batch, and on
  every output that is not records.
- What a module gives back unchanged comes out as it went in: null, key, headers and
  times included.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import flat_run, log_key, read_back
from strategies import codecs, maybe_payloads, offsets, payloads, programs, record_lists

from dataflare_cli import codec
from dataflare_cli.codec.smart import (
    NotRecordsError,
    encode_input,
    join_records,
    open_window,
)
from dataflare_cli.model import Codec, Record, TimestampType

BASE_MS = 1_700_000_000_000

# smartmodule-abi.md, 11.2: what a filter is given of two records.
EXAMPLE = bytes.fromhex("00000002 16000000000a6170706c6500 1c000a0201046b310a667275697400")

batches = st.lists(record_lists(), min_size=1, max_size=4)
types = st.sampled_from(TimestampType)
# In the kernel, a window also ends before a batch that is still to be unpacked.
one_codec = st.lists(codecs, min_size=1, max_size=1)
changed = st.fixed_dictionaries({"key": maybe_payloads, "value": payloads})


def output_of(*records: Record) -> bytes:
    """Return what a module gives; offsets are offset deltas."""
    return join_records([encode_input(record, 0, record.offset) for record in records])


def both(flat):
    """Return the same run twice: in Python and in the kernel."""
    return [codec.load_run(flat, engine=engine) for engine in ("python", "kernel")]


def fields_of(window):
    return (
        *(window.base_offset, window.base_timestamp_ms, window.next_offset),
        *(window.record_count, window.is_uniform, bytes(window.raw)),
    )


def text_of(outputs, program, first=0, count_max=1_000_000):
    """Return all the text of outputs, however many calls it takes."""
    text, last = b"", min(outputs.record_count, first + count_max)
    while first < last:
        data, first = outputs.render(program, partition=3, first=first, count_max=last - first)
        text += bytes(data)
    return text


def batches_of(outputs, batch_bytes_max):
    """Return all outputs as batches."""
    packed, first = [], 0
    while first < outputs.record_count:
        packed.append(outputs.pack(first=first, batch_bytes_max=batch_bytes_max))
        assert packed[-1].next_index > first
        first = packed[-1].next_index
    return packed


def test_the_worked_example():
    """The bytes of the reference's section 11.2, from both."""
    records = [Record(b"apple", timestamp_ms=BASE_MS), Record(b"fruit", b"k1", (), BASE_MS + 5)]
    for run in both(flat_run([records], base_offset=100)):
        window = open_window(run, 100, 102)

        assert EXAMPLE == bytes(window.raw)
        assert (100, BASE_MS, 2) == (*fields_of(window)[:2], window.record_count)
        assert (1, 16, 1, 12) == tuple(window.check(b"\0\0\0\1" + EXAMPLE[4:]))


@given(st.data(), batches, offsets, one_codec, types)
@settings(deadline=None)
def test_windows_are_the_same(data, groups, base_offset, compressions, timestamp_type):
    """Invariants: every window of a run: its bytes, its bounds, and where it ends."""
    flat = flat_run(groups, base_offset, compressions, timestamp_type)
    runs = both(flat)
    start = data.draw(st.integers(runs[0].start_offset, runs[0].next_offset - 1))
    end = data.draw(st.integers(start + 1, runs[0].next_offset))
    limits = {
        "records_max": data.draw(st.sampled_from([1, 2, 3, 1000])),
        "bytes_max": data.draw(st.sampled_from([4, 60, 200, 1 << 20])),
        "timestamp_min_ms": data.draw(st.sampled_from([-(2**63), 0, 64, 1_700_000_000_100])),
    }
    while start < end:
        expected, found = (fields_of(open_window(run, start, end, **limits)) for run in runs)
        assert expected == found
        start = found[2]


@given(st.data(), batches, offsets, one_codec, types, programs)
@settings(deadline=None)
def test_outputs_are_the_same(data, groups, base_offset, compressions, timestamp_type, program):
    """Invariants: text, records and batches of what modules make of a window."""
    flat = flat_run(groups, base_offset, compressions, timestamp_type)
    runs = both(flat)
    windows = [open_window(run, base_offset, run.next_offset) for run in runs]
    count = windows[0].record_count
    sources = data.draw(st.lists(st.integers(0, count - 1), max_size=8))
    raw = output_of(*(Record(offset=source, **data.draw(changed, "output")) for source in sources))
    assert windows[0].check(raw) == windows[1].check(raw)
    expected, found = (window.attach(raw) for window in windows)
    first = data.draw(st.integers(0, len(sources)))
    limit = data.draw(st.sampled_from([61, 100, 300, 1_000_000]))

    assert len(sources) == expected.record_count == found.record_count
    assert text_of(expected, program, first, 3) == text_of(found, program, first, 3)
    assert text_of(expected, program) == text_of(found, program)
    assert batches_of(expected, limit) == batches_of(found, limit)
    assert list(expected.records(first)) == list(found.records(first))
    assert text_of(expected, program) == text_of(found, program)


@given(batches, st.lists(codecs, min_size=1, max_size=3), types)
@settings(deadline=None)
def test_what_is_kept_comes_out_as_it_went_in(groups, compressions, timestamp_type):
    """Invariants: a window's input, given back as it is, is its records."""
    run = codec.load_run(flat_run(groups, 5, compressions, timestamp_type), engine="kernel")
    stored = list(run.records())
    kept: list[Record] = []
    at = run.start_offset
    while at < run.next_offset:
        window = open_window(run, at, run.next_offset)
        window.check(window.raw)
        kept += window.attach().records()
        at = window.next_offset

    assert stored == kept


@given(batches, st.lists(codecs, min_size=1, max_size=3), st.sampled_from([90, 200, 1_000_000]))
@settings(deadline=None)
def test_packed_batches_hold_the_outputs(groups, compressions, limit):
    """Invariants: what `pack` writes is a canonical batch, as large as it may be."""
    run = codec.load_run(flat_run(groups, 0, [Codec.NONE]), engine="kernel")
    window = open_window(run, 0, run.next_offset)
    outputs = window.attach(window.raw)
    expected = list(outputs.records())
    found: list[Record] = []
    for packed in batches_of(outputs, limit):
        frame = codec.seal(
            packed.frame,
            record_count=packed.record_count,
            base_timestamp_ms=packed.base_timestamp_ms,
            max_timestamp_ms=packed.max_timestamp_ms,
            codec=compressions[0],
        )
        codec.stamp(frame, base_offset=len(found), appended_ms=1)
        found += codec.decode_frame(log_key(len(found)), frame)
        plain = 61 + sum(map(len, [packed.frame[81:]]))
        assert plain <= limit or packed.record_count == 1

    assert read_back(expected) == found


@pytest.mark.parametrize("delta", [2**31 - 1, -(2**31)])
def test_far_times_begin_a_window(delta):
    """Times that SDKs can tell apart share a window; a millisecond further is another one."""
    near = [Record(b"a", timestamp_ms=BASE_MS), Record(b"b", timestamp_ms=BASE_MS + delta)]
    step = 1 if delta > 0 else -1
    far = [near[0], Record(b"b", timestamp_ms=BASE_MS + delta + step)]
    for records, count in ((near, 2), (far, 1)):
        for run in both(flat_run([records])):
            assert count == open_window(run, 0, 2).record_count


def mutated(data, raw: bytes) -> bytes:
    """Return bytes that are nearly a module's output."""
    broken = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(broken) - 1)) if broken else 0
        match data.draw(st.sampled_from(["flip", "cut", "insert", "long"])):
            case "flip" if broken:
                broken[at] ^= data.draw(st.integers(1, 255))
            case "cut":
                del broken[at:]
            case "insert":
                broken[at:at] = data.draw(st.binary(min_size=1, max_size=4))
            case "long":
                broken[at : at + 1] = b"\xff" * data.draw(st.integers(1, 11))
    return bytes(broken)


def judged(window, raw: bytes):
    """Return what a window says of an output."""
    try:
        return tuple(window.check(raw))
    except NotRecordsError as exc:
        return str(exc)


@given(st.data(), st.integers(1, 4))
@settings(deadline=None, max_examples=300)
def test_lies_are_found_by_both(data, count):
    """Invariants: whatever bytes a module gives, both say the same of them, and nothing crashes."""
    records = [Record(b"v%d" % n, timestamp_ms=BASE_MS) for n in range(count)]
    windows = [open_window(run, 0, count) for run in both(flat_run([records]))]
    raw = mutated(data, bytes(windows[0].raw) + b"\0")
    expected, found = (judged(window, raw) for window in windows)

    assert expected == found
    if isinstance(found, tuple):
        assert [*windows[0].attach(raw).records()] == [*windows[1].attach().records()]


@given(st.binary(max_size=60))
@settings(deadline=None, max_examples=300)
def test_any_bytes_are_judged(raw):
    """Invariants: bytes of nobody's making are records, or are said not to be."""
    run = codec.load_run(flat_run([[Record(b"v", timestamp_ms=1)] * 3]), engine="kernel")
    judged(open_window(run, 0, 3), raw)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "0 bytes are no record count"),
        (b"\0\0\0\1", "record 0 of 1"),
        (output_of(Record(b"x", offset=3)), "offset delta 3 of 3 records"),
        (output_of(Record(b"x", offset=-1)), "offset delta -1 of 3 records"),
        (b"\0\0\0\1\x0e\0\0\0\2\2x\0\0", "no key tag"),
        (b"\0\0\0\1\x0e\0\0\0\0\2x\2", "does not end where it says"),
    ],
)
def test_what_is_wrong_is_said(raw, problem):
    """The message says which record, and what of it."""
    for run in both(flat_run([[Record(b"v", timestamp_ms=1)] * 3])):
        with pytest.raises(NotRecordsError, match=problem):
            open_window(run, 0, 3).check(raw)


def test_a_negative_count_is_none():
    """Fluvio's decoders read a signed number, and below 1 nothing follows."""
    for run in both(flat_run([[Record(b"v", timestamp_ms=1)]])):
        assert (0, 4, 0, 0) == tuple(open_window(run, 0, 1).check(b"\xff\xff\xff\xff"))


def test_numbers_need_not_be_short():
    """A varint may be longer than it has to be, as other SDKs may write it."""
    body = b"\0\x80\0\x80\0\0\x82\0v\x80\0"
    raw = b"\0\0\0\1" + bytes([2 * len(body)]) + body
    for run in both(flat_run([[Record(b"v", timestamp_ms=1)]])):
        assert [b"v"] == [record.value for record in open_window(run, 0, 1).attach(raw).records()]


def test_a_large_record_has_a_window_and_a_batch_of_its_own():
    """Limits of a window and of a batch never keep a record back."""
    records = [Record(b"a" * 300_000, timestamp_ms=1), Record(b"b", timestamp_ms=1)]
    for run in both(flat_run([records])):
        window = open_window(run, 0, 2, bytes_max=1000)
        (packed,) = batches_of(window.attach(window.raw), 1000)

        assert (1, 1) == (window.record_count, packed.record_count)
        assert len(packed.frame) > 300_000
