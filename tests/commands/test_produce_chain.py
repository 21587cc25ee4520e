"""`dataflare produce` through SmartModules: what is stored, what is not, and what is said."""

import hashlib
import json
import signal
import time
from pathlib import Path

import pytest
import wat

from tests.busy import wait_until_busy
from tests.harness import Result, run, run_process, start_process

WAIT_S = 60
LONG = "100s"
MODULES = {
    "puppet": wat.puppet(),
    "map": wat.puppet(kind="map", words=""),
    "stateless": wat.with_metadata(wat.puppet(words="TLBEdx"), {"stateless": True}),
    "params": wat.tells_params(),
    "fed": wat.tells_fed(),
}
BOTH = pytest.mark.parametrize("module", ["puppet", "stateless"])


@pytest.fixture
def modules(data_dir: Path, tmp_path: Path) -> Path:
    """A directory with modules as files."""
    for name, wasm in MODULES.items():
        (tmp_path / f"{name}.wasm").write_bytes(wasm)
    return tmp_path


def produce(
    modules: Path, module: str | None, *options: str, stdin: bytes, topic: str = "t"
) -> Result:
    """Write to a topic, through a module."""
    chosen = () if module is None else ("--smartmodule-path", f"{module}.wasm")
    return run("produce", topic, "--create", *chosen, *options, stdin=stdin, cwd=modules)


def records(topic: str = "t") -> list[dict[str, object]]:
    result = run("consume", topic, "-B", "-d", "-O", "records")
    assert 0 == result.code, result.stderr
    found = [json.loads(line) for line in result.lines]
    return sorted(found, key=lambda each: (each["partition"], each["offset"]))


def values(topic: str = "t") -> list[object]:
    return [record["value"] for record in records(topic)]


# ------------------------------------------------------------------ what is stored


@BOTH
def test_what_the_module_keeps_is_stored(module, modules):
    """With dense offsets: what was dropped leaves no gap, as it does on Fluvio."""
    result = produce(modules, module, stdin=b"a\nd\nx1\nd\nb\n")

    assert (0, b"", "") == (result.code, result.stdout, result.stderr)
    assert [("a", 0), ("x1", 1), ("x1", 2), ("b", 3)] == [
        (each["value"], each["offset"]) for each in records()
    ]


@BOTH
@pytest.mark.parametrize("count", [1, 1000, 200_000])
def test_all_filtered_is_success(module, count, modules):
    """Nothing is stored, and nothing is wrong; what comes later begins at offset 0."""
    result = produce(modules, module, stdin=b"d\n" * count)

    assert (0, "", []) == (result.code, result.stderr, records())
    produce(modules, module, stdin=b"d\na\nd\n")
    assert [("a", 0)] == [(each["value"], each["offset"]) for each in records()]


@pytest.mark.parametrize("module", ["puppet", "map", "stateless"])
def test_records_keep_what_modules_do_not_see(module, modules):
    """Timestamps of any distance, headers, keys and null."""
    stamps = [0, 2**31, 5, 2**33, 2**31 - 1, 1_700_000_000_000, 253402300799999, 1]
    lines = [
        json.dumps(
            {"key": None if number % 3 else f"k{number}", "timestamp": stamp}
            | {"value": None if number == 4 else "" if number == 5 else f"v{number}"}
            | {"headers": [["n", str(number)], ["none", None]]}
        )
        for number, stamp in enumerate(stamps * 2)
    ]
    stdin = "\n".join(lines).encode()
    produce(modules, None, "--input", "records", stdin=stdin, topic="plain")
    produce(modules, module, "--input", "records", stdin=stdin)

    assert [{**each, "topic": "t"} for each in records("plain")] == records()


def test_parameters_reach_the_module(modules, monkeypatch):
    """And the secret is not told."""
    monkeypatch.setenv("TOKEN", "s3cret")
    result = produce(modules, "params", "--param-env", "key=TOKEN", stdin=b"a\n")

    assert (0, "") == (result.code, result.stderr)
    assert b"\0\1\0\3key\0\6s3cret\0" in run("consume", "t", "-B", "-d", "-O", "raw").stdout


@BOTH
def test_keys_choose_partitions_as_without_a_module(module, modules):
    """Before the module sees the record; it sees those of one partition in their order."""
    stdin = b"".join(b"k%d:%c%d\n" % (n % 11, b"ad"[n % 5 == 0], n) for n in range(5000))
    run("topic", "create", "t", "-p", "4")
    run("topic", "create", "plain", "-p", "4")
    produce(modules, module, "--key-separator", ":", stdin=stdin)
    produce(modules, None, "--key-separator", ":", stdin=stdin, topic="plain")

    def places(topic: str) -> list[tuple[object, ...]]:
        found = ((each["partition"], each["key"], str(each["value"])) for each in records(topic))
        return [each for each in found if not each[2].startswith("d")]

    assert places("plain") == places("t")
    assert 4 == len({partition for partition, _, _ in places("t")})


