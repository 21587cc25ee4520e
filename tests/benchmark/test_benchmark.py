"""The parts of the benchmark that need no processes: sums, input, the feeder."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.benchmark import beside, consume, feeder, machine
from dataflare_cli.benchmark.lines import make_lines, write_lines
from dataflare_cli.benchmark.produce import Plan, fill
from dataflare_cli.benchmark.report import Load, percentile, summarise
from dataflare_cli.benchmark.workplace import TOPIC, workplace
from dataflare_cli.errors import DataError


@pytest.fixture
def place(tmp_path):
    """A workplace that says nothing."""
    with workplace(tmp_path, dict(os.environ), lambda _text: None) as made:
        yield made


@given(st.lists(st.floats(0, 1e9), min_size=1), st.floats(0.01, 1))
def test_percentiles(samples, share):
    """Invariants: a percentile is a sample; at least that share of all is not above it."""
    found = percentile(sorted(samples), share)

    assert found in samples
    assert sum(each <= found for each in samples) >= share * len(samples) * (1 - 1e-9)


def test_a_figure_compares_medians():
    """Rates are of the best and the median sample, ratio and difference of the medians."""
    plain = summarise("plain", "s", [1.0])
    figure = summarise("ours", "s", [4.0, 2.0, 3.0], load=Load(12, 1200), beside=plain)

    assert (2.0, 3.0, 4.0) == (figure.best, figure.p50, figure.max)
    assert (6.0, 4.0, 400.0) == (
        figure.records_per_s_best,
        figure.records_per_s,
        figure.bytes_per_s,
    )
    assert ("plain", 3.0, 2.0) == (figure.beside, figure.ratio, figure.difference)


def test_no_time_has_no_rate():
    """Start-up, taken off, may leave nothing."""
    assert summarise("ours", "s", [0.0], load=Load(1, 1)).records_per_s is None


@pytest.mark.parametrize("size", [64, 100, 5000])
def test_lines_are_json_of_about_the_size(size):
    """They differ from each other, and are the same every time."""
    lines = make_lines(500, size)

    assert lines == make_lines(500, size)
    assert 500 == len(set(lines))
    assert 0.9 * size < sum(map(len, lines)) / 500 < 1.1 * size
    assert all(json.loads(line)["id"] == number for number, line in enumerate(lines))


def test_keys_stand_before_a_separator():
    """The first separator of a line ends its key."""
    assert all(line[:5] == b"user-" and line[10:11] == b":" for line in make_lines(9, 100, ":"))


def test_the_input_repeats_a_block(tmp_path):
    """Any number of lines is written, and what was is told."""
    load = write_lines(tmp_path / "input", 50_001, 100)
    lines = (tmp_path / "input").read_bytes().splitlines(keepends=True)

    assert Load(50_001, sum(map(len, lines))) == load
    assert 50_001 == len(lines)
    assert lines[0] == lines[20_000] != lines[1]


def test_the_machine_is_described(tmp_path):
    """Nothing is left empty."""
    assert all(machine.describe_machine(tmp_path).values())
    assert all(machine.describe_versions().values())


def test_a_feeder_notes_every_commit(place):
    """The log tells which records each commit had, in order, and when."""
    with place.data_dir() as data_dir:
        path = place.path / "log"
        path.write_bytes(feeder.feed(data_dir, TOPIC, 2000, 0.05, 64))
        commits = feeder.read_log(path)

    assert 100 == commits[-1].next_number
    numbers = [0, *(commit.next_number for commit in commits)]
    assert sorted(set(numbers)) == numbers
    times = [time for commit in commits for time in (commit.called_ns, commit.returned_ns)]
    assert sorted(times) == times


def test_what_is_consumed_is_looked_at(place):
    """Figures of a program that prints something else would be worth nothing."""
    source, other = place.path / "input", place.path / "other"
    load = write_lines(source, 50, 64)
    write_lines(other, 50, 65)
    text = consume.Format("-O", "text")
    with place.data_dir() as data_dir:
        fill(place, Plan(records=50, record_bytes=64, samples=1), data_dir, source, record_count=50)
        consume.check(place, data_dir, text, load, source)
        with pytest.raises(DataError, match="printed other bytes"):
            consume.check(place, data_dir, text, load, other)
        with pytest.raises(DataError, match="printed 50 lines for 51 records"):
            consume.check(place, data_dir, text, Load(51, 0), None)


def test_what_is_stored_is_counted(place):
    """A produce that stores fewer records is no figure."""
    source = place.path / "input"
    write_lines(source, 50, 64)
    plan = Plan(records=51, record_bytes=64, samples=1)
    with place.data_dir() as data_dir, pytest.raises(DataError, match="stored 50 records of 51"):
        fill(place, plan, data_dir, source, record_count=51)


def test_a_failing_process_fails_the_benchmark(place):
    """Its words, its exit code and its stderr are told."""
    with pytest.raises(DataError, match="ended with 1") as caught:
        place.run(["cat", place.path / "nothing"])

    assert "nothing" in (caught.value.hint or "")


def test_plain_tools_leave_nothing(place):
    """Copies are gone when they have been timed."""
    source = place.path / "input"
    write_lines(source, 10, 64)
    before = sorted(place.path.iterdir())

    assert beside.copy_s(place, source) > 0
    assert beside.cat_s(place, source) > 0
    assert 3 == len(beside.write_each_s(place, [b"a", b"b", b"c"]))
    assert before == sorted(place.path.iterdir())


def test_settings_of_the_user_play_no_part(tmp_path):
    """Neither variables nor files change what is measured."""
    environ = {"DATAFLARE_DURABILITY": "relaxed", "HOME": "/h"}
    with workplace(tmp_path, environ, lambda _text: None) as made:
        assert not (made.path / "none.toml").exists()
        assert {"DATAFLARE_CONFIG"} == {
            name for name in made.environ if name.startswith("DATAFLARE_")
        }
        assert "/h" == made.environ["HOME"]
