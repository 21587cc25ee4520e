"""`dataflare consumer`: what named consumers have seen, and moving them."""

from pathlib import Path

import pytest

from dataflare_cli.store import HoldLock
from tests.harness import run

T0 = 1_700_000_000_000


@pytest.fixture
def stored(data_dir: Path) -> None:
    """A topic `n` of two partitions, 0 to 9 in the first, a minute apart; `reader` saw three."""
    run("topic", "create", "n", "-p", "2", "--retention-time", "none")
    for number in range(10):
        moment = str(T0 + number * 60_000)
        run("produce", "n", "-p", "0", "--timestamp", moment, stdin=b"%d\n" % number)
    read("reader", "-B", "-n", "3")


def read(consumer: str, *options: str) -> str:
    """Return the values that a consumer reads up to the end, without line ends."""
    result = run("consume", "n", "-p", "0", "-d", "-c", consumer, *options)
    assert 0 == result.code, result.stderr
    return result.text.replace("\n", "")


def offsets() -> list[tuple[str, str, int, int, int]]:
    return [
        (row["consumer_id"], row["topic"], row["partition"], row["offset"], row["lag"])
        for row in run("consumer", "list", "-O", "json").json
    ]


# ------------------------------------------------------------------ list and describe


@pytest.mark.usefixtures("stored")
def test_list_has_fluvios_columns():
    """The offset is that of the last record seen; the lag counts what is behind it."""
    header, row = run("consumer", "list").lines

    assert "CONSUMER TOPIC PARTITION OFFSET LAST SEEN LAG" == " ".join(header.split())
    assert ["reader", "n", "0", "2"] == row.split()[:4]
    assert row.split()[4].endswith("s")
    assert "7" == row.split()[-1]


@pytest.mark.usefixtures("stored")
def test_list_as_json():
    """Fluvio's fields, and the partition's bounds."""
    (row,) = run("consumer", "list", "-O", "json").json

    assert {
        "consumer_id": "reader",
        "topic": "n",
        "partition": 0,
        "offset": 2,
        "lag": 7,
        "start_offset": 0,
        "end_offset": 10,
    } == {key: value for key, value in row.items() if key != "modified_time"}
    # Seconds, as Fluvio has it.
    assert T0 // 1000 < row["modified_time"] < T0 // 10


@pytest.mark.usefixtures("stored")
def test_records_that_are_gone_are_no_lag():
    """A consumer goes on at what is kept."""
    run("topic", "purge", "n", "--before", "8", "--yes", "-p", "0")
    assert [("reader", "n", 0, 2, 2)] == offsets()
    run("topic", "purge", "n", "--yes")
    assert [("reader", "n", 0, 2, 0)] == offsets()


@pytest.mark.usefixtures("stored")
def test_describe():
    """As a whole, and each offset."""
    run("topic", "create", "m")
    run("consumer", "reset", "reader", "-t", "m", "-o", "end")
    lines = run("consumer", "describe", "reader").lines

    assert ["  Name:reader", "  Topics:m, n", "  Partitions:2", "  Lag:7"] == lines[:4]
    assert lines[4].startswith("  Last Seen:")
    assert "TOPIC PARTITION OFFSET START END LAST SEEN LAG" == " ".join(lines[6].split())
    assert ["m", "0", "-1", "0", "0"] == lines[7].split()[:5]
    found = run("consumer", "describe", "reader", "-O", "json").json
    assert ("reader", 7, [("m", -1), ("n", 2)]) == (
        found["consumer_id"],
        found["lag"],
        [(each["topic"], each["offset"]) for each in found["offsets"]],
    )
    assert run("consumer", "list", "-O", "json").json == found["offsets"]


# ----------------------------------------------------------------------------- reset


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("place", "at", "values"),
    [
        ("start", 0, "0123456789"),
        ("end", 10, ""),
        ("0", 0, "0123456789"),
        ("5", 5, "56789"),
        ("10", 10, ""),
        ("-2", 8, "89"),
        ("+1", 1, "123456789"),
        ("@1700000120000", 2, "23456789"),
        ("@2023-11-14T22:19:20Z", 6, "6789"),
        ("@now", 10, ""),
    ],
)
def test_reset_moves_the_next_run(place, at, values):
    """What is printed is where it goes on, also when nothing was seen before that."""
    dry = run("consumer", "reset", "reader", "-t", "n", "-p", "0", "-o", place, "--dry-run")
    assert [("reader", "n", 0, 2, 7)] == offsets()
    wet = run("consumer", "reset", "reader", "-t", "n", "-p", "0", "-o", place)

    where = 'consumer "reader" on topic "n" and partition "0"'
    assert [f"{where} would go on at {at} (was 3)", "nothing was done (--dry-run)"] == dry.lines
    assert [f"{where} goes on at {at} (was 3)"] == wet.lines
    assert [("reader", "n", 0, at - 1, 10 - at)] == offsets()
    assert values == read("reader")


