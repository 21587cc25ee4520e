"""The kernel against its reference: the same results, byte for byte, and the same errors."""

import gc
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import flat_run, flips, stored, with_records, with_right_crcs
from strategies import codecs, int64s, programs, record_lists, text_blocks, text_options

from dataflare_cli import codec
from dataflare_cli.codec import kernel, kernel_runs, kernel_text
from dataflare_cli.codec.lines import BadLine, Problem, TextOptions, encode_text
from dataflare_cli.codec.program import Encoding, Instruction, Op, render
from dataflare_cli.codec.runs import load_run
from dataflare_cli.errors import Corruption
from dataflare_cli.model import (
    BATCH_BYTES_MAX,
    MIB,
    REQUEST_BYTES_MAX,
    Codec,
    Partitioner,
    Record,
    TimestampType,
)

VALUES = (Instruction(Op.VALUE), Instruction(Op.LITERAL, literal=b"\n"))
ENVELOPE = (
    Instruction(Op.LITERAL, literal=b'{"offset":'),
    Instruction(Op.OFFSET),
    Instruction(Op.TIMESTAMP_JSON),
    Instruction(Op.LITERAL, literal=b',"key":'),
    Instruction(Op.KEY, Encoding.JSON),
    Instruction(Op.LITERAL, literal=b',"value":'),
    Instruction(Op.VALUE, Encoding.JSON),
    Instruction(Op.HEADERS_JSON),
    Instruction(Op.LITERAL, literal=b"}\n"),
)
batch_lists = st.lists(record_lists(max_size=4), min_size=1, max_size=5)
timestamp_types = st.sampled_from(TimestampType)


@pytest.fixture(autouse=True, scope="module")
def small_things_stay_with_python():
    """Leave the process as a short command has it: other tests' `auto` means Python."""
    yield
    kernel._loaded.clear()


# --------------------------------------------------------------------------- text


def both(block, options, *, final=True, round_robin=0):
    """Return what the kernel makes of a block, having seen that Python makes the same."""
    given_ = {"final": final, "round_robin": round_robin}
    expected = encode_text(block, options, engine="python", **given_)
    found = encode_text(block, options, engine="kernel", **given_)

    assert expected == found
    return found


@given(st.data(), text_options(), st.booleans(), st.integers(0, 7))
def test_text_is_encoded_as_the_reference_does(data, options, final, round_robin):
    """Invariants: every field of the result is the reference's, the payloads' bytes included.

    - The rest of a block, given again until nothing is consumed, too.
    """
    block = data.draw(text_blocks(options))
    while True:
        result = both(block, options, final=final, round_robin=round_robin)
        block, round_robin = block[result.consumed :], result.round_robin
        if not result.consumed:
            break


@pytest.mark.parametrize("partitions", [1, 4])
def test_a_large_block_is_encoded_in_one_call(partitions):
    """Neither the window of input, nor the table of lines, nor the output's room shows."""
    lines = [b"%d:%s" % (n, b"v" * (n * 7919 % 300)) for n in range(20_000)]
    block = b"\n".join(lines)
    options = TextOptions(key_separator=b":", partition_count=partitions, batch_bytes_max=16 * MIB)
    result = both(block, options)

    assert len(block) > 2 * kernel_text.INPUT_BYTES
    assert (len(block), len(lines)) == (result.consumed, result.line_count)


def test_empty_lines_fill_a_batch():
    """Short lines become more bytes than they were; the call stops at the limit all the same."""
    result = both(b"\n" * 300_000, TextOptions())

    assert BATCH_BYTES_MAX - 20 < len(result.payloads[0].frame) - 20 <= BATCH_BYTES_MAX


def test_many_partitions_share_a_block():
    """Each of a few thousand partitions gets its own lines, in their order."""
    block = b"".join(b"%d\n" % n for n in range(30_000))
    result = both(block, TextOptions(partition_count=5_000), round_robin=4_321)

    assert 5_000 == len(result.payloads)


