"""`dataflare produce`: what goes in is stored as it was, and what can't be is told."""

import json
from pathlib import Path

import pytest

from tests.harness import run

pytestmark = pytest.mark.usefixtures("data_dir")


def records(topic: str = "t", *options: str) -> list[dict[str, object]]:
    """Return a topic's records as envelopes, by partition and offset."""
    result = run("consume", topic, "-B", "-d", "-O", "records", *options)
    assert 0 == result.code, result.stderr
    found = [json.loads(line) for line in result.lines]
    return sorted(found, key=lambda each: (each["partition"], each["offset"]))


def values(topic: str = "t") -> list[object]:
    """Return a topic's values."""
    return [record["value"] for record in records(topic)]


def test_lines_become_records() -> None:
    """Every line is one, the empty one and the last without an end included; CR stays."""
    assert 0 == run("produce", "t", "--create", stdin=b"a\n\nb\r\nlast").code
    assert ["a", "", "b\r", "last"] == values()


def test_an_empty_input_stores_nothing() -> None:
    """No line is no record, and no error."""
    assert 0 == run("produce", "t", "--create", stdin=b"").code
    assert [] == values()


def test_bytes_are_bytes() -> None:
    """Invalid UTF-8 and NUL are stored as they are."""
    run("produce", "t", "--create", stdin=b"\xff\xfe\0x\n")
    assert b"\xff\xfe\0x\n" == run("consume", "t", "-B", "-d").stdout


def test_an_unknown_topic_is_not_made() -> None:
    """A typo does not become a topic; the close match and the next step are named."""
    run("topic", "create", "orders")
    result = run("produce", "order", stdin=b"a\n")

    assert 1 == result.code
    assert "Topic not found: order" in result.stderr
    assert '"orders"' in result.stderr


def test_keys_are_split_at_the_first_separator() -> None:
    """The rest of the line is the value, separators included."""
    run("produce", "t", "--create", "--key-separator", "::", stdin=b"k::v::w\n::e\nx::\n")
    assert [("k", "v::w"), ("", "e"), ("x", "")] == [
        (record["key"], record["value"]) for record in records()
    ]


def test_a_line_without_a_separator_is_told_by_number() -> None:
    """It is not stored, the others are, and the exit code is 5."""
    result = run("produce", "t", "--create", "--key-separator", ":", stdin=b"a:1\nbad\nb:2\n")

    assert 5 == result.code
    assert "stdin, line 2: no key separator" in result.stderr
    assert ["1", "2"] == values()


def test_many_bad_lines_are_counted() -> None:
    """Ten are shown, the rest is a number."""
    result = run("produce", "t", "--create", "--key-separator", ":", stdin=b"bad\n" * 1000)

    assert 5 == result.code
    assert "1000 of 1000 records were not stored" in result.stderr
    assert len(result.stderr.splitlines()) < 20


def test_keys_go_where_fluvio_puts_them() -> None:
    """SipHash vectors of Fluvio's own tests: 1 to 1, 2 to 2, 3 to 0 of three."""
    run("topic", "create", "t", "-p", "3")
    run("produce", "t", "--key-separator", ":", stdin=b"1:\n2:\n3:\n")
    assert {"1": 1, "2": 2, "3": 0} == {str(r["key"]): r["partition"] for r in records()}


def test_keys_go_where_kafka_puts_them() -> None:
    """murmur2 of the key, as the Java client has it."""
    run("topic", "create", "t", "-p", "12")
    run("produce", "t", "--key-separator", ":", "--partitioner", "murmur2", stdin=b"a:\n21:\nk1:\n")
    assert {"a": 4, "21": 0, "k1": 5} == {str(r["key"]): r["partition"] for r in records()}


def test_records_without_a_key_take_turns() -> None:
    """Round robin begins at 0."""
    run("topic", "create", "t", "-p", "3")
    run("produce", "t", stdin=b"a\nb\nc\nd\n")
    assert [("a", 0), ("d", 0), ("b", 1), ("c", 2)] == [
        (record["value"], record["partition"]) for record in records()
    ]


def test_headers_null_values_and_timestamps() -> None:
    """Headers keep order, duplicates, empty and null; a mark is a tombstone."""
    run(
        *("produce", "t", "--create", "--key", "k", "--null-value", "NULL"),
        *("--header", "a=1", "--header", "a=", "--header", "b", "--timestamp", "1700000000000"),
        stdin=b"NULL\nv\n",
    )
    first, second = records()

    assert [["a", "1"], ["a", ""], ["b", None]] == first["headers"] == second["headers"]
    assert (None, "v") == (first["value"], second["value"])
    assert 1_700_000_000_000 == first["timestamp"]
    assert "k" == first["key"]


@pytest.mark.parametrize(
    ("written", "data"),
    [("\\0", b"a\0b\0"), ("--", b"a--b--"), ("\\x1e", b"a\x1eb"), ("\\r\\n", b"a\r\nb\r\n")],
)
def test_any_delimiter(written: str, data: bytes) -> None:
    """Several bytes, NUL, hex."""
    assert 0 == run("produce", "t", "--create", "-D", written, stdin=data).code
    assert ["a", "b"] == values()


