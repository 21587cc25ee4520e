"""`dataflare topic`: Fluvio's verbs and words, and what they change."""

import tomllib
from pathlib import Path

import pexpect
import pytest
import yaml

from dataflare_cli import codec
from dataflare_cli.catalog import Catalog
from dataflare_cli.log.keys import log_key
from dataflare_cli.store import Store
from tests.harness import command_line, process_environ, run

pytestmark = pytest.mark.usefixtures("data_dir")

T0 = 1_700_000_000_000


def numbers(topic: str, count: int, *options: str, at: int = T0) -> None:
    """Store the values 0 to count - 1, a minute apart and each in a batch of its own."""
    for number in range(count):
        moment = str(at + number * 60_000)
        stored = run("produce", topic, "--timestamp", moment, *options, stdin=b"%d\n" % number)
        assert 0 == stored.code, stored.stderr


@pytest.fixture
def logs(data_dir: Path) -> None:
    """A topic `logs` of two partitions: 10 records in the first, 5 in the second."""
    run("topic", "create", "logs", "-p", "2", "--retention-time", "none")
    numbers("logs", 10, "-p", "0")
    numbers("logs", 5, "-p", "1")


def described(topic: str = "logs") -> dict:
    return run("topic", "describe", topic, "-O", "json").json


def bounds(topic: str = "logs") -> list[tuple[int, int]]:
    """Return (start offset, end offset) of each partition."""
    return [(each["start_offset"], each["end_offset"]) for each in described(topic)["partitions"]]


# ---------------------------------------------------------------- list and describe


def test_list_has_fluvios_columns():
    """And how much there is, and of when the last record is."""
    run("topic", "create", "hello", "--retention-time", "2m")
    run("topic", "create", "other")
    numbers("other", 2)
    lines = run("topic", "list").lines

    assert (
        "  NAME   TYPE      PARTITIONS  REPLICAS  RETENTION TIME  COMPRESSION  DEDUPLICATION"
        "  STATUS                   RECORDS  SIZE   LAST RECORD               REASON"
    ) == lines[0]
    assert ["hello", "computed", "1", "1", "2m", "any", "none"] == lines[1].split()[:7]
    assert ["resolution::provisioned", "0", "0", "B", "NA"] == lines[1].split()[7:]
    assert ["2", "178", "B", "2023-11-14T22:14:20.000Z"] == lines[2].split()[8:]


@pytest.mark.usefixtures("logs")
def test_list_as_json():
    """The fields that scripts find, Fluvio's `name`, `spec` and `status` among them."""
    (row,) = run("topic", "list", "-O", "json").json

    assert {
        "name": "logs",
        "type": "computed",
        "partition_count": 2,
        "retention_s": None,
        "segment_bytes": 1 << 30,
        "partition_bytes_max": 100 << 30,
        "compression": "any",
        "record_count": 15,
        "batch_count": 15,
        "first_timestamp_ms": T0,
        "last_timestamp_ms": T0 + 9 * 60_000,
        "spec": {
            "replicas": {
                "computed": {"partitions": 2, "replicationFactor": 1, "ignoreRackAssignment": False}
            },
            "cleanupPolicy": None,
            "storage": {"segmentSize": 1 << 30, "maxPartitionSize": 100 << 30},
            "compressionType": "Any",
            "deduplication": None,
            "system": False,
        },
        "status": {"resolution": "Provisioned", "reason": ""},
    } == {key: value for key, value in row.items() if key not in ("created_ms", "size_bytes")}
    assert 15 * 89 == row["size_bytes"]
    assert row["created_ms"] > T0


@pytest.mark.usefixtures("logs")
def test_the_other_formats_say_the_same():
    """TOML has no null and no list at its top."""
    rows = run("topic", "list", "-O", "json").json

    assert rows == yaml.safe_load(run("topic", "list", "-O", "yaml").text)
    (row,) = tomllib.loads(run("topic", "list", "-O", "toml").text)["items"]
    assert {key: value for key, value in rows[0].items() if value is not None} == {
        **row,
        "spec": {**row["spec"], "cleanupPolicy": None, "deduplication": None},
    }


@pytest.mark.usefixtures("logs")
def test_describe_is_fluvios_form():
    """`Key:Value` lines and a rule, then each partition."""
    lines = run("topic", "describe", "logs").lines

    assert ["  Name:logs", "  Type:computed", "  Partition Count:2"] == lines[:3]
    assert ["  Replication Factor:1", "  Ignore Rack Assignment:false"] == lines[3:5]
    assert {"  Retention Time:none", "  Segment Size:1 GiB", "  Max Partition Size:100 GiB"} < {
        *lines
    }
    assert {"  Records:15", "  Size:1.3 KB", "  Last Record:2023-11-14T22:22:20.000Z"} < {*lines}
    assert ["  Status:provisioned", "  Reason:", "  -----------------"] == lines[-6:-3]
    assert ["PARTITION", "START", "END", "RECORDS", "SIZE", "LAST", "RECORD"] == lines[-3].split()
    assert ["0", "0", "10", "10", "890", "B", "2023-11-14T22:22:20.000Z"] == lines[-2].split()