@pytest.mark.usefixtures("stored")
def test_reset_is_of_all_partitions_and_makes_new_consumers():
    """An offset beyond a partition's end means its end; one before its start, its start."""
    run("topic", "purge", "n", "-p", "0", "--before", "4", "--yes")
    result = run("consumer", "reset", "new", "--topic", "n", "--offset", "3")

    assert [
        'consumer "new" on topic "n" and partition "0" goes on at 4 (new)',
        'consumer "new" on topic "n" and partition "1" goes on at 0 (new)',
    ] == result.lines
    run("produce", "n", "-p", "1", stdin=b"x\n")
    assert b"x\n" == run("consume", "n", "-p", "1", "-d", "-c", "new").stdout
    assert "456789" == read("new")


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("-t", "n"), 2, "Missing option '-o' / '--offset'"),
        (("-o", "start"), 2, "Missing option '-t' / '--topic'"),
        (("-t", "m", "-o", "start"), 1, "Topic not found: m"),
        (("-t", "n", "-p", "2", "-o", "start"), 1, "Partition not found: n-2"),
        (("-t", "n", "-o", "11"), 1, "offset 11 is beyond the end of n\n  dataflare partition"),
        (("-t", "n", "-o", "1:2"), 2, 'invalid offset "1:2": a place is wanted, not a range'),
        (("-t", "n", "-o", "soon"), 2, 'invalid offset "soon"'),
    ],
)
def test_reset_refuses(options, code, message):
    """And moves nothing."""
    result = run("consumer", "reset", "reader", *options)

    assert (code, b"") == (result.code, result.stdout)
    assert result.stderr.startswith(f"error: {message}")
    assert [("reader", "n", 0, 2, 7)] == offsets()


# ---------------------------------------------------------------------------- delete


@pytest.mark.usefixtures("stored")
def test_delete_forgets_all_or_a_part():
    """A line for each, in Fluvio's words; records stay."""
    run("topic", "create", "m")
    for topic in ("m", "n"):
        run("consumer", "reset", "c", "-t", topic, "-o", "start")

    line = 'consumer "c" on topic "{}" and partition "{}" {}'.format
    dry = run("consumer", "delete", "c", "-d")
    assert [
        *(line(*place, "would be deleted") for place in (("m", 0), ("n", 0), ("n", 1))),
        "nothing was done (--dry-run)",
    ] == dry.lines
    assert [line("n", 1, "deleted")] == run("consumer", "delete", "c", "-t", "n", "-p", "1").lines
    assert [line("n", 0, "deleted")] == run("consumer", "delete", "c", "--topic", "n").lines
    assert [line("m", 0, "deleted")] == run("consumer", "delete", "c").lines
    assert [("reader", "n", 0, 2, 7)] == offsets()


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("redaer",), 1, 'Consumer not found: redaer\n  did you mean "reader"?'),
        (("zzz",), 1, "Consumer not found: zzz\n  dataflare consumer list shows all consumers"),
        (("reader", "-t", "m"), 1, "Topic not found: m"),
        (
            ("reader", "-t", "n", "-p", "1"),
            1,
            "Consumer not found: reader\n  it has stored nothing",
        ),
        (("reader", "-p", "0"), 2, "--partition is of which topic?\n  add --topic TOPIC"),
        (("a/b",), 1, "Invalid argument: Invalid Consumer name 'a/b'"),
    ],
)
def test_delete_refuses(options, code, message):
    """And forgets nothing."""
    result = run("consumer", "delete", *options)

    assert (code, b"") == (result.code, result.stdout)
    assert result.stderr.startswith(f"error: {message}")
    assert [("reader", "n", 0, 2, 7)] == offsets()


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("words", [("delete",), ("reset", "-t", "n", "-o", "start")])
def test_a_consumer_in_use_is_left_alone(words, data_dir):
    """Its process would write its own offset over what was set; looking is fine."""
    verb, *options = words
    with HoldLock(data_dir / "holds" / "reader", what='consumer "reader"'):
        result = run("consumer", verb, "reader", *options)
        looked = run("consumer", verb, "reader", *options, "--dry-run")

    assert (3, b"") == (result.code, result.stdout)
    assert result.stderr.startswith('error: consumer "reader": in use by process ')
    assert 0 == looked.code
    assert [("reader", "n", 0, 2, 7)] == offsets()


# ------------------------------------------------------------------------------ none


def test_without_a_data_directory(data_dir):
    """An empty list, and no consumer; nothing is made."""
    assert "No consumers found\n" == run("consumer", "list").text
    for words in (("describe", "c"), ("delete", "c")):
        assert "error: Consumer not found: c\n" in run("consumer", *words).stderr
    result = run("consumer", "reset", "c", "-t", "t", "-o", "start")
    assert (1, f"error: Topic not found: t\n  nothing is stored in {data_dir} yet\n") == (
        result.code,
        result.stderr,
    )
    assert not data_dir.exists()


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("verb", ["describe", "delete"])
def test_an_unknown_consumer(verb):
    """Offers close names, as an object with -O json."""
    result = run("consumer", verb, "readr")

    assert (1, 'error: Consumer not found: readr\n  did you mean "reader"?\n') == (
        result.code,
        result.stderr,
    )
    error = run("consumer", "describe", "readr", "-O", "json").error
    assert ("consumer", ["reader"]) == (error["kind"], error["suggestions"])
