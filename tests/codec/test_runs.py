"""Runs: neighbouring batches read as one, and what is no run."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import flat_run, flips, log_key, read_back, stored, with_records
from strategies import codecs, programs, record_lists

from dataflare_cli.codec import kernel
from dataflare_cli.codec.program import Instruction, Op, render
from dataflare_cli.codec.runs import load_run
from dataflare_cli.errors import Corruption
from dataflare_cli.model import MIB, Codec, Record, TimestampType

VALUES = (Instruction(Op.VALUE), Instruction(Op.LITERAL, literal=b"\n"))
batch_lists = st.lists(record_lists(max_size=4), min_size=1, max_size=5)


def load(flat):
    return load_run(flat, engine="python")


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


@given(batch_lists, st.lists(codecs, min_size=1, max_size=3), st.integers(0, 2**62), st.data())
def test_a_run_reads_as_one(batches, compressions, base_offset, data):
    """Invariants: records of a range are those of the list that was stored.

    - Batches and their compression don't show; ranges may begin and end anywhere.
    - The buffers may go after loading.
    """
    flat = [bytearray(part) for part in flat_run(batches, base_offset, compressions)]
    run = load([memoryview(part) for part in flat])
    for part in flat:
        part[:] = bytes(len(part))
    expected = read_back([record for batch in batches for record in batch], base_offset)
    low = data.draw(st.integers(max(0, base_offset - 2), base_offset + len(expected) + 2))
    high = data.draw(st.integers(low, base_offset + len(expected) + 2))

    assert (base_offset, base_offset + len(expected)) == (run.start_offset, run.next_offset)
    assert expected == list(run.records())
    assert [each for each in expected if low <= each.offset < high] == list(run.records(low, high))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("engine", ["python", "kernel"])
def test_records_one_by_one(engine):
    """Do not take the time of their batch for each."""
    records = [Record(b"%d" % number, timestamp_ms=0) for number in range(20_000)]
    run = load_run(flat_run([records]), engine=engine)
    found = [next(run.records(offset, offset + 1)).value for offset in range(20_000)]

    assert [record.value for record in records] == found


@given(batch_lists, programs, st.sampled_from([None, 1, 3]), st.data())
def test_a_run_renders_as_its_records_do(batches, program, step, data):
    """Invariants: rendering is `program.render` of each record of the range.

    - However many records a call may write, and wherever the range lies.
    """
    run = load(flat_run(batches, 10, [Codec.NONE, Codec.ZSTD]))
    expected = read_back([record for batch in batches for record in batch], 10)
    low = data.draw(st.integers(8, 12 + len(expected)))
    high = data.draw(st.integers(low, 12 + len(expected)))
    chosen = [each for each in expected if low <= each.offset < high]

    assert (
        b"".join(render(program, record, 7) for record in chosen),
        len(chosen),
    ) == render_all(run, program, low, high, step)


def test_append_time_is_every_records():
    """Records of an append-time batch have the batch's time."""
    batch = [Record(b"a", timestamp_ms=5), Record(b"b", timestamp_ms=3)]
    run = load(flat_run([batch, batch], 0, [Codec.GZIP], TimestampType.APPEND))

    assert [(5, TimestampType.APPEND)] * 4 == [
        (record.timestamp_ms, record.timestamp_type) for record in run.records()
    ]


def test_rendering_stops_when_it_is_full():
    """Output comes in pieces of some MiB; a record that is larger comes alone."""
    values = [b"x" * (3 * MIB), b"y" * (3 * MIB), b"z" * (9 * MIB), b"end"]
    run = load(flat_run([[Record(value)] for value in values]))
    first = run.render(VALUES, partition=0, start=0, end=4, record_count_max=None)

    assert first.next_offset < 4
    assert (b"\n".join([*values, b""]), 4) == render_all(run, VALUES, 0, 4)


def test_an_empty_range_renders_nothing():
    """Nothing is written, and the caller is told to go on at the end."""
    run = load(flat_run([[Record(b"a")], [Record(b"b")]], 5))
    rendered = run.render(VALUES, partition=0, start=6, end=6, record_count_max=None)

    assert (b"", 0, 6) == (bytes(rendered.data), rendered.record_count, rendered.next_offset)


def test_gaps_and_overlaps_are_corruption():
    """Each batch begins where the one before it ends."""
    batch = [Record(b"a"), Record(b"b")]
    for second in (0, 1, 3, 100):
        with pytest.raises(Corruption, match=f"offset {second}"):
            load([*stored(batch, 0), *stored(batch, second)])


def test_a_run_is_of_one_partition():
    """A batch of another partition does not belong to a run."""
    _, frame = stored([Record(b"b")], 1)
    with pytest.raises(Corruption, match="partition id 4"):
        load([*stored([Record(b"a")], 0), log_key(1, partition_id=4), frame])


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_damaged_frame_is_found_when_it_is_loaded(place):
    """Wherever it is, the error names its partition and its offset."""
    flat = flat_run([[Record(b"a")], [Record(b"b")], [Record(b"c")]], 40)
    for at, damaged in flips(flat[2 * place + 1], masks=(0x10,)):
        changed = [*flat]
        changed[2 * place + 1] = damaged
        with pytest.raises(Corruption, match=f"partition id 3, offset {40 + place}"):
            load(changed)
        assert at < len(damaged)


def with_hostile_batch(flat, number):
    """Put records that don't decode behind good checksums."""
    changed = [*flat]
    changed[2 * number + 1] = with_records(flat[2 * number + 1], b"\x0c\1\0\0\1\1\0")
    return changed


def test_damage_inside_a_batch_comes_after_what_is_before_it():
    """Records before a damaged batch are given, then the error; none of the batch itself."""
    flat = flat_run([[Record(b"a")], [Record(b"b")], [Record(b"c")]], 40)
    run = load(with_hostile_batch(flat, 1))
    records = run.records()

    assert b"a" == next(records).value
    with pytest.raises(Corruption, match="offset 41"):
        next(records)
    assert [b"c"] == [record.value for record in run.records(42)]


def test_rendering_gives_what_is_before_the_damage():
    """A call ends before a damaged batch; the next one, which begins with it, is the error."""
    flat = flat_run([[Record(b"a")], [Record(b"b")], [Record(b"c")]], 40)
    run = load(with_hostile_batch(flat, 1))
    rendered = run.render(VALUES, partition=0, start=40, end=43, record_count_max=None)

    assert (b"a\n", 1, 41) == (bytes(rendered.data), rendered.record_count, rendered.next_offset)
    with pytest.raises(Corruption, match="offset 41"):
        run.render(VALUES, partition=0, start=41, end=43, record_count_max=None)


def test_small_runs_do_not_load_the_kernel(monkeypatch):
    """Without a kernel, `auto` is Python for a few batches."""
    monkeypatch.setattr(kernel, "_loaded", threading.Event())
    flat = flat_run([[Record(b"a")]])

    assert type(load(flat)) is type(load_run(flat))
