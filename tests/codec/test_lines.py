"""Text to records, against a model that knows nothing but `split`."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import log_key
from strategies import text_blocks, text_options

from dataflare_cli import codec
from dataflare_cli.codec.lines import (
    BadLine,
    Payload,
    Problem,
    TextOptions,
    TextResult,
    encode_text,
)
from dataflare_cli.codec.partition import pick
from dataflare_cli.codec.records import encode_records
from dataflare_cli.model import Partitioner, Record


def encode(block, options=None, *, final=True, round_robin=0) -> TextResult:
    return encode_text(
        block, options or TextOptions(), final=final, round_robin=round_robin, engine="python"
    )


def records_of(payload: Payload, timestamp_ms: int = 5) -> list[Record]:
    """Return a payload's records, by way of a stored frame."""
    frame = codec.seal(
        bytearray(payload.frame),
        record_count=payload.record_count,
        base_timestamp_ms=timestamp_ms,
        max_timestamp_ms=timestamp_ms,
    )
    codec.stamp(frame, base_offset=0, appended_ms=0)
    return codec.decode_frame(log_key(0), frame)


def values(result: TextResult) -> list[list[bytes | None]]:
    return [[record.value for record in records_of(each)] for each in result.payloads]


def model_record(line: bytes, options: TextOptions) -> Record | None:
    """Return the record of a line; None if its separator is missing."""
    key, value = options.key, line
    if options.key_separator is not None:
        if options.key_separator not in line:
            return None
        key, value = line.split(options.key_separator, 1)
    return Record(None if value == options.null_value else value, key, options.headers, 5)


def model(block: bytes, options: TextOptions, final: bool, round_robin: int) -> TextResult:
    """Do what `encode_text` does, without a thought of speed."""
    lines = block.split(options.delimiter)
    rest = lines.pop()
    ended = [len(line) + len(options.delimiter) for line in lines]
    if final and rest:
        lines.append(rest)
        ended.append(len(rest))
    batches: dict[int, list[Record]] = {}
    bad: list[BadLine] = []
    consumed = line_count = 0
    for line, size in zip(lines, ended, strict=True):
        record = model_record(line, options)
        if record is None:
            bad.append(BadLine(line_count, len(line), Problem.NO_SEPARATOR))
        else:
            weight = len(record.key or b"") + len(record.value or b"")
            if weight > options.record_bytes_max:
                bad.append(BadLine(line_count, weight, Problem.TOO_LARGE))
                break
            partition, after = options.partition, round_robin
            if partition is None:
                partition, after = pick(
                    options.partitioner, record.key, options.partition_count, round_robin
                )
            batch = batches.get(partition, [])
            if batch and 61 + len(encode_records([*batch, record], 5)) > options.batch_bytes_max:
                break
            batches[partition] = [*batch, record]
            round_robin = after
        consumed += size
        line_count += 1
    payloads = [
        Payload(partition, len(batch), bytearray(81) + encode_records(batch, 5))
        for partition, batch in sorted(batches.items())
    ]
    return TextResult(consumed, line_count, payloads, bad, round_robin)


@given(st.data(), text_options(), st.booleans(), st.integers(0, 9))
def test_text_is_what_split_makes_of_it(data, options, final, round_robin):
    """Invariants: the result is the naive model's, to the byte.

    - Whatever the delimiter, also one that overlaps itself; and the kind of buffer.
    """
    block = data.draw(text_blocks(options))
    expected = model(block, options, final, round_robin)

    assert expected == encode(block, options, final=final, round_robin=round_robin)
    assert expected == encode(
        memoryview(bytearray(block)), options, final=final, round_robin=round_robin
    )


def encode_all(pieces: list[bytes], options: TextOptions) -> dict[int, list]:
    """Feed pieces as a caller does, again and again until all is taken."""
    found: dict[int, list[Record]] = {}
    rest, round_robin = b"", 0
    for number, piece in enumerate(pieces):
        rest += piece
        final = number == len(pieces) - 1
        while rest:
            result = encode(rest, options, final=final, round_robin=round_robin)
            round_robin = result.round_robin
            for payload in result.payloads:
                found.setdefault(payload.partition, []).extend(records_of(payload))
            rest = rest[result.consumed :]
            if not result.consumed:
                break
        assert not (final and rest)
    return {
        partition: [(record.key, record.value) for record in records]
        for partition, records in found.items()
    }