def test_many_bad_lines_are_all_reported():
    """More of them than the kernel has room for."""
    count = 3 * kernel_text.BAD_LINES_MAX
    result = both(b"no\nk:v\n" * count, TextOptions(key_separator=b":", partition_count=3))

    assert count == len(result.bad)
    assert BadLine(2 * count - 2, 2, Problem.NO_SEPARATOR) == result.bad[-1]


def test_the_largest_record_is_encoded():
    """A record as large as a request may be passes, and leaves no large kernel behind."""
    value = b"x" * (REQUEST_BYTES_MAX - 1)
    options = TextOptions(key_separator=b":", record_bytes_max=REQUEST_BYTES_MAX)
    result = encode_text(b"k:" + value + b"\nk:v\n", options, final=True, engine="kernel")

    assert (REQUEST_BYTES_MAX + 2, 1) == (result.consumed, result.line_count)
    assert value in result.payloads[0].frame
    assert kernel_text._thread.encoder is None

    result = encode_text(b"k:x" + value, options, final=True, engine="kernel")

    assert [BadLine(0, REQUEST_BYTES_MAX + 1, Problem.TOO_LARGE)] == result.bad


@pytest.mark.parametrize("partitioner", Partitioner)
def test_keys_of_every_length_find_their_partition(partitioner):
    """Hashes take keys in words; every rest of a word is met."""
    block = b"".join(bytes(range(65, 65 + n)) + b":v\n" for n in range(50))

    both(block, TextOptions(key_separator=b":", partition_count=1000, partitioner=partitioner))


def test_options_may_change_from_call_to_call():
    """What one call was told has no effect on the next."""
    block = b"a=1\nb=2\n\n"
    for options in (
        TextOptions(key_separator=b"=", partition_count=2),
        TextOptions(headers=((b"h", b"v"), (b"h", None)), null_value=b""),
        TextOptions(key=b"k", partition=3, partition_count=4),
        TextOptions(delimiter=b"="),
    ):
        both(block, options, round_robin=1)


# --------------------------------------------------------------------------- runs


def load(flat):
    return load_run(flat, engine="kernel")


def render_all(run, program, start, end, step=None):
    """Render a range as callers do: on from `next_offset` until it is done."""
    parts, count = [], 0
    until = min(end, run.next_offset)
    while start < until:
        rendered = run.render(program, partition=7, start=start, end=end, record_count_max=step)
        assert rendered.next_offset > start
        parts.append(bytes(rendered.data))
        count += rendered.record_count
        start = rendered.next_offset
    return b"".join(parts), count


def outcome(act, error=Corruption):
    """Return what comes of a call: its result, or what its error says."""
    try:
        return act()
    except error as exc:
        return str(exc)


def read_all(flat, engine):
    """Return all a run's records and text, or the error; and the text before that."""
    run = load_run(flat, engine=engine)
    start, text = run.start_offset, b""
    try:
        while start < run.next_offset:
            rendered = run.render(
                ENVELOPE, partition=0, start=start, end=run.next_offset, record_count_max=None
            )
            text += bytes(rendered.data)
            start = rendered.next_offset
    except Corruption as exc:
        return str(exc), text
    return list(run.records()), text


@given(batch_lists, st.lists(codecs, min_size=1, max_size=3), timestamp_types, st.data())
def test_a_run_reads_as_the_reference_does(batches, compressions, timestamp_type, data):
    """Invariants: bounds and records of a kernel's run are those of Python's.

    - The buffers may go after loading.
    - Ranges may begin and end anywhere.
    """
    base_offset = data.draw(st.sampled_from([0, 5, 2**40]))
    flat = flat_run(batches, base_offset, compressions, timestamp_type)
    buffers = [bytearray(part) for part in flat]
    found, expected = load([memoryview(part) for part in buffers]), load_run(flat, engine="python")
    for part in buffers:
        part[:] = bytes(len(part))
    low = data.draw(st.integers(base_offset, expected.next_offset + 1))
    high = data.draw(st.integers(low, expected.next_offset + 1))

    assert (expected.start_offset, expected.next_offset) == (found.start_offset, found.next_offset)
    assert list(expected.records(low, high)) == list(found.records(low, high))