def test_describe_takes_the_exact_name():
    """Fluvio's takes a part of one; here close ones are offered."""
    run("topic", "create", "hello")
    result = run("topic", "describe", "hell")

    assert (1, b"") == (result.code, result.stdout)
    assert 'error: Topic not found: hell\n  did you mean "hello"?\n' == result.stderr


def test_there_are_no_system_topics():
    """-s is taken for Fluvio's scripts."""
    run("topic", "create", "t")

    assert "No topics found\n" == run("topic", "list", "--system").text


# -------------------------------------------------------------------------- delete


@pytest.mark.usefixtures("logs")
def test_delete_reclaims_space_and_forgets_consumers(data_dir):
    """Nothing of a topic is left, and its name is free."""
    run("consume", "logs", "-B", "-d", "-c", "reader")
    run("topic", "create", "other")
    assert 'topic "logs" deleted\ntopic "other" deleted\n' == (
        run("topic", "delete", "logs", "other", "logs", "-s", "-f").text
    )

    assert "No topics found\n" == run("topic", "list").text
    assert "No consumers found\n" == run("consumer", "list").text
    with Store.open(data_dir) as store, store.view() as view:
        left = [list(view.items(name)) for name in (b"log", b"times", b"partitions", b"catalog")]
    assert [[]] * 4 == left


@pytest.mark.usefixtures("logs")
def test_delete_dry_run_lists_what_would_go():
    """And leaves it where it is."""
    result = run("topic", "delete", "logs", "-d")

    assert [
        'topic "logs" would be deleted: 2 partitions, 15 records, 1.3 KB',
        "nothing was done (--dry-run)",
    ] == result.lines
    assert [(0, 10), (0, 5)] == bounds()


@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
def test_delete_ends_at_the_first_error(dry_run):
    """What came before it is done, what comes after it is not."""
    for name in ("a", "b"):
        run("topic", "create", name)
    result = run("topic", "delete", "a", "nope", "b", *dry_run)

    assert 1 == result.code
    assert "error: Topic not found: nope\n" in result.stderr
    left = [row["name"] for row in run("topic", "list", "-O", "json").json]
    assert (["a", "b"] if dry_run else ["b"]) == left


def test_delete_goes_on_when_asked_to():
    """Part of them failed is 5, all of them is 1; Fluvio's closing line is the error."""
    for name in ("a", "b"):
        run("topic", "create", name)
    some = run("topic", "delete", "a", "nope", "b", "--continue-on-error")
    none = run("topic", "delete", "-c", "a", "b")

    assert (5, 'topic "a" deleted\ntopic "b" deleted\n') == (some.code, some.text)
    assert (
        "error: Topic not found: nope\n"
        "error: Failed deleting topic(s). Check previous errors.\n" == some.stderr
    )
    assert (1, b"") == (none.code, none.stdout)
    assert "Failed deleting topic(s). Check previous errors." in none.stderr


# ------------------------------------------------------------- add-partition, rename


def test_add_partition():
    """Fluvio's words and table; the new ones are written to."""
    run("topic", "create", "t")
    result = run("topic", "add-partition", "t", "-c", "2")

    assert [
        'added new partitions to topic: "t"',
        "  PARTITION  SPU",
        "  1          0",
        "  2          0",
    ] == result.lines
    assert "  3          0" == run("topic", "add-partition", "t").lines[-1]
    assert 0 == run("produce", "t", "-p", "3", stdin=b"x\n").code
    assert [(0, 0), (0, 0), (0, 0), (0, 1)] == bounds("t")


def test_add_partition_has_limits():
    """At least one more, at most 10,000 in all."""
    run("topic", "create", "t")

    assert 2 == run("topic", "add-partition", "t", "-c", "0").code
    assert "partitions 10001 is more than maximum 10000" in (
        run("topic", "add-partition", "t", "-c", "10000").stderr
    )


@pytest.mark.usefixtures("logs")
def test_rename_keeps_records_and_offsets():
    """Only the name changes."""
    run("consume", "logs", "-B", "-d", "-n", "3", "-p", "1", "-c", "reader")
    before = described()
    assert 'topic "logs" renamed to "logs.old"\n' == run("topic", "rename", "logs", "logs.old").text

    assert {**before, "partitions": 0, "name": "logs.old"} == {
        **described("logs.old"),
        "partitions": 0,
    }
    assert [("logs.old", 1, 2)] == [
        (row["topic"], row["partition"], row["offset"])
        for row in run("consumer", "list", "-O", "json").json
    ]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("nope", "x"), "Topic not found: nope"),
        (("a", "b"), "Topic already exists: b"),
        (("a", "a"), "Topic already exists: a"),
        (("a", "a/b"), "Invalid argument: Invalid Topic name 'a/b'"),
    ],
)
def test_rename_refuses(names, message):
    """A name that is taken, or can't be one."""
    for name in ("a", "b"):
        run("topic", "create", name)
    result = run("topic", "rename", *names)

    assert 1 == result.code
    assert result.stderr.startswith(f"error: {message}")


