"""Topics without duplicates, from the command line and by several processes."""

import json
import os
import random
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
import wat

from tests.harness import Result, run, start_process

WAIT_S = 60
MANY = 100_000


def make(*options: str, topic: str = "t") -> None:
    result = run("topic", "create", topic, "--dedup", *options)
    assert 0 == result.code, result.stderr


def produce(*lines: str, options: Sequence[str] = ()) -> Result:
    stdin = "".join(f"{line}\n" for line in lines).encode()
    return run("produce", "t", *options, stdin=stdin)


def consumed(topic: str = "t") -> list[str]:
    return run("consume", topic, "-B", "-d").lines


@pytest.mark.usefixtures("data_dir")
def test_duplicates_within_a_run_and_across_runs():
    """Left out without a word; -v and the report count them."""
    make("--dedup-count", "100", "--dedup-age", "none")
    first = produce("a", "b", "a", "c", "b")
    second = produce("c", "d", "a", options=("--report", "json"))
    third = run("-v", "produce", "t", stdin=b"a\nb\n")

    assert (0, "", 0) == (first.code, first.stderr, second.code)
    assert list("abcd") == consumed()
    report = json.loads(second.stderr)
    assert (1, 2) == (report["records"], report["duplicates"])
    assert "2 of them were there already (dedup)\n" in third.stderr


@pytest.mark.usefixtures("data_dir")
def test_by_count():
    """Among the last so many that are stored, in this run or before."""
    make("--dedup-count", "3", "--dedup-age", "none")
    produce(*"abcaabcd")
    assert list("abcd") == consumed()
    produce(*"dcba")

    assert list("abcda") == consumed()


@pytest.mark.usefixtures("data_dir")
def test_by_age():
    """By the records' own time."""
    make("--dedup-count", "100", "--dedup-age", "1h")
    for stamp in ("-3h", "-90m", "-10m"):
        produce("a", options=("--timestamp", stamp))
    produce("a", "b", "b")
    assert ["a", "a", "a", "b"] == consumed()

    run("topic", "alter", "t", "--dedup", "--dedup-count", "100", "--dedup-age", "none")
    produce("a", options=("--timestamp", "2099-01-01"))
    assert ["a", "a", "a", "b"] == consumed()


@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_topics(compression):
    """Are no different."""
    make("--dedup-count", "10000", "--compression-type", compression)
    lines = [f"{n % 700} {'.' * 50}" for n in range(3000)]
    produce(*lines)
    produce(*lines, "last")

    assert [*dict.fromkeys(lines), "last"] == consumed()


@pytest.mark.usefixtures("data_dir")
def test_keys_choose_partitions_each_with_a_memory():
    """The same value under keys of two partitions is there twice."""
    make("-p", "4", "--dedup-count", "10000")
    lines = [f"k{n % 9}:v{n % 5}" for n in range(2000)]
    result = produce(*lines, options=("--key-separator", ":", "--report", "json"))
    rows = [json.loads(line) for line in run("consume", "t", "-BdO", "records").lines]
    found = [(row["partition"], row["value"]) for row in rows]

    assert len(set(found)) == len(found) == json.loads(result.stderr)["records"]
    assert {f"v{n}" for n in range(5)} == {value for _, value in found}
    assert 1 < len({partition for partition, _ in found})


@pytest.mark.usefixtures("data_dir")
def test_atomic_and_through_a_module(tmp_path):
    """A module's output is what is looked at."""
    (tmp_path / "puppet.wasm").write_bytes(wat.puppet())
    make("--dedup-count", "100")
    chosen = ("--smartmodule-path", str(tmp_path / "puppet.wasm"))

    assert 0 == produce("x", "d", "a", options=(*chosen, "--atomic")).code
    assert 0 == produce("a", "d", "x", "b", options=chosen).code
    assert ["x", "a", "b"] == consumed()


@pytest.mark.usefixtures("data_dir")
def test_what_was_purged_may_come_again():
    """It is not there any more."""
    make("--dedup-count", "100", "--dedup-age", "none")
    produce("a", "b")
    run("topic", "purge", "t", "--yes")
    produce("a", "b", "a")

    assert ["a", "b"] == consumed()