@given(
    batch_lists,
    st.lists(codecs, min_size=1, max_size=3),
    timestamp_types,
    programs,
    st.sampled_from([None, 1, 3]),
    st.data(),
)
def test_a_run_renders_as_the_reference_does(
    batches, compressions, timestamp_type, program, step, data
):
    """Invariants: the text of any range is the reference's, however many records a call may write.

    - Offsets grow by a digit anywhere; timestamps are any; batches are compressed or not.
    """
    base_offset = data.draw(st.sampled_from([0, 7, 97, 9_998, 2**63 - 1_000]))
    flat = flat_run(batches, base_offset, compressions, timestamp_type)
    found, expected = load(flat), load_run(flat, engine="python")
    low = data.draw(st.integers(max(0, base_offset - 1), expected.next_offset + 1))
    high = data.draw(st.integers(low, expected.next_offset + 1))

    assert render_all(expected, program, low, high) == render_all(found, program, low, high, step)


def test_a_program_that_writes_nothing_ends():
    """Progress is counted in records: also where batches have to be unpacked again and again."""
    batches = [[Record(b"v" * 300_000), Record(b"w")] for _ in range(12)]
    run = load(flat_run(batches, 0, [Codec.ZSTD]))

    assert (b"", 24) == render_all(run, (), 0, 24)
    assert (b"", 24) == render_all(run, (Instruction(Op.HEADERS_JSON),), 0, 24)


@given(int64s)
def test_times_are_written_as_the_reference_does(timestamp_ms):
    """Invariants: every 64-bit time has one text, whether the calendar knows it or not."""
    program = tuple(
        Instruction(op) for op in (Op.TIME, Op.TIMESTAMP_MS, Op.TIMESTAMP_JSON, Op.TIME)
    )
    record = Record(b"v", timestamp_ms=timestamp_ms)

    assert render(program, record, 0) == render_all(load(stored([record])), program, 0, 1)[0]


@given(
    st.integers(0, 70), st.sampled_from(["ä", "€", "𝄞", '"', "\\", "\x1f", "\x7f"]), st.booleans()
)
def test_json_is_escaped_at_every_place(before, odd, is_cut):
    """Invariants: what is odd in a text is found wherever it stands among plain bytes.

    - Text that ends within a character is not text.
    """
    value = b"x" * before + odd.encode() + b"y" * 40 + odd.encode()
    value = value[:-1] if is_cut else value
    record = Record(value)
    program = (Instruction(Op.VALUE, Encoding.JSON), Instruction(Op.VALUE, Encoding.HEX))

    assert render(program, record, 0) == render_all(load(stored([record])), program, 0, 1)[0]


utf8_edges = st.sampled_from(b'a"\x7f\x80\x8f\x90\x9f\xa0\xbf\xc1\xc2\xdf\xe0\xed\xef\xf0\xf4\xf5')


@given(st.lists(utf8_edges, max_size=12).map(bytes), st.integers(0, 40))
def test_text_is_told_from_other_bytes(odd, before):
    """Invariants: the kernel takes for UTF-8 what Python does: in values, keys, header names."""
    data = b"x" * before + odd
    is_text = outcome(lambda: data.decode() is not None, UnicodeDecodeError)
    key, frame = stored([Record(data, data, ((b"n" * len(data), data),))])
    record = Record(data, data, ((b"n" * len(data), data),))

    assert render_all(load([key, frame]), ENVELOPE, 0, 1)[0] == render(ENVELOPE, record, 0)
    inside = frame[codec.FRAME_HEADER_BYTES :].replace(b"n" * len(data), data) if data else b""
    if data:
        flat = [key, with_records(frame, inside)]
        named = outcome(lambda: render_all(load(flat), VALUES, 0, 1))
        assert (is_text is True) == isinstance(named, tuple)