# --------------------------------------------------------------------------- alter


def test_alter_prints_before_and_after():
    """As options take them; a segment shrinks along with its partition."""
    run("topic", "create", "t")
    options = ("--retention-time", "1 day", "--max-partition-size", "500MB")
    more = ("--compression-type", "zstd")
    dry, wet = (run("topic", "alter", "t", *options, *more, *each) for each in (("-d",), ()))

    changes = [
        "  retention-time: 7days -> 1day",
        "  segment-size: 1 GiB -> 500 MB",
        "  max-partition-size: 100 GiB -> 500 MB",
        "  compression-type: any -> zstd",
    ]
    assert ['topic "t" would be altered', *changes, "nothing was done (--dry-run)"] == dry.lines
    assert ['topic "t" altered', *changes] == wet.lines
    assert (86_400, 500_000_000, "zstd") == tuple(
        described("t")[key] for key in ("retention_s", "partition_bytes_max", "compression")
    )
    assert 'topic "t" has these settings already\n' == run("topic", "alter", "t", *options).text


@pytest.mark.usefixtures("logs")
def test_alter_drops_what_a_smaller_partition_does_not_keep():
    """Oldest first; the dry run counts the same and drops nothing."""
    for _ in range(4):
        run("produce", "logs", "-p", "0", "--raw", stdin=b"x" * 1000)
    options = ("topic", "alter", "logs", "--max-partition-size", "3000")
    dry = run(*options, "--dry-run")

    assert [(0, 14), (0, 5)] == bounds()
    wet = run(*options)
    assert [(12, 14), (0, 5)] == bounds()
    assert (True, True) == (
        "  12 records would be dropped" in dry.lines,
        "  12 records dropped" in wet.lines,
    )


@pytest.mark.usefixtures("logs")
def test_alter_drops_what_is_too_old(data_dir):
    """Age is that of the append, not of the record."""
    age(data_dir, "logs", 0, offsets=range(4))
    options = ("topic", "alter", "logs", "--retention-time", "1h")

    assert "  4 records would be dropped" in run(*options, "-d").lines
    assert "  4 records dropped" in run(*options).lines
    assert [(4, 10), (0, 5)] == bounds()


def age(data_dir: Path, name: str, partition: int, offsets: range) -> None:
    """Make batches of one record look as if they had been appended long ago."""
    with Store.open(data_dir) as store, store.change("test", "age") as change:
        topic = Catalog(store).topic(name)
        for offset in offsets:
            key = log_key(topic.partition_ids[partition], offset)
            frame = bytearray(change.get(b"log", key) or b"")
            codec.stamp(frame, base_offset=offset, appended_ms=1)
            change.put(b"log", key, frame)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((), 2, "nothing to change"),
        (("--retention-time", "1s"), 1, "retention_secs 1 is less than minimum 10"),
        (("--max-partition-size", "10"), 1, "max_partition_size 10 is less than minimum 2048"),
        (("--segment-size", "1 TiB"), 1, "max_partition_size 107374182400 is less than segment"),
        (("--segment-size", "x"), 2, 'invalid size "x"'),
        (("--compression-type", "rar"), 2, "Invalid value for '--compression-type'"),
    ],
)
def test_alter_refuses(options, code, message):
    """And changes nothing, also as a dry run."""
    run("topic", "create", "t")
    before = described("t")
    for dry_run in ((), ("--dry-run",)):
        result = run("topic", "alter", "t", *options, *dry_run)

        assert (code, b"") == (result.code, result.stdout)
        assert result.stderr.startswith(f"error: {message}")
    assert before == described("t")