@given(st.data(), text_options(), st.booleans(), st.integers(0, 9))
def test_the_partitions_of_lines_are_told_again(data, options, final, round_robin):
    """Invariants: of what a call consumed, as many records of each partition, in their order.

    - The first lines have the partitions that they have alone.
    """
    block = data.draw(text_blocks(options))
    result = encode(block, options, final=final, round_robin=round_robin)
    source = bytes(block[: result.consumed])
    order = codec.partitions_of(source, options, round_robin)
    counts = Counter({each.partition: each.record_count for each in result.payloads})

    assert counts == Counter(order)
    half = encode(source[: len(source) // 2], options, final=False, round_robin=round_robin)
    first = codec.partitions_of(source[: half.consumed], options, round_robin)
    assert order[: len(first)] == first


@given(st.data(), text_options(), st.lists(st.integers(0, 400), max_size=4))
def test_cuts_in_the_input_do_not_show(data, options, cuts):
    """Invariants: the same records go to the same partitions, however input arrives.

    - A delimiter may straddle pieces; small batches only make more calls.
    """
    options = TextOptions(
        delimiter=options.delimiter,
        key_separator=options.key_separator,
        null_value=options.null_value,
        partition_count=options.partition_count,
        partitioner=options.partitioner,
        batch_bytes_max=options.batch_bytes_max,
    )
    block = data.draw(text_blocks(options))
    places = [0, *sorted(min(cut, len(block)) for cut in cuts), len(block)]
    pieces = [block[a:b] for a, b in pairwise(places)]

    assert encode_all([block], options) == encode_all(pieces, options)


@pytest.mark.parametrize(
    ("block", "final", "lines", "consumed"),
    [
        (b"", True, [], 0),
        (b"a\nb\n", True, [b"a", b"b"], 4),
        (b"a\nb\n", False, [b"a", b"b"], 4),
        (b"a\nb", True, [b"a", b"b"], 3),
        (b"a\nb", False, [b"a"], 2),
        (b"b", False, [], 0),
        (b"\n\n", True, [b"", b""], 2),
        (b"a\r\n", True, [b"a\r"], 3),
        (b"\0\xff\n", True, [b"\0\xff"], 3),
    ],
)
def test_lines_end_at_newlines(block, final, lines, consumed):
    """An empty line is an empty record; a last line without an end waits for more, or for the end.

    A carriage return stays.
    """
    result = encode(block, final=final)

    assert [lines] * bool(lines) == values(result)
    assert (consumed, len(lines), []) == (result.consumed, result.line_count, result.bad)


def test_delimiters_may_be_long_and_overlap():
    """Several bytes delimit as `split` does; half a delimiter at the end is not one yet."""
    options = TextOptions(delimiter=b"aab")

    assert [[b"xa", b"y"]] == values(encode(b"xaaabyaab", options))
    half = encode(b"xaabyaa", options, final=False)
    assert [[b"x"]] == values(half)
    assert 4 == half.consumed
    assert [[b"x", b"yaa"]] == values(encode(b"xaabyaa", options))


def test_keys_come_before_the_first_separator():
    """Both sides may be empty, and the value may have the separator again."""
    options = TextOptions(key_separator=b"::")
    (payload,) = encode(b"k::v\n::v\nk::\na::b::c\n::::\n", options).payloads
    pairs = [(record.key, record.value) for record in records_of(payload)]

    assert [(b"k", b"v"), (b"", b"v"), (b"k", b""), (b"a", b"b::c"), (b"", b"::")] == pairs


def test_a_line_without_its_separator_is_told_and_passed_over():
    """Bad lines count as lines, and the others go on."""
    result = encode(b"a:1\nbad one\nb:2\n:\n\n", TextOptions(key_separator=b":"))

    assert [BadLine(1, 7, Problem.NO_SEPARATOR), BadLine(4, 0, Problem.NO_SEPARATOR)] == result.bad
    assert (19, 5) == (result.consumed, result.line_count)
    assert [[b"1", b"2", b""]] == values(result)


def test_null_is_a_value_never_a_key():
    """The null marker makes tombstones; a key that looks the same is a key."""
    options = TextOptions(key_separator=b":", null_value=b"NULL")
    (payload,) = encode(b"NULL:NULL\nk:NULL \nk:\n", options).payloads
    pairs = [(record.key, record.value) for record in records_of(payload)]

    assert [(b"NULL", None), (b"k", b"NULL "), (b"k", b"")] == pairs
    assert [[None]] == values(encode(b"\n", TextOptions(null_value=b"")))


def test_the_same_key_and_headers_for_all():
    """A key and headers from the options are every record's."""
    options = TextOptions(key=b"", headers=((b"h", None), (b"h", b"1")))
    (payload,) = encode(b"a\nb", options).payloads
    records = records_of(payload)

    assert [(b"", b"a"), (b"", b"b")] == [(record.key, record.value) for record in records]
    assert {options.headers} == {record.headers for record in records}


def test_a_record_that_is_too_large_stops_the_call():
    """What comes before it is kept; the call tells its size and ends at its start.

    Size is key and value: neither separator nor headers count, and null is nothing.
    """
    options = TextOptions(key_separator=b":", null_value=b"long null", record_bytes_max=4)
    result = encode(b"kk:vv\nk:long null\nkk:vvv\nk:v\n", options)

    assert [BadLine(2, 5, Problem.TOO_LARGE)] == result.bad
    assert (18, 2) == (result.consumed, result.line_count)
    assert [[b"vv", None]] == values(result)


def test_batches_come_out_full():
    """A call ends before the record that its batch has no room for."""
    block = b"".join(b"%04d\n" % number for number in range(1000))
    options = TextOptions(batch_bytes_max=1000)
    sizes = []
    while block:
        result = encode(block, options)
        (payload,) = result.payloads
        sizes.append(len(payload.frame) - 20)
        block = block[result.consumed :]

    assert all(1000 - 12 < size <= 1000 for size in sizes[:-1])
    assert 1000 * 11 <= sum(sizes)


def test_a_record_above_the_batch_limit_has_a_batch_of_its_own():
    """It is the first and the last of its call."""
    block = b"a\n" + b"x" * 500 + b"\nb\nc\n"
    options = TextOptions(batch_bytes_max=100)
    found = []
    while block:
        result = encode(block, options)
        found += values(result)
        block = block[result.consumed :]

    assert [[b"a"], [b"x" * 500], [b"b", b"c"]] == found


def test_records_without_a_key_go_round():
    """Round robin goes on from call to call, and does not move for keys or bad lines."""
    options = TextOptions(partition_count=3)
    result = encode(b"a\nb\nc\nd\n", options, round_robin=2)

    assert [(0, 1), (1, 1), (2, 2)] == [(each[0], each[1]) for each in result.payloads]
    assert 0 == result.round_robin
    keyed = TextOptions(key_separator=b":", partition_count=3)
    assert 2 == encode(b"bad\nk:v\n", keyed, round_robin=2).round_robin


def test_keys_choose_partitions_as_fluvio_and_kafka_do():
    """The vectors of Fluvio's and Kafka's own tests hold for text as well."""
    options = TextOptions(key_separator=b":", partition_count=3)
    block = b"1:a\n2:b\n3:c\n"

    assert [[b"c"], [b"a"], [b"b"]] == values(encode(block, options))
    kafka = TextOptions(key_separator=b":", partition_count=3, partitioner=Partitioner.MURMUR2)
    assert [[b"21"], [b"a"], [b"k1"]] == values(encode(b"a:a\n21:21\nk1:k1\n", kafka))


def test_small_input_does_not_load_the_kernel():
    """Below 64 KiB and without a kernel, `auto` is Python."""
    block = b"a line\n" * 9000

    assert encode(block) == encode_text(block, TextOptions(), final=True)
