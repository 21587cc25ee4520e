"""`dataflare topic create`: Fluvio's options, limits and words; what can't be had is refused."""

import pytest

from tests.harness import run

pytestmark = pytest.mark.usefixtures("data_dir")


def described(topic: str) -> dict:
    return run("topic", "describe", topic, "-O", "json").json


def test_create_says_so_in_fluvios_words():
    """And what was not given has the default."""
    assert 'topic "hello" created\n' == run("topic", "create", "hello").text

    found = described("hello")
    assert (1, 604_800, 1 << 30, 100 << 30, "any") == (
        found["partition_count"],
        found["retention_s"],
        found["segment_bytes"],
        found["partition_bytes_max"],
        found["compression"],
    )


def test_create_takes_fluvios_options():
    """Sizes and durations as people write them."""
    result = run(
        *("topic", "create", "hello", "--partitions", "3", "--replication", "1"),
        *("--retention-time", "2m 30s 900ms", "--segment-size", "2 Ki"),
        *("--max-partition-size", "3 KB", "--compression-type", "LZ4"),
    )

    assert 0 == result.code, result.stderr
    found = described("hello")
    assert (3, 150, 2048, 3000, "lz4") == (
        found["partition_count"],
        found["retention_s"],
        found["segment_bytes"],
        found["partition_bytes_max"],
        found["compression"],
    )


def test_a_segment_is_never_larger_than_its_partition():
    """Unless asked for: then it is refused."""
    run("topic", "create", "small", "--max-partition-size", "1 MiB")

    assert 1 << 20 == described("small")["segment_bytes"]