def test_a_module_that_remembers_has_an_instance_for_each_partition(modules):
    """Each keeps the first `o` of its partition."""
    stdin = b"".join(b"k%d:o%d\n" % (number % 11, number) for number in range(500))
    run("topic", "create", "t", "-p", "3")
    produce(modules, "puppet", "--key-separator", ":", stdin=stdin)

    assert [(0, 0), (1, 0), (2, 0)] == [(each["partition"], each["offset"]) for each in records()]


@BOTH
@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_compression_is_kept(module, compression, modules):
    """What is stored is compressed as without a module: as the topic or the producer says."""
    stdin = b"".join(b"a%d %s\n" % (number, b"." * 90) for number in range(2000))
    run("topic", "create", "fixed", "--compression-type", compression)
    produce(modules, module, "--compression", compression, stdin=stdin)
    produce(modules, module, stdin=stdin, topic="fixed")
    produce(modules, None, "--compression", compression, stdin=stdin, topic="plain")
    sizes = {each["name"]: each["size_bytes"] for each in run("topic", "list", "-O", "json").json}

    assert sizes["t"] == sizes["fixed"]
    assert abs(sizes["t"] - sizes["plain"]) < sizes["plain"] / 20
    assert (sizes["t"] < len(stdin) / 4) == (compression != "none")
    assert stdin.decode().splitlines() == values() == values("fixed")


def test_batches_stay_below_their_size(modules):
    """--batch-size is that of what is stored, whatever the module made."""
    produce(modules, "puppet", "--batch-size", "1000", stdin=b"x%s\n" % (b"." * 50) * 100)
    (row,) = run("partition", "list", "t", "-O", "json").json

    assert 200 == row["record_count"]
    assert row["size_bytes"] / row["batch_count"] <= 1000
    assert row["batch_count"] > 10


def test_a_module_may_make_more_than_a_batch(modules):
    """A record as large as a request, twice: as two batches."""
    value = b"x" + b"." * 1_000_000
    assert 0 == produce(modules, "puppet", stdin=value + b"\n").code
    (row,) = run("partition", "list", "t", "-O", "json").json

    assert (2, 2) == (row["record_count"], row["batch_count"])
    assert [value.decode()] * 2 == values()


@pytest.mark.parametrize(
    ("options", "expected"),
    [((), 0), (("-l", "4"), 4), (("-l", "100"), 6), (("--lookback-age", "1h"), 2)],
)
def test_look_back_is_at_what_is_stored(options, expected, modules):
    """All of it is before what is produced."""
    produce(modules, None, "--timestamp", "-3h", stdin=b"a\nb\nc\nd\n")
    produce(modules, None, stdin=b"e\nf\n")
    produce(modules, "fed", *options, stdin=b"g\n")

    stored = run("consume", "t", "-T", "1", "-d", "-O", "raw").stdout
    assert expected.to_bytes(4, "big") + b"\n" == stored


def test_each_partition_looks_back_at_its_own(modules):
    """And at no other's."""
    run("topic", "create", "t", "-p", "2")
    produce(modules, None, "-p", "0", stdin=b"a\nb\nc\n")
    produce(modules, None, "-p", "1", stdin=b"a\n")
    for partition in "01":
        produce(modules, "fed", "-l", "100", "-p", partition, stdin=b"g\n")
        stored = run("consume", "t", "-p", partition, "-T", "1", "-d", "-O", "raw").stdout
        assert (3, 1)[int(partition)].to_bytes(4, "big") + b"\n" == stored


# ---------------------------------------------------------------------- failures


@BOTH
def test_on_error_stop(module, modules):
    """What came before is stored, and said; exit code 1."""
    result = produce(modules, module, stdin=b"a\nd\nb\nE2\nc\n")

    assert (1, b"", ["a", "b"]) == (result.code, result.stdout, values())
    assert (
        "2 records are stored (partition 0: 0 to 1)\n"
        "error: SmartModule transform error bad\n\nSmartModule Info: \n    Type: Filter\n"
        "    Offset: 3\n    Key: NULL\n    Value: E2\n"
    ) in result.stderr
    assert f'  in the SmartModule "{module}.wasm", offset 3 in the input for t-0; ' in result.stderr