def test_raw_is_one_record(tmp_path: Path) -> None:
    """The whole input with its newlines; each file one record."""
    (tmp_path / "a").write_bytes(b"x\ny\n")
    (tmp_path / "b").write_bytes(b"")
    run("produce", "t", "--create", "--raw", "-f", tmp_path / "a", "-f", tmp_path / "b")
    assert ["x\ny\n", ""] == values()


def test_several_files_are_read_in_turn(tmp_path: Path) -> None:
    """A last line without an end does not run into the next file."""
    (tmp_path / "a").write_bytes(b"1\n2")
    (tmp_path / "b").write_bytes(b"3\n")
    run("produce", "t", "--create", "-f", tmp_path / "a", "-f", tmp_path / "b")
    assert ["1", "2", "3"] == values()


def test_a_record_too_large_stops() -> None:
    """Fluvio's message, the limit and the option; what came before is stored."""
    result = run("produce", "t", "--create", "--max-request-size", "10", stdin=b"ok\n" + b"x" * 11)

    assert 1 == result.code
    assert "record size (11 bytes), exceeded maximum request size (10 bytes)" in result.stderr
    assert "--max-request-size" in result.stderr
    assert ["ok"] == values()


def test_atomic_is_all_or_nothing() -> None:
    """One bad line, and nothing is stored."""
    result = run(
        "produce", "t", "--create", "--atomic", "--key-separator", ":", stdin=b"a:1\nbad\n"
    )

    assert 1 == result.code
    assert [] == values()
    assert 0 == run("produce", "t", "--atomic", "--key-separator", ":", stdin=b"a:1\nb:2\n").code
    assert ["1", "2"] == values()


def test_atomic_refuses_more_than_it_can(tmp_path: Path) -> None:
    """Above 64 MiB stored it says so, and nothing is stored."""
    path = tmp_path / "large"
    path.write_bytes((b"x" * 999 + b"\n") * 70_000)
    result = run("produce", "t", "--create", "--atomic", "-f", path)

    assert 1 == result.code
    assert "67108864" in result.stderr
    assert [] == values()


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_compression(codec: str) -> None:
    """What is compressed comes back."""
    assert 0 == run("produce", "t", "--create", "--compression", codec, stdin=b"abc\n" * 1000).code
    assert b"abc\n" * 1000 == run("consume", "t", "-B", "-d").stdout


def test_a_topics_compression_is_not_overruled() -> None:
    """Fluvio's message, on one line."""
    run("topic", "create", "t", "--compression-type", "snappy")
    result = run("produce", "t", "--compression", "lz4", stdin=b"a\n")

    assert 1 == result.code
    assert "(lz4) does not match with topic level compression (snappy)" in result.stderr


def test_the_report_says_what_was_written() -> None:
    """Offsets by partition, as JSON on stderr."""
    run("produce", "t", "--create", stdin=b"0\n")
    result = run("produce", "t", "--report", "json", stdin=b"a\nb\n")
    report = json.loads(result.stderr.splitlines()[-1])

    assert (2, 0, 4) == (report["records"], report["failed"], report["bytes_read"])
    expected = [{"partition": 0, "first_offset": 1, "last_offset": 2, "records": 2}]
    assert expected == report["partitions"]


def test_tee_passes_the_input_on() -> None:
    """Stdout gets the bytes as they came."""
    assert b"a\nb" == run("produce", "t", "--create", "--tee", stdin=b"a\nb").stdout


def test_verbose_prints_pairs() -> None:
    """Fluvio's `[key] value`."""
    result = run("produce", "t", "--create", "-v", "--key-separator", ":", stdin=b"a:1\nbad\n")
    assert b"[a] 1\n" == result.stdout


def test_a_rate_holds_back() -> None:
    """Five records at fifty a second take at least 80 ms."""
    result = run("produce", "t", "--create", "--rate", "50/s", "--report", "json", stdin=b"x\n" * 5)
    report = json.loads(result.stderr.splitlines()[-1])

    assert 5 == report["records"]
    assert report["seconds"] >= 0.075


def test_a_partition_that_is_not_there() -> None:
    """It is named, with those that are."""
    run("topic", "create", "t", "-p", "2")
    result = run("produce", "t", "-p", "2", stdin=b"a\n")

    assert 1 == result.code
    assert "t-2" in result.stderr
    assert "0 to 1" in result.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--key", "a", "--key-separator", ":"),
        ("--raw", "--key-separator", ":"),
        ("--key-separator", ""),
        ("-D", ""),
        ("-D", "\\q"),
        ("--input", "nonsense"),
        ("--partitioner", "crc"),
        ("--compression", "brotli"),
        ("--durability", "none"),
        ("--rate", "fast"),
        ("--linger", "soon"),
        ("--batch-size", "1"),
        ("--max-request-size", "1TB"),
        ("--timestamp", "when"),
        ("--atomic", "--tee"),
        ("--report", "yaml"),
        ("--header", "="),
    ],
)
def test_usage_errors(options: tuple[str, ...]) -> None:
    """Contradictions and nonsense end with 2 before anything is stored."""
    run("topic", "create", "t")
    result = run("produce", "t", *options, stdin=b"a\n")

    if options != ("--header", "="):
        assert 2 == result.code, result.stderr
    assert options == ("--header", "=") or [] == values()