CONFIG = """\
version: 0.1.0
meta: {name: t}
deduplication:
  bounds: {count: 100, age: 1m}
  filter:
    transform:
      uses: dedup
      with: {by: key}
"""


@pytest.mark.usefixtures("data_dir")
def test_a_topic_from_yaml(tmp_path):
    """With parameters of the filter: here keys are what must differ."""
    (tmp_path / "t.yaml").write_text(CONFIG)
    assert 'topic "t" created\n' == run("topic", "create", "-c", tmp_path / "t.yaml").text
    produce("k:1", "l:1", "k:2", options=("--key-separator", ":"))
    produce("k:3", "m:1", options=("--key-separator", ":"))

    assert ["1", "1", "1"] == consumed()
    row = run("topic", "describe", "t", "-O", "json").json["spec"]["deduplication"]
    assert {
        "bounds": {"count": 100, "age": {"secs": 60, "nanos": 0}},
        "filter": {"transform": {"uses": "dedup", "with": {"by": "key"}}},
    } == row


@pytest.mark.usefixtures("data_dir")
def test_a_filter_that_fails_says_where(tmp_path):
    """A record without a key, where keys are what must differ."""
    (tmp_path / "t.yaml").write_text(CONFIG)
    run("topic", "create", "-c", tmp_path / "t.yaml")
    result = produce("a")

    assert (1, []) == (result.code, consumed())
    assert "error: SmartModule transform error the record has no key" in result.stderr
    assert (
        '  in the SmartModule "dedup", t-0, offset 0; it is the deduplication of the topic t; '
        "dataflare topic alter t --no-dedup ends that\n"
    ) in result.stderr


@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("uses: dedup", "uses: none"), "SmartModule none was not found"),
        (("uses: dedup", "uses: jq"), "a deduplication needs a filter, and it is of the kind"),
        (("{by: key}", "{by: weight}"), "Invalid param by=weight"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_topic_whose_filter_is_not_to_be_had(change, problem, options, tmp_path):
    """It could take no record: no topic is made."""
    (tmp_path / "t.yaml").write_text(CONFIG.replace(*change))
    result = run("topic", "create", "-c", tmp_path / "t.yaml", *options)

    assert (1, True) == (result.code, problem in result.stderr), result.stderr
    assert [] == run("topic", "list", "-O", "json").json


@pytest.mark.usefixtures("filtered")
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_filter_that_is_used_can_not_be_deleted(options):
    """Every write to the topic would fail; when it is used no more, it can be."""
    refused = run("smartmodule", "delete", "puppet", *options)
    run("topic", "alter", "t", "--no-dedup")

    assert 1 == refused.code
    assert 'smartmodule "puppet" is the deduplication of the topic t\n' in refused.stderr
    assert 0 == run("smartmodule", "delete", "puppet", *options).code


@pytest.fixture
def filtered(data_dir: Path, tmp_path: Path) -> None:
    """A topic `t` whose filter is the puppet."""
    (tmp_path / "puppet.wasm").write_bytes(wat.puppet())
    run("smartmodule", "create", "puppet", "--wasm-file", tmp_path / "puppet.wasm")
    config = CONFIG.replace("dedup\n      with: {by: key}", "puppet")
    (tmp_path / "t.yaml").write_text(config)
    assert 0 == run("topic", "create", "-c", tmp_path / "t.yaml").code


@pytest.mark.usefixtures("filtered")
def test_atomic_and_a_filter_that_fails():
    """All or nothing is nothing."""
    result = produce("a", "E", "b", options=["--atomic"])

    assert (1, []) == (result.code, consumed())
    assert "stored" not in result.stderr


@pytest.mark.usefixtures("filtered")
def test_what_is_stored_when_a_filter_fails():
    """All before it; and that is said, as with every other end of a run."""
    result = produce("a", "E", "b")

    assert (1, ["a"]) == (result.code, consumed())
    assert "1 record is stored (partition 0: 0 to 0)\n" in result.stderr


@pytest.mark.usefixtures("data_dir")
def test_the_report_counts_the_bytes_that_are_stored():
    """As topic list does."""
    make("--dedup-count", "1000")
    report = json.loads(produce(*["x"] * 1000, options=["--report", "json"]).stderr)
    (row,) = run("topic", "list", "-O", "json").json

    assert row["size_bytes"] == report["bytes_stored"]
    assert (1, 999) == (report["records"], report["duplicates"])


@pytest.mark.usefixtures("data_dir")
def test_old_records_are_duplicates_across_runs_as_within_one():
    """A file that is loaded twice: its times are long ago."""
    make("--dedup-count", "100", "--dedup-age", "1h")
    for _ in range(2):
        produce("a", "a", options=["--timestamp", "2020-01-01"])

    assert ["a"] == consumed()


@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("count: 100", "count: many"), "Expected `int`, got `str` - at `$.deduplication.bounds"),
        (("count: 100, ", ""), "missing required field `count`"),
        (("age: 1m", "age: soon"), "deduplication.bounds.age: Invalid argument: not a duration"),
        (("uses: dedup", "use: dedup"), "unknown field `use`"),
        (("{by: key}", "{by: 1}"), "the parameter 'by' is 1, not a text"),
        (("count: 100", "count: 0"), "dedup-count 0 is out of its limits (1 to 10000000)"),
    ],
)
def test_yaml_that_makes_no_sense(change, problem, tmp_path):
    """No topic is made."""
    (tmp_path / "t.yaml").write_text(CONFIG.replace(*change))
    result = run("topic", "create", "-c", tmp_path / "t.yaml")

    assert (True, True) == (result.code in (1, 2), problem in result.stderr), result.stderr
    assert [] == run("topic", "list", "-O", "json").json