@BOTH
def test_on_error_skip(module, modules):
    """All others are stored; exit code 5 and the report count the others."""
    result = produce(
        modules, module, "--on-error", "skip", "--report", "json", stdin=b"a\nE\nx\nd\nT\nb\n"
    )
    *_, report, error, hint = result.stderr.splitlines()
    found = json.loads(report)

    assert (5, ["a", "x", "x", "b"]) == (result.code, values())
    assert ("t", 4, 2, 0, 12) == (
        found["topic"],
        found["records"],
        found["failed"],
        found["duplicates"],
        found["bytes_read"],
    )
    assert [{"partition": 0, "first_offset": 0, "last_offset": 3, "records": 4}] == (
        found["partitions"]
    )
    assert "error: 2 records were skipped, of 6: a SmartModule failed at them" == error
    assert "  --on-error dead-letter=TOPIC keeps such records" == hint


@BOTH
def test_on_error_dead_letter(module, modules):
    """With the topic it was for, and the number it had in the input."""
    options = ("--key", "k", "--header", "h=v", "--timestamp", "1700000000000")
    result = produce(
        modules, module, *options, "--on-error", "dead-letter=failed", stdin=b"a\nE2\nb\n"
    )
    (letter,) = records("failed")

    assert (0, ["a", "b"]) == (result.code, values())
    assert "1 record was sent to the topic failed\n" == result.stderr
    assert {
        "topic": "failed",
        "partition": 0,
        "offset": 0,
        "timestamp": 1_700_000_000_000,
        "timestamp_type": "create",
        "key": "k",
        "value": "E2",
        "headers": [
            ["h", "v"],
            ["dataflare-module", f"{module}.wasm"],
            ["dataflare-error", "bad"],
            ["dataflare-topic", "t"],
            ["dataflare-partition", "0"],
            ["dataflare-offset", "1"],
        ],
    } == letter


def test_dead_letters_do_not_go_where_records_go(modules):
    """Nothing is read."""
    result = produce(modules, "puppet", "--on-error", "dead-letter=t", stdin=b"a\n")

    assert (2, []) == (result.code, values())
    assert "dead letters can't go to t, where the records belong" in result.stderr


@BOTH
def test_atomic_is_all_or_nothing(module, modules):
    """A failure stores nothing; without one all is stored in one commit."""
    bad = produce(modules, module, "--atomic", stdin=b"a\nE\nb\n")
    assert (1, []) == (bad.code, values())
    assert "stored (" not in bad.stderr

    good = produce(modules, module, "--atomic", "--report", "json", stdin=b"a\nd\nx\n")
    assert (0, 1, ["a", "x", "x"]) == (
        good.code,
        json.loads(good.stderr)["commits"],
        values(),
    )
    skip = produce(modules, module, "--atomic", "--on-error", "skip", stdin=b"E\nb\n")
    assert (5, ["a", "x", "x", "b"]) == (skip.code, values())
    both = produce(modules, module, "--atomic", "--on-error", "dead-letter=failed", stdin=b"a\n")
    assert (2, True) == (both.code, "--atomic, --on-error dead-letter" in both.stderr)


def test_a_module_that_is_none_stores_nothing(modules):
    """And makes no topic."""
    (modules / "text.wasm").write_text("(module)")
    result = produce(modules, "text", stdin=b"a\n")

    assert (1, True) == (result.code, "SmartModule text.wasm is invalid" in result.stderr)
    assert 1 == run("topic", "describe", "t").code


# ------------------------------------------------------------------- what is said


@BOTH
def test_the_report_counts_what_is_stored(module, modules):
    """Not what was read: that is in bytes."""
    result = produce(modules, module, "--report", "json", stdin=b"a\nd\nx\nd\n")
    report = json.loads(result.stderr)

    assert (3, 0, 8, 1) == (
        report["records"],
        report["failed"],
        report["bytes_read"],
        report["commits"],
    )
    nothing = json.loads(produce(modules, module, "--report", "json", stdin=b"d\n").stderr)
    assert (0, 0, []) == (nothing["records"], nothing["commits"], nothing["partitions"])


@BOTH
def test_tee_passes_the_input_on(module, modules):
    """As it was, dropped lines as well, once what became of it is stored."""
    stdin = b"".join(b"%c%d\n" % (b"ad"[n % 2], n) for n in range(50_000))

    assert stdin == produce(modules, module, "--tee", stdin=stdin).stdout
    assert 25_000 == len(values())