def test_a_directory_as_input(tmp_path: Path) -> None:
    """It is refused by name."""
    result = run("produce", "t", "--create", "-f", tmp_path)

    assert 3 == result.code
    assert "is a directory" in result.stderr


def test_a_missing_file(tmp_path: Path) -> None:
    """It is refused by name."""
    result = run("produce", "t", "--create", "-f", tmp_path / "none")

    assert 3 == result.code
    assert "none: No such file" in result.stderr


def test_csv_and_json_array_inputs() -> None:
    """Importers are wired in; columns may be chosen."""
    run(
        *("produce", "t", "--create", "--input", "csv"),
        *("--key-column", "id", "--value-column", "name"),
        stdin=b"id,name\n1,ann\n2,bob\n",
    )
    run("produce", "t", "--input", "json-array", stdin=b'[{"a":1}, 2]')

    assert [("1", "ann"), ("2", "bob"), (None, '{"a":1}'), (None, "2")] == [
        (record["key"], record["value"]) for record in records()
    ]


def test_bad_records_are_told_by_line() -> None:
    """The good ones are stored, and the exit code is 5."""
    lines = b'{"key":null,"value":"a"}\nnonsense\n{"key":"k","value":null}\n'
    result = run("produce", "t", "--create", "--input", "records", stdin=lines)

    assert 5 == result.code
    assert "stdin, line 2:" in result.stderr
    assert [(None, "a"), ("k", None)] == [(r["key"], r["value"]) for r in records()]


def test_partitions_are_kept_on_request() -> None:
    """--keep-partitions takes the input's."""
    run("topic", "create", "t", "-p", "3")
    line = b'{"partition":2,"key":null,"value":"a"}\n'
    run("produce", "t", "--input", "records", "--keep-partitions", stdin=line)

    assert [2] == [record["partition"] for record in records()]


def test_a_hot_key_among_several_partitions(tmp_path: Path) -> None:
    """Whole lines that wait for the next block are no endless line."""
    run("topic", "create", "t", "-p", "4")
    path = tmp_path / "input"
    path.write_bytes(b"same:%s\n" % (b"x" * 95) * 60_000)
    result = run("produce", "t", "--key-separator", ":", "-f", path)

    assert (0, "") == (result.code, result.stderr)
    assert 60_000 == len(run("consume", "t", "-B", "-d").lines)


def test_a_small_limit_is_of_the_record_not_the_rest(tmp_path: Path) -> None:
    """Many small lines under a small --max-request-size or --batch-size are stored."""
    path = tmp_path / "input"
    path.write_bytes(b"x" * 59 + b"\n" + b"y\n" * 1_000_000)
    run("topic", "create", "t", "-p", "2")

    assert 0 == run("produce", "t", "--max-request-size", "100", "-f", path).code
    assert 0 == run("produce", "t", "--batch-size", "10000", "-f", path).code
    partitions = run("partition", "list", "t", "-O", "json").json
    assert 2_000_002 == sum(each["end_offset"] for each in partitions)


def test_new_partitions_interleaved_in_one_commit(tmp_path: Path) -> None:
    """Batches of several partitions that are all still empty go into one transaction."""
    path = tmp_path / "input"
    path.write_bytes((b"x" * 109 + b"\n") * 100_000)
    run("topic", "create", "t", "-p", "3")
    result = run("produce", "t", "--atomic", "-f", path)

    assert (0, "") == (result.code, result.stderr)


def test_a_partition_of_the_input_that_is_not_there() -> None:
    """That record is told and left out; its neighbours are stored."""
    lines = b"".join(
        b'{"partition":%d,"key":null,"value":"%d"}\n' % (number, number) for number in (0, 7, 0)
    )
    result = run("produce", "t", "--create", "--input", "records", "--keep-partitions", stdin=lines)

    assert 5 == result.code
    assert "line 2: the topic has no partition 7" in result.stderr
    assert ["0", "0"] == values()


def test_times_before_1970_survive() -> None:
    """Only -1 means none."""
    line = b'{"timestamp":-5,"timestamp_type":"create","key":null,"value":"a"}\n'
    run("topic", "create", "t", "--retention-time", "none")
    run("produce", "t", "--input", "records", stdin=line)

    assert [-5] == [record["timestamp"] for record in records()]


def test_raw_goes_through_tee() -> None:
    """The whole input comes out."""
    result = run("produce", "t", "--create", "--raw", "--tee", stdin=b"a\nb")
    assert b"a\nb" == result.stdout