def many_records(count, size=100):
    return [
        Record(b"%d" % n + b"v" * (n % size), b"k%d" % n, (), 1_700_000_000_000 + n % 3)
        for n in range(count)
    ]


@pytest.mark.parametrize("compression", Codec)
def test_a_long_run_renders_in_pieces(compression):
    """Output and unpacked records come in pieces that fit the room; none is lost or doubled."""
    records = many_records(30_000)
    batches = [records[at : at + 3_000] for at in range(0, len(records), 3_000)]
    flat = flat_run(batches, 0, [compression])
    run, expected = load(flat), load_run(flat, engine="python")
    rendered = run.render(ENVELOPE, partition=0, start=0, end=30_000, record_count_max=None)

    assert rendered.next_offset < 30_000
    assert render_all(expected, ENVELOPE, 10, 29_999) == render_all(run, ENVELOPE, 10, 29_999)
    assert render_all(expected, VALUES, 0, 30_000, 7_001) == render_all(
        run, VALUES, 0, 30_000, 7_001
    )


def test_thousands_of_small_batches_are_one_run():
    """A batch a record: what slow input leaves behind."""
    flat = flat_run([[record] for record in many_records(5_000)], 95)
    run, expected = load(flat), load_run(flat, engine="python")

    assert render_all(expected, ENVELOPE, 0, 6_000) == render_all(run, ENVELOPE, 0, 6_000)


@pytest.mark.parametrize("encoding", Encoding)
def test_the_largest_record_is_rendered(encoding):
    """One that needs more room than all output gets it, and takes it along when it goes."""
    value = b"\1" * (REQUEST_BYTES_MAX - 10) + b"the end"
    records = [Record(b"a"), Record(value), Record(b"z")]
    program = (Instruction(Op.VALUE, encoding), Instruction(Op.LITERAL, literal=b"\n"))
    run = load(stored(records))
    text, count = render_all(run, program, 0, 3)

    assert b"".join(render(program, record, 0) for record in records) == text
    assert 3 == count
    del run
    load(stored([Record(b"small")]))
    assert kernel_runs.KEEP_BYTES_MAX >= sum(
        runner.instance.memory_bytes for runner in kernel_runs._thread._runners
    )


def test_any_number_of_runs_may_be_alive():
    """Runs that lost their place in the kernel come back when they are used."""
    runs = [load(stored([Record(b"%d" % n, timestamp_ms=n)], n)) for n in range(10)]
    for _ in range(2):
        for n, run in enumerate(runs):
            assert b"%d\n" % n == render_all(run, VALUES, n, n + 1)[0]
        assert list(range(10)) == [record.timestamp_ms for run in runs for record in run.records()]


# --------------------------------------------------------------------------- damage


@given(batch_lists, codecs, st.data())
def test_flipped_bytes_give_the_references_error(batches, compression, data):
    """Invariants: damage is the same Corruption as in Python, wherever it is.

    - But for the partition id of all: the key alone has it.
    """
    flat = flat_run([*batches, [Record(b"end")]], 40, [compression])
    place = data.draw(st.integers(0, len(flat) - 1))
    at = data.draw(st.integers(0, len(flat[place]) - 1))
    changed = bytearray(flat[place])
    changed[at] ^= data.draw(st.sampled_from([1, 0x10, 0x80, 0xFF]))
    flat[place] = bytes(changed)
    expected = outcome(lambda: read_all(flat, "python"))

    assert expected == outcome(lambda: read_all(flat, "kernel"))
    assert isinstance(expected, str)


@given(record_lists(max_size=3), st.data())
def test_hostile_records_give_the_references_error(records, data):
    """Invariants: with checksums that hold, the kernel takes and refuses what Python does.

    - What comes before the damaged batch is given first.
    """
    flat = flat_run([[Record(b"before")], records, [Record(b"after")]], 40)
    inside = bytearray(flat[3][codec.FRAME_HEADER_BYTES :])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(inside) - 1))
        kind = data.draw(st.sampled_from(["set", "insert", "delete"]))
        byte = data.draw(st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF]) | st.integers(0, 255))
        if kind == "set":
            inside[at] = byte
        elif kind == "insert":
            inside.insert(at, byte)
        elif len(inside) > 1:
            del inside[at]
    flat[3] = with_records(flat[3], bytes(inside))

    assert outcome(lambda: read_all(flat, "python")) == outcome(lambda: read_all(flat, "kernel"))