@BOTH
def test_tee_ends_at_the_failure(module, modules):
    """What is passed on is what is stored, or was dropped."""
    result = produce(modules, module, "--tee", stdin=b"a\nd\nb\nE\nc\n")

    assert (1, b"a\nd\nb\n") == (result.code, result.stdout)


@BOTH
def test_verbose_shows_keys_and_values(module, modules):
    """Of the input."""
    result = produce(modules, module, "-v", "--key-separator", ":", stdin=b"k:a\nl:d\n")

    assert b"[k] a\n[l] d\n" == result.stdout


# ------------------------------------------------------------------- several cores


def test_the_parallel_way_stores_what_the_serial_way_does(modules):
    """Over many batches and two partitions: of each, every record in its order."""
    lines = []
    for number in range(150_000):
        word = "adxab"[int(hashlib.md5(b"%d" % number).hexdigest(), 16) % 5]
        lines.append(f"k{number % 9}:{word}{number} {'.' * (number % 60)}")
    stdin = "\n".join(lines).encode()
    for topic, module in (("serial", "puppet"), ("parallel", "stateless")):
        run("topic", "create", topic, "-p", "2")
        assert 0 == produce(modules, module, "--key-separator", ":", stdin=stdin, topic=topic).code
    show = ("-B", "-d", "-F", "{{partition}} {{offset}} {{key}} {{value}}")

    for partition in "01":
        stored = [
            run("consume", topic, *show, "-p", partition).stdout for topic in ("serial", "parallel")
        ]
        assert hashlib.sha256(stored[0]).digest() == hashlib.sha256(stored[1]).digest()
        assert len(stored[0]) > 1_000_000


@BOTH
def test_a_failure_far_behind_is_at_the_right_record(module, modules):
    """Everything before it is stored, nothing after it."""
    lines = [b"a%d" % number for number in range(200_000)]
    lines[150_000] = b"E"
    result = produce(modules, module, stdin=b"\n".join(lines))

    assert (1, True) == (result.code, "    Offset: 150000\n" in result.stderr)
    assert "150000 records are stored (partition 0: 0 to 149999)\n" in result.stderr
    stored = run("consume", "t", "-B", "-d").stdout
    assert b"\n".join(lines[:150_000]) + b"\n" == stored


# ----------------------------------------------------------------- as a part of pipes


@BOTH
def test_slow_lines_are_stored_at_once(module, modules):
    """A line that comes alone reaches a follower before the next one is written."""
    run("topic", "create", "t")
    words = ("produce", "t", "--smartmodule-path", f"{module}.wasm")
    with (
        start_process("consume", "t", "-B") as follower,
        start_process(*words, cwd=modules) as producer,
    ):
        assert producer.stdin is not None
        assert follower.stdout is not None
        for number in range(20):
            producer.stdin.write(b"d\nline %d\n" % number)
            producer.stdin.flush()
            assert b"line %d\n" % number == follower.stdout.readline()
        producer.stdin.close()
        assert 0 == producer.wait(timeout=WAIT_S)


@BOTH
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_a_signal_ends_a_module_that_never_ends(number, code, module, modules):
    """At once, and says what is stored."""
    run("topic", "create", "t")
    words = ("produce", "t", "--sm-time", LONG, "--smartmodule-path", f"{module}.wasm")
    with (
        start_process("consume", "t", "-B") as follower,
        start_process(*words, cwd=modules) as producer,
    ):
        assert producer.stdin is not None
        assert follower.stdout is not None
        producer.stdin.write(b"a\n")
        producer.stdin.flush()
        assert b"a\n" == follower.stdout.readline()
        producer.stdin.write(b"L\n")
        producer.stdin.flush()
        wait_until_busy(producer.pid)
        began = time.monotonic()
        producer.send_signal(number)
        stdout, stderr = producer.communicate(timeout=WAIT_S)

    assert (code, True) == (producer.returncode, time.monotonic() - began < 10)
    assert (b"", b"interrupted: 1 record is stored (partition 0: 0 to 0)\n") == (stdout, stderr)


def test_through_a_pipe_of_processes(modules):
    """A module in each of `consume | produce`."""
    produce(modules, None, stdin=b"a\nd\nx\nE\n")
    first = run_process(
        *("consume", "t", "-B", "-d", "-O", "records"),
        *("--smartmodule-path", modules / "stateless.wasm", "--on-error", "skip"),
    )
    second = run_process(
        *("produce", "u", "--create", "--input", "records"),
        *("--smartmodule-path", modules / "map.wasm"),
        stdin=first.stdout,
    )

    assert (5, 0) == (first.code, second.code)
    assert ["a", "x", "x"] == values("u")