def test_infinite_retention():
    """What Fluvio's users ask for."""
    run("topic", "create", "audit", "--retention-time", "none")

    assert None is described("audit")["retention_s"]
    assert "  Retention Time:none" in run("topic", "describe", "audit").lines
    assert None is described("audit")["spec"]["cleanupPolicy"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((" ",), "Invalid argument: Topic name is required"),
        (("a b",), "Invalid argument: Invalid Topic name 'a b'. Contain only letters, digits"),
        (("..",), "Invalid argument: Invalid Topic name '..'"),
        (("x" * 250,), "Invalid argument: Invalid Topic name"),
        (("t", "--max-partition-size", "10"), "max_partition_size 10 is less than minimum 2048"),
        (
            ("t", "--max-partition-size", "2048", "--segment-size", "3072"),
            "max_partition_size 2048 is less than segment size 3072",
        ),
        (("t", "--segment-size", "1023"), "segment_size 1023 is less than minimum 1024"),
        (("t", "--retention-time", "9s 999ms"), "retention_secs 9 is less than minimum 10"),
        (("t", "-p", "0"), "partitions 0 is less than minimum 1"),
        (("t", "-p", "10001"), "partitions 10001 is more than maximum 10000"),
    ],
)
def test_limits_are_fluvios(options, message, data_dir):
    """In its words, with 1; and no data directory comes into being for them."""
    for dry_run in ((), ("--dry-run",)):
        result = run("topic", "create", *options, *dry_run)

        assert (1, b"") == (result.code, result.stdout)
        assert result.stderr.startswith(f"error: {message}")
    assert not data_dir.exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--max-partition-size", "2048"),
        ("--segment-size", "1024", "--max-partition-size", "2048"),
        ("--retention-time", "10s"),
        ("-p", "10000"),
    ],
)
def test_limits_may_be_reached(options):
    """The least and the most are allowed."""
    assert 0 == run("topic", "create", "t", *options).code


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "which topic?"),
        (("t", "-r", "2"), "--replication: a topic is kept once"),
        (("t", "-r", "0"), "--replication: a topic is kept once"),
        (("t", "-i"), "--ignore-rack-assignment: there are no servers"),
        (("t", "-f", "a.json"), "--replica-assignment: there are no servers"),
        (("t", "-m", "a.json"), "--mirror-apply: mirrors need other clusters"),
        (("t", "--mirror"), "--mirror: mirrors need other clusters"),
        (("t", "--home-to-remote"), "--home-to-remote: mirrors need other clusters"),
        (("t", "--dedup-count", "5"), "--dedup-count needs --dedup"),
        (("t", "--dedup-age", "5s"), "--dedup-age needs --dedup"),
        (("t", "--dedup", "--dedup-count", "0"), "Invalid value for '--dedup-count'"),
        (("t", "--dedup", "--dedup-age", "5"), "Invalid argument: not a duration: '5'"),
        (("t", "-s"), "--system: there are no system topics here"),
        (("t", "--retention-time", "7"), "Invalid argument: not a duration: '7'"),
        (("t", "--retention-time", "forever"), "Invalid argument: not a duration: 'forever'"),
        (("t", "--segment-size", "3 miles"), 'invalid size "3 miles"'),
        (("t", "--max-partition-size", "8 EiB"), 'invalid size "8 EiB": too large'),
        (("t", "--compression-type", "br"), "Invalid value for '--compression-type'"),
        (("t", "-p", "many"), "Invalid value for '-p' / '--partitions'"),
        (("t", "-c", "t.yaml"), "the argument '--config <PATH>' cannot be used with NAME"),
        (
            ("-c", "t.yaml", "-p", "1", "-r", "1", "--segment-size", "1 MB"),
            "the argument '--config <PATH>' cannot be used with --segment-size, --partitions, --re",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(options, message, data_dir):
    """With 2 and a next step; nothing is created."""
    result = run("topic", "create", *options)

    assert (2, b"") == (result.code, result.stdout)
    assert result.stderr.startswith(f"error: {message}")
    assert "\n  " in result.stderr or "--config" in result.stderr
    assert not data_dir.exists()


def test_create_twice():
    """Fluvio's error, and two ways on."""
    run("topic", "create", "t")
    result = run("topic", "create", "t")

    assert (1, b"") == (result.code, result.stdout)
    assert result.stderr.startswith("error: Topic already exists: t\n")
    assert "--if-not-exists" in result.stderr


def test_if_not_exists_takes_a_topic_as_it_is():
    """But tells where it is another than asked for, and only where it was asked for."""
    assert 'topic "t" created\n' == run("topic", "create", "t", "--if-not-exists", "-p", "2").text
    same, other = (
        run("topic", "create", "t", "--if-not-exists", *options)
        for options in ((), ("-p", "3", "--compression-type", "any"))
    )

    assert (0, 'topic "t" exists already\n', "") == (same.code, same.text, same.stderr)
    assert (0, "warning: with partitions 2, not 3\n") == (other.code, other.stderr)


def test_a_dry_run_says_that_nothing_was_done(data_dir):
    """Unlike Fluvio's; and no data directory is made for it."""
    result = run("topic", "create", "t", "-p", "2", "--dry-run")

    assert (0, 'topic "t" would be created; nothing was done (--dry-run)') == (
        result.code,
        result.lines[0],
    )
    assert "  partitions: 2" in result.lines
    assert not data_dir.exists()
    run("topic", "create", "t")
    assert 1 == run("topic", "create", "t", "-d").code
    again = run("topic", "create", "t", "-d", "--if-not-exists")
    assert 'topic "t" exists already; nothing was done (--dry-run)\n' == again.text


def test_create_from_yaml(tmp_path):
    """All that it says, in Fluvio's spelling; relative to the working directory."""
    (tmp_path / "t.yaml").write_text(
        "meta: {name: my-topic}\npartition: {count: 2, max-size: 10 KB}\n"
        "retention: {time: 2m, segment-size: 2.0 KB}\ncompression: {type: Zstd}\n"
    )
    assert 'topic "my-topic" created\n' == run("topic", "create", "-c", "t.yaml", cwd=tmp_path).text

    found = described("my-topic")
    assert (2, 10_000, 120, 2000, "zstd") == (
        found["partition_count"],
        found["partition_bytes_max"],
        found["retention_s"],
        found["segment_bytes"],
        found["compression"],
    )


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("meta: {name: t}\npartitions: 2", 2, "t.yaml: Object contains unknown field"),
        ("meta: {name: t}\npartition: {replication: 3}", 2, "t.yaml: partition.replication: a"),
        ("meta: {name: t}\npartition: {max-size: 10}", 1, "max_partition_size 10 is less than"),
        ("meta: {name: t}\nretention: {time: 1s}", 1, "retention_secs 1 is less than minimum 10"),
        ("meta: {name: ' '}", 1, "Invalid argument: Topic name is required"),
        ("#" * (1 << 20) + "\n", 2, "t.yaml: is larger than 1048576 bytes"),
        (None, 1, "File not found: "),
    ],
)
def test_yaml_is_checked(text, code, message, tmp_path, data_dir):
    """Unknown keys, limits, and files that are none."""
    if text is not None:
        (tmp_path / "t.yaml").write_text(text)
    result = run("topic", "create", "--config", "t.yaml", cwd=tmp_path)

    assert (code, b"") == (result.code, result.stdout)
    assert result.stderr.startswith(f"error: {message}")
    assert not data_dir.exists()