def test_records_behind_damage_can_be_read():
    """A damaged batch is an error each time; those before and after it stay readable."""
    flat = flat_run([[Record(b"a")], [Record(b"b")], [Record(b"c")]], 40)
    flat[3] = with_records(flat[3], b"\x0c\1\0\0\1\1\0")
    run = load(flat)
    for _ in range(2):
        assert (b"a\n", 1) == render_all(run, VALUES, 40, 41)
        with pytest.raises(Corruption, match="partition id 3, offset 41"):
            render_all(run, VALUES, 41, 43)
        assert (b"c\n", 1) == render_all(run, VALUES, 42, 43)


@given(record_lists(max_size=2), st.integers(0, 80), st.integers(0, 255))
def test_hostile_headers_give_the_references_error(records, at, byte):
    """Invariants: with checksums that hold, any header is taken or refused as in Python."""
    key, frame = stored(records, 40)
    changed = bytearray(frame)
    changed[at] = byte
    flat = [key, with_right_crcs(bytes(changed))]

    assert outcome(lambda: read_all(flat, "python")) == outcome(lambda: read_all(flat, "kernel"))


@pytest.mark.parametrize("size", [10, 5_000, 20_000])
def test_every_flip_of_a_frame_is_found(size):
    """Long frames have their checksum checked by Python, short ones by the kernel."""
    key, frame = stored([Record(b"v" * size, b"key", ((b"h", None),), 1_700_000_000_000)], 7)
    tried = 0
    for at, damaged in flips(frame, masks=(0x10,)):
        if 200 < at < size and at % 97:
            continue
        with pytest.raises(Corruption, match="partition id 3, offset 7"):
            load([key, damaged])
        tried += 1

    assert tried >= 100


@pytest.mark.parametrize("cut", [0, 1, 80, 81, 100])
def test_cut_frames_are_found(cut):
    """A frame that lost its end is damaged, whatever stands behind it."""
    flat = flat_run([[Record(b"a" * 50)], [Record(b"b" * 50)]], 40)
    for place in (1, 3):
        changed = [*flat]
        changed[place] = flat[place][:cut]
        expected = outcome(lambda flat=changed: read_all(flat, "python"))

        assert isinstance(expected, str)
        assert expected == outcome(lambda flat=changed: read_all(flat, "kernel"))


def test_keys_of_other_lengths_are_found():
    """A key with a byte too many or too few does not shift what is behind it into place."""
    flat = flat_run([[Record(b"a")], [Record(b"b")]], 0)
    for place in (0, 2):
        for key in (flat[place][:-1], flat[place] + b"\0", b""):
            changed = [*flat]
            changed[place] = key
            with pytest.raises(Corruption):
                load(changed)


def test_counts_without_end_take_no_time():
    """A record count or header count of billions ends with the bytes."""
    key, frame = stored([Record(b"v")])
    header_count = with_records(frame, b"\x14\0\0\0\1\1\xfe\xff\xff\xff\x0f")
    with pytest.raises(Corruption):
        render_all(load([key, header_count]), VALUES, 0, 1)
    record_count = bytearray(frame)
    record_count[43:47] = (2**31 - 2).to_bytes(4, "big")
    record_count[77:81] = (2**31 - 1).to_bytes(4, "big")
    with pytest.raises(Corruption):
        render_all(load([key, with_right_crcs(bytes(record_count))]), VALUES, 0, 1)


# --------------------------------------------------------------------------- merging


@given(batch_lists, codecs, timestamp_types, st.integers(0, 2**62))
def test_batches_are_merged_as_the_reference_does(batches, compression, type_, base_offset):
    """Invariants: the merged frame is the reference's, or both give None."""
    flat = flat_run(batches, base_offset, [compression], type_)

    assert codec.merge_entries(flat, engine="python") == kernel.merge_entries(flat)


