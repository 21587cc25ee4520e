"""`dataflare produce kafka://…`, to a real Kafka: what kcat reads of it, and where keys go."""

import json

import pytest
import wat

from tests.harness import run


def told_by_kcat(kafka, topic: str) -> list[dict]:
    lines = kafka.kcat("-C", "-t", topic, "-e", "-q", "-J").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_what_kcat_reads(kafka, compression):
    """Keys, headers, nulls, timestamps, whatever the compression."""
    topic = f"to-kcat-{compression}"
    kafka.create(topic)
    records = [
        {"key": None if n % 3 else f"k{n}", "value": None if n == 7 else f"v{n}" * n}
        | {"timestamp": 1_700_000_000_000 + n, "headers": [["n", str(n)], ["none", None]]}
        for n in range(400)
    ]
    stdin = "".join(json.dumps(each) + "\n" for each in records).encode()
    options = ("--input", "records", "--compression", compression)
    result = run("produce", kafka.url(topic), *options, stdin=stdin)
    found = told_by_kcat(kafka, topic)

    assert (0, "") == (result.code, result.stderr)
    expected = [
        (n, each["timestamp"], each["key"], each["value"]) for n, each in enumerate(records)
    ]
    assert expected == [
        (each["offset"], each["ts"], each.get("key"), each.get("payload")) for each in found
    ]
    assert ["n", "9", "none", None] == found[9]["headers"]


def test_keys_go_where_kafka_puts_them(kafka):
    """The same partitions that kcat chooses with murmur2; without keys all have some."""
    for name in ("ours", "theirs", "unkeyed"):
        kafka.create(name, partitions=5)
    lines = b"".join(b"key-%d:%d\n" % (n, n) for n in range(500))
    run("produce", kafka.url("ours"), "--key-separator", ":", stdin=lines)
    murmur2 = ("-X", "partitioner=murmur2")
    kafka.kcat("-P", "-t", "theirs", "-K:", *murmur2, stdin=lines)
    run("produce", kafka.url("unkeyed"), stdin=lines)

    def placed(topic):
        return {each["payload"]: each["partition"] for each in told_by_kcat(kafka, topic)}

    assert placed("theirs") == placed("ours")
    assert 500 == len(placed("ours"))
    assert set(range(5)) == set(placed("unkeyed").values())


def test_many_batches_keep_their_order(kafka):
    """Several requests are under way at once, and none is written twice."""
    kafka.create("many", partitions=3)
    lines = b"".join(b"k%d:%08d %s\n" % (n % 50, n, b"x" * 90) for n in range(300_000))
    result = run(
        "produce", kafka.url("many"), "--key-separator", ":", "--report", "json", stdin=lines
    )
    report = json.loads(result.stderr.splitlines()[-1])
    back = run("consume", kafka.url("many"), "-B", "-d", "-f", "%k %v\\n")
    by_key: dict[str, list[str]] = {}
    for line in back.lines:
        key, number, _ = line.split(" ", 2)
        by_key.setdefault(key, []).append(number)

    assert (0, 300_000) == (result.code, report["records"])
    assert 300_000 == sum(map(len, by_key.values()))
    assert all(numbers == sorted(numbers) for numbers in by_key.values())


def test_through_a_smartmodule(kafka, tmp_path):
    """Before it is sent."""
    kafka.create("through")
    (tmp_path / "puppet.wasm").write_bytes(wat.puppet())
    options = ("--smartmodule-path", tmp_path / "puppet.wasm")
    result = run("produce", kafka.url("through"), *options, stdin=b"a\nd\nx1\nE\nb\n")

    assert 1 == result.code
    assert "3 records are stored (partition 0: 0 to 2)" in result.stderr
    assert ["a", "x1", "x1"] == [each["payload"] for each in told_by_kcat(kafka, "through")]


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_who_has_it(kafka, acks):
    """Whatever is waited for, it is written."""
    kafka.create(f"acks-{acks}")
    result = run("produce", kafka.url(f"acks-{acks}", f"acks={acks}"), stdin=b"a\nb\n")
    told = kafka.kcat("-C", "-t", f"acks-{acks}", "-c", "2", "-q")

    assert (0, b"a\nb\n") == (result.code, told)


@pytest.mark.parametrize(
    ("topic", "options", "code", "said"),
    [
        ("nowhere", (), 1, "Topic not found: nowhere"),
        ("to", ("-p", "4"), 1, "it has partitions 0 to 0"),
        ("to", ("--create",), 2, "--create can't be used with a URL"),
        ("to", ("--atomic",), 2, "--atomic can't be used with a URL"),
        ("to?acks=2", (), 2, "Invalid enum value '2'"),
        ("small", (), 1, "takes no batch of"),
    ],
)
def test_what_can_not_be_written(kafka, topic, options, code, said):
    """With what to do."""
    known = kafka.tool("org.apache.kafka.tools.TopicCommand", "--list").split()
    if "to" not in known:
        kafka.create("to")
        kafka.create("small", "--config", "max.message.bytes=1000")
    result = run("produce", f"kafka://{kafka.host}/{topic}", *options, stdin=b"x" * 3000 + b"\n")

    assert code == result.code
    assert said in result.stderr