@pytest.mark.usefixtures("data_dir")
def test_what_describe_and_list_show():
    """Fluvio's lines, and its JSON."""
    run("topic", "create", "plain")
    make("--dedup-count", "7", "--dedup-age", "90s")
    make(topic="default")
    lines = run("topic", "describe", "t").lines
    at = lines.index("  Deduplication Filter:dedup")

    assert ["  Deduplication Count Bound:7", "  Deduplication Age Bound:1m 30s"] == (
        lines[at + 1 : at + 3]
    )
    header, *rows = [line.split() for line in run("topic", "list").lines]
    place = header.index("DEDUPLICATION") - 1  # RETENTION TIME is one column
    assert {"plain": "none", "t": "dedup", "default": "dedup"} == {
        row[0]: row[place] for row in rows
    }
    found = {each["name"]: each["spec"] for each in run("topic", "list", "-O", "json").json}
    assert None is found["plain"]["deduplication"]
    assert {"count": 5, "age": {"secs": 5, "nanos": 0}} == (
        found["default"]["deduplication"]["bounds"]
    )
    assert not any("Dedup" in line for line in run("topic", "describe", "plain").lines)


@pytest.mark.usefixtures("data_dir")
def test_alter():
    """On for a topic that has records: those count; and off again."""
    run("topic", "create", "t")
    produce("a", "a", "b")
    on = run("topic", "alter", "t", "--dedup", "--dedup-count", "100", "--dedup-age", "none")
    produce("a", "b", "c")
    off = run("topic", "alter", "t", "--no-dedup")
    produce("c")

    assert ['topic "t" altered', "  dedup: none -> dedup, 100 records, any age"] == on.lines
    assert ['topic "t" altered', "  dedup: dedup, 100 records, any age -> none"] == off.lines
    assert ["a", "a", "b", "c", "c"] == consumed()


@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("create t --dedup-count 3", "--dedup-count needs --dedup"),
        ("create t --dedup-age 3s", "--dedup-age needs --dedup"),
        ("create t --dedup --dedup-count 0", "0 is not in the range x>=1"),
        ("create t --dedup --dedup-count 10000001", "out of its limits (1 to 10000000)"),
        ("create t --dedup --dedup-age soon", "not a duration: 'soon'"),
        ("alter other --dedup --no-dedup", "--dedup, --no-dedup can't be used together"),
        ("alter other --dedup-count 3", "--dedup-count needs --dedup"),
    ],
)
def test_options_that_make_no_sense(words, message):
    """Nothing is changed."""
    run("topic", "create", "other")
    result = run("topic", *words.split())

    assert (True, True) == (result.code in (1, 2), message in result.stderr), result.stderr
    (row,) = run("topic", "list", "-O", "json").json
    assert ("other", None) == (row["name"], row["spec"]["deduplication"])


# ----------------------------------------------------------------------- real processes