@given(int64s, int64s)
def test_times_are_merged_as_the_reference_does(first_ms, second_ms):
    """Invariants: deltas of any size come out in their shortest form, too large ones as None."""
    flat = flat_run([[Record(b"a", timestamp_ms=first_ms)], [Record(b"b", timestamp_ms=second_ms)]])

    assert codec.merge_entries(flat, engine="python") == kernel.merge_entries(flat)


def test_merging_keeps_the_limit():
    """Exactly the largest batch is merged; a byte more, and all stays as it is."""
    first = Record(b"x" * 500_000)
    size = len(codec.encode_frame([first, Record(b"y" * 499_000)])) - codec.PREFIX_BYTES
    room = BATCH_BYTES_MAX - size + 499_000
    fits = kernel.merge_entries(flat_run([[first], [Record(b"y" * room)]]))

    assert fits is not None
    assert BATCH_BYTES_MAX == len(fits) - codec.PREFIX_BYTES
    assert kernel.merge_entries(flat_run([[first], [Record(b"y" * (room + 1))]])) is None


def test_a_thousand_batches_are_merged():
    """What the log merges at once, equal to the reference."""
    flat = flat_run([[record] for record in many_records(1_000)], 5)

    assert codec.merge_entries(flat, engine="python") == kernel.merge_entries(flat)


def test_damage_is_found_while_merging():
    """A damaged batch is never merged into a good one."""
    flat = flat_run([[Record(b"a")], [Record(b"b")]], 40)
    hostile = [*flat[:3], with_records(flat[3], b"\x0c\1\0\0\1\1\0")]
    flipped = [*flat[:3], flat[3][:-1] + b"\1"]
    for changed in (hostile, flipped, [*flat[:2], *stored([Record(b"b")], 50)]):
        with pytest.raises(Corruption):
            kernel.merge_entries(changed)


# --------------------------------------------------------------------------- threads


def in_threads(act, count=4):
    """Run `act(number)` in threads at once; raise what one of them raised."""
    errors = []

    def guarded(number):
        try:
            act(number)
        except BaseException as exc:  # noqa: BLE001  # it is raised again below
            errors.append(exc)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error


def test_threads_do_not_meet():
    """Each thread has kernels of its own: text, runs and merges at once, all right."""
    kernel.new_instance()

    def act(number):
        records = [Record(b"%d-%d" % (number, n) * 20) for n in range(300)]
        flat = flat_run([records, records])
        lines = b"".join(record.value + b"\n" for record in records)
        expected = codec.encode_frame(records + records)
        for _ in range(10):
            run = load(flat)
            result = encode_text(lines, TextOptions(), final=True, engine="kernel")
            assert (lines + lines, 600) == render_all(run, VALUES, 0, 600)
            assert 300 == result.payloads[0].record_count
            assert expected == kernel.merge_entries(flat)

    in_threads(act)


def test_runs_go_from_thread_to_thread():
    """A run loaded in one thread is used in others, while the first loads more."""
    runs = [load(stored([Record(b"%d" % n)], n)) for n in range(8)]

    def act(number):
        for n in range(number, 8, 4):
            load(stored([Record(b"other")]))
            assert b"%d\n" % n == render_all(runs[n], VALUES, n, n + 1)[0]

    in_threads(act)
    for n, run in enumerate(runs):
        assert b"%d\n" % n == render_all(run, VALUES, n, n + 1)[0]


def test_text_outlives_its_run():
    """Rendered text stays what it is while somebody holds it, also when its thread has ended."""
    held = []

    def act(number):
        run = load(stored([Record(b"%d" % number * 1000)]))
        held.append(
            (number, run.render(VALUES, partition=0, start=0, end=1, record_count_max=None))
        )

    in_threads(act)
    gc.collect()
    for number, rendered in held:
        assert b"%d" % number * 1000 + b"\n" == bytes(rendered.data)
