"""`dataflare partition`: what each partition holds."""

from pathlib import Path

import pytest

from tests.harness import run

T0 = 1_700_000_000_000


@pytest.fixture
def stored(data_dir: Path) -> None:
    """Topics `a` of eleven partitions and `b` of one, with some records."""
    run("topic", "create", "a", "-p", "11", "--retention-time", "none")
    run("topic", "create", "b")
    for number, partition in enumerate(("0", "0", "10")):
        moment = str(T0 + number * 1000)
        run("produce", "a", "-p", partition, "--timestamp", moment, stdin=b"x\n")
    run("topic", "purge", "a", "-p", "0", "--before", "1", "--yes")


@pytest.mark.usefixtures("stored")
def test_list_is_sorted_by_number():
    """Not by text, as Fluvio's is: 10 comes after 9."""
    rows = run("partition", "list", "-O", "json").json

    assert [*(("a", number) for number in range(11)), ("b", 0)] == [
        (row["topic"], row["partition"]) for row in rows
    ]


@pytest.mark.usefixtures("stored")
def test_list_shows_offsets_and_times():
    """Of one topic, or of all; a time that there is none of is NA."""
    lines = run("partition", "list", "a").lines

    columns = ["TOPIC", "PARTITION", "START", "END", "RECORDS", "SIZE", "FIRST", "LAST"]
    assert columns == lines[0].split()
    moments = ["2023-11-14T22:13:21.000Z"] * 2
    assert ["a", "0", "1", "2", "1", "89", "B", *moments] == lines[1].split()
    assert ["a", "9", "0", "0", "0", "0", "B", "NA", "NA"] == lines[10].split()
    assert 12 == len(lines)
    assert 13 == len(run("partition", "list").lines)


@pytest.mark.usefixtures("stored")
def test_fluvios_columns():
    """Twelve cells under twelve headers."""
    header, row, *_ = run("partition", "list", "a", "--fluvio").lines

    assert (
        "TOPIC PARTITION LEADER MIRROR REPLICAS RESOLUTION SIZE BASE HW LEO LRS FOLLOWER OFFSETS"
    ) == " ".join(header.split())
    assert ["a", "0", "0", "[]", "Online", "89", "B", "1", "2", "2", "0", "[]"] == row.split()
    assert row.index("Online") == header.index("RESOLUTION")


@pytest.mark.usefixtures("stored")
def test_list_as_json():
    """The fields that scripts find, Fluvio's `name`, `spec` and `status` among them."""
    row = run("partition", "list", "a", "-O", "json").json[0]

    assert {
        "topic": "a",
        "partition": 0,
        "start_offset": 1,
        "end_offset": 2,
        "record_count": 1,
        "size_bytes": 89,
        "batch_count": 1,
        "first_timestamp_ms": T0 + 1000,
        "last_timestamp_ms": T0 + 1000,
        "name": "a-0",
        "spec": {"leader": 0, "replicas": [0], "mirror": None, "system": False},
        "status": {
            "resolution": "Online",
            "leader": {"spu": 0, "hw": 2, "leo": 2},
            "lsr": 0,
            "replicas": [],
            "size": 89,
            "baseOffset": 1,
            "isBeingDeleted": False,
        },
    } == row
    empty = run("partition", "list", "b", "-O", "json").json[0]
    assert (None, None) == (empty["first_timestamp_ms"], empty["last_timestamp_ms"])


@pytest.mark.usefixtures("stored")
def test_there_are_no_system_topics():
    """-s is taken for Fluvio's scripts."""
    assert "No partitions found\n" == run("partition", "list", "-s").text


@pytest.mark.usefixtures("stored")
def test_an_unknown_topic():
    """Is not an empty list."""
    result = run("partition", "list", "c")

    assert (1, b"") == (result.code, result.stdout)
    assert result.stderr.startswith("error: Topic not found: c\n")


def test_without_a_data_directory(data_dir):
    """An empty list, and no topic; nothing is made."""
    assert (0, "No partitions found\n") == (
        run("partition", "list").code,
        run("partition", "list").text,
    )
    assert 1 == run("partition", "list", "t").code
    assert not data_dir.exists()


def test_a_noun_with_one_verb_has_one():
    """Without it, its help is shown as of any other."""
    result = run("partition")

    assert (2, b"") == (result.code, result.stdout)
    assert "list" in result.stderr