# --------------------------------------------------------------------------- purge


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize(
    ("options", "counts", "after"),
    [
        ((), {0: 10, 1: 5}, [(10, 10), (5, 5)]),
        (("-p", "1"), {1: 5}, [(0, 10), (5, 5)]),
        (("-p", "1", "-p", "0", "-p", "1"), {0: 10, 1: 5}, [(10, 10), (5, 5)]),
        (("--before", "7"), {0: 7, 1: 5}, [(7, 10), (5, 5)]),
        (("--before", "-2"), {0: 8, 1: 3}, [(8, 10), (3, 5)]),
        (("--before", "+1"), {0: 1, 1: 1}, [(1, 10), (1, 5)]),
        (("--before", "start"), {0: 0, 1: 0}, [(0, 10), (0, 5)]),
        (("--before", "@2023-11-14T22:15:20Z"), {0: 2, 1: 2}, [(2, 10), (2, 5)]),
        (("--before", "@now"), {0: 10, 1: 5}, [(10, 10), (5, 5)]),
    ],
)
def test_purge_says_how_many_went_where(options, counts, after):
    """The dry run says the same; offsets go on where they were."""
    dry = run("topic", "purge", "logs", *options, "--dry-run")
    assert [(0, 10), (0, 5)] == bounds()
    wet = run("topic", "purge", "logs", *options, "--yes")

    def lines(verb):
        return [
            f'topic "logs" partition "{partition}": {count} record{"s" * (count != 1)} {verb}purged'
            for partition, count in counts.items()
        ]

    assert [*lines("would be "), "nothing was done (--dry-run)"] == dry.lines
    assert (0, lines("")) == (wet.code, wet.lines)
    assert after == bounds()
    numbers("logs", 1, "-p", "0")
    assert 11 == bounds()[0][1]


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--yes", "--before", "11"), 1, "offset 11 is beyond the end of logs"),
        (("--yes", "-p", "2"), 1, "Partition not found: logs-2\n  it has partitions 0 to 1"),
        (("--yes", "--before", "2:3"), 2, 'invalid offset "2:3": a place is wanted, not a range'),
        (("--yes", "--before", "soon"), 2, 'invalid offset "soon"'),
        ((), 2, 'Purge 15 records of topic "logs"? Nobody can be asked here\n  say so with --yes'),
        (("--no-input",), 2, 'Purge 15 records of topic "logs"? --no-input forbids to ask'),
    ],
)
def test_purge_refuses(options, code, message):
    """And leaves every record where it is."""
    result = run("topic", "purge", "logs", *options)

    assert (code, b"") == (result.code, result.stdout)
    assert result.stderr.startswith(f"error: {message}")
    assert [(0, 10), (0, 5)] == bounds()


@pytest.mark.usefixtures("logs")
def test_purge_asks_on_a_terminal():
    """No is the answer unless it is yes; nothing to purge is nothing to ask."""
    command, *words = command_line("topic", "purge", "logs")
    for answer, count in (("n", 15), ("y", 0)):
        child = pexpect.spawn(command, words, env=process_environ(), timeout=30)
        child.expect_exact('Purge 15 records of topic "logs"? [y/N]')
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert ((1 if count else 0), count) == (child.exitstatus, described()["record_count"])
    assert 0 == run("topic", "purge", "logs").code


# ---------------------------------------------------------------------------- none


@pytest.mark.parametrize(
    "words",
    [
        ("describe", "t"),
        ("delete", "t"),
        ("delete", "t", "--dry-run"),
        ("add-partition", "t"),
        ("alter", "t", "--retention-time", "1h"),
        ("rename", "t", "u"),
        ("purge", "t", "--yes"),
    ],
)
def test_without_a_data_directory_nothing_is_found_or_made(words, data_dir):
    """Looking creates nothing; the hint says where was looked."""
    result = run("topic", *words)

    assert (1, b"") == (result.code, result.stdout)
    assert f"error: Topic not found: t\n  nothing is stored in {data_dir} yet\n" == result.stderr
    assert not data_dir.exists()
    run("topic", "create", "other")
    result = run("topic", *words)
    assert (1, b"") == (result.code, result.stdout.replace(b"nothing was done (--dry-run)\n", b""))
    assert result.stderr.startswith("error: Topic not found: t\n")


@pytest.mark.parametrize(("words", "name"), [(("describe",), "\udcff"), (("delete",), "\udcff")])
def test_a_name_that_is_no_text_is_not_found(words, name):
    """A shell passes any bytes."""
    run("topic", "create", "t")
    result = run("topic", *words, name)

    assert 1 == result.code
    assert result.stderr.startswith("error: Topic not found: ")


def test_a_list_without_a_data_directory_is_empty(data_dir):
    """Exit 0 in every format, and a note that -q takes away."""
    result = run("topic", "list")

    assert (0, "No topics found\n") == (result.code, result.text)
    assert f"nothing is stored in {data_dir} yet\n" == result.stderr
    assert "" == run("-q", "topic", "list").stderr
    assert [] == run("topic", "list", "-O", "json").json
    assert not data_dir.exists()


def test_errors_as_json():
    """One object on stderr, also where there is no data directory."""
    result = run("topic", "describe", "t", "-O", "json")

    assert ("NotFound", "topic", "t", 1) == tuple(
        result.error[key] for key in ("type", "kind", "name", "exit_code")
    )
    assert 1 == len(result.stderr.splitlines())