@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_two_processes_at_the_same_time(compression):
    """Thousands of records each, with a common part: every value is stored exactly once."""
    make("--dedup-count", str(MANY), "--dedup-age", "none", "--compression-type", compression)
    chance = random.Random(7)
    both = [f"common-{number}" for number in range(4000)]
    inputs = [[*both, *(f"{name}-{n}" for n in range(3000))] for name in ("first", "second")]
    for lines in inputs:
        chance.shuffle(lines)
    with start_process("produce", "t") as first, start_process("produce", "t") as second:
        for at in range(0, 7000, 100):
            for process, lines in ((first, inputs[0]), (second, inputs[1])):
                assert process.stdin is not None
                process.stdin.write("".join(f"{x}\n" for x in lines[at : at + 100]).encode())
                process.stdin.flush()
        assert (b"", b"") == first.communicate(timeout=WAIT_S)
        assert (b"", b"") == second.communicate(timeout=WAIT_S)
    found = consumed()

    assert (0, 0) == (first.returncode, second.returncode)
    assert sorted({*inputs[0], *inputs[1]}) == sorted(found)
    for lines in inputs:
        own = [each for each in lines if not each.startswith("common")]
        assert own == [each for each in found if each in set(own)]


@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize("seed", range(3))
def test_a_producer_that_was_killed(seed):
    """What it had acknowledged is there; the same input again makes it complete."""
    make("--dedup-count", str(MANY), "--dedup-age", "none")
    chance = random.Random(seed)
    lines = [f"{number}" for number in range(3000)]
    for _ in range(3):
        with start_process("produce", "t", "--tee") as producer:
            assert producer.stdin is not None
            assert producer.stdout is not None
            fed = lines[: chance.randrange(100, 3000)]
            producer.stdin.write("".join(f"{line}\n" for line in fed).encode())
            producer.stdin.flush()
            acknowledged = [producer.stdout.readline() for _ in range(chance.randrange(1, 99))]
            os.kill(producer.pid, signal.SIGKILL)
            acknowledged += producer.communicate(timeout=WAIT_S)[0].splitlines(keepends=True)
        found = consumed()
        assert lines[: len(found)] == found
        assert len(found) >= len(acknowledged)
    assert 0 == produce(*lines).code

    assert lines == consumed()


@pytest.mark.usefixtures("data_dir")
def test_what_was_purged_may_come_again_to_a_producer_at_work():
    """As to one that begins now."""
    make("--dedup-count", "100", "--dedup-age", "none")
    with start_process("produce", "t", "--tee") as producer:
        assert producer.stdin is not None
        assert producer.stdout is not None
        producer.stdin.write(b"a\n")
        producer.stdin.flush()
        assert b"a\n" == producer.stdout.readline()
        assert 0 == run("topic", "purge", "t", "--yes").code
        producer.stdin.write(b"a\n")
        producer.communicate(timeout=WAIT_S)

    assert ["a"] == consumed()


@pytest.mark.usefixtures("data_dir")
def test_a_topic_without_duplicates_can_be_followed():
    """What comes is printed as it comes."""
    make()
    with start_process("consume", "t", "-B") as follower:
        assert follower.stdout is not None
        produce("a")
        assert b"a\n" == follower.stdout.readline()
        produce("a", "b")
        assert b"b\n" == follower.stdout.readline()


@pytest.mark.usefixtures("data_dir")
def test_a_producer_at_work_hears_of_others():
    """What another one stored meanwhile is no news; what was altered holds from then on."""
    make("--dedup-count", "1000", "--dedup-age", "none")
    with start_process("produce", "t", "--tee") as producer:

        def write(text: bytes) -> None:
            """Return when it is stored."""
            assert producer.stdin is not None
            assert producer.stdout is not None
            producer.stdin.write(text)
            producer.stdin.flush()
            for line in text.splitlines(keepends=True):
                assert line == producer.stdout.readline()

        write(b"a\n")
        produce("b", "a")
        write(b"b\na\nc\n")
        assert ["a", "b", "c"] == consumed()
        run("topic", "alter", "t", "--no-dedup")
        write(b"a\n")
        assert (b"", b"") == producer.communicate(timeout=WAIT_S)

    assert (0, ["a", "b", "c", "a"]) == (producer.returncode, consumed())
