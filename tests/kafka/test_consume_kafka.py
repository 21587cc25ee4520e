"""`dataflare consume kafka://…`, of a real Kafka: what kcat and other clients have written."""

import asyncio
import json
import signal

import pytest
import wat
from aiokafka import AIOKafkaProducer

from tests.harness import run, start_process

WAIT_S = 60


def consume(url: str, *options: str):
    start = () if {"-o", "-T", "-B", "-H", "--start"} & set(options) else ("-B",)
    return run("consume", url, "-d", *start, *options)


def records(url: str, *options: str) -> list[dict]:
    result = consume(url, "-O", "records", *options)
    assert (0, "") == (result.code, result.stderr)
    return [json.loads(line) for line in result.lines]


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_what_kcat_writes(kafka, compression):
    """Keys, headers, nulls, timestamps and offsets, whatever the compression."""
    topic = f"from-kcat-{compression}"
    kafka.create(topic)
    lines = b"".join(b"k%d:%s\n" % (n, b"x" * n) for n in range(500)) + b"last:\n"
    words = ("-P", "-t", topic, "-K:", "-z", compression, "-H", "a=b", "-H", "c=", "-Z")
    kafka.kcat(*words, stdin=lines)
    told = kafka.kcat("-C", "-t", topic, "-e", "-q", "-J").splitlines()
    expected = [json.loads(line) for line in told]
    found = records(kafka.url(topic))

    assert 501 == len(found) == len(expected)
    assert [(each["offset"], each["ts"], each["key"], each["payload"]) for each in expected] == [
        (each["offset"], each["timestamp"], each["key"], each["value"]) for each in found
    ]
    assert {(("a", "b"), ("c", ""))} == {tuple(map(tuple, each["headers"])) for each in found}
    assert found[-1]["value"] is None


def test_where_it_begins_and_ends(kafka):
    """The same words as for a topic here, in each of several partitions."""
    kafka.create("places", partitions=3)
    for partition in range(3):
        lines = b"".join(b"%d-%d\n" % (partition, n) for n in range(10))
        kafka.kcat("-P", "-t", "places", "-p", str(partition), stdin=lines)
    url = kafka.url("places")

    assert 30 == len(consume(url).lines)
    assert [f"1-{n}" for n in range(10)] == consume(url, "-p", "1").lines
    assert ["0-8", "0-9", "1-8", "1-9", "2-8", "2-9"] == sorted(consume(url, "-T", "2").lines)
    assert ["2-3", "2-4"] == consume(url, "-o", "3:5", "-p", "2").lines
    assert ["2-3", "2-4", "2-5"] == consume(url, "--start", "3", "--end", "5", "-p", "2").lines
    assert ["2-7", "2-8", "2-9"] == consume(url, "-H", "7", "-p", "2").lines
    assert 30 == len(consume(url, "-o", "@-1h:").lines)
    assert 4 == len(consume(url, "-n", "4").lines)
    assert ["0-9 9"] == consume(url, "-T", "1", "-p", "0", "-f", "%v %o\\n").lines


async def _transact(host: str, topic: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=host, transactional_id=topic)
    await producer.start()
    try:
        for name, is_good in ((b"a", True), (b"b", False), (b"c", True)):
            await producer.begin_transaction()
            for number in range(3):
                await producer.send_and_wait(topic, b"%b%d" % (name, number))
            await (producer.commit_transaction() if is_good else producer.abort_transaction())
    finally:
        await producer.stop()


def test_aborted_transactions_are_not_shown(kafka):
    """Unless it is asked for; markers never are, and have their offsets."""
    kafka.create("transactions")
    asyncio.run(_transact(kafka.host, "transactions"))
    everything = records(kafka.url("transactions", "isolation_level=read_uncommitted"))
    committed = records(kafka.url("transactions"))

    assert ["a0", "a1", "a2", "c0", "c1", "c2"] == [each["value"] for each in committed]
    assert [0, 1, 2, 8, 9, 10] == [each["offset"] for each in committed]
    assert [0, 1, 2, 4, 5, 6, 8, 9, 10] == [each["offset"] for each in everything]


@pytest.mark.parametrize("module", ["puppet", "stateless"])
def test_through_a_smartmodule(module, kafka, tmp_path, data_dir):
    """As of a topic here: what is kept, where it ends, dead letters in the local log."""
    topic = f"through-{module}"
    kafka.create(topic, partitions=2)
    lines = b"".join(b"%s%d\n" % ((b"x", b"d", b"a")[n % 3], n) for n in range(30_000))
    kafka.kcat("-P", "-t", topic, "-p", "1", stdin=lines + b"E\nlast\n")
    (tmp_path / "puppet.wasm").write_bytes(wat.puppet())
    said = {"stateless": True}
    stateless = wat.with_metadata(wat.puppet(words="TLBEdx"), said)
    (tmp_path / "stateless.wasm").write_bytes(stateless)
    chain = ("--smartmodule-path", str(tmp_path / f"{module}.wasm"))
    kept = {b"x": 2, b"d": 0, b"a": 1}
    expected = b"".join((line + b"\n") * kept[line[:1]] for line in lines.splitlines())
    url = kafka.url(topic)
    stopped = consume(url, *chain)
    went_on = consume(url, *chain, "--on-error", "dead-letter=failed")

    assert (1, expected) == (stopped.code, stopped.stdout)
    assert f"{topic}-1, offset 30000; " in stopped.stderr
    assert (0, expected + b"last\n") == (went_on.code, went_on.stdout)
    assert ["E"] == run("consume", "failed", "-B", "-d").lines
    assert expected.splitlines()[:5] == consume(url, *chain, "-n", "5").stdout.splitlines()
    assert ["last"] == consume(url, "--match", "^la").lines


def test_a_follower_sees_what_comes(kafka):
    """One by one, until somebody ends it."""
    kafka.create("followed", partitions=2)
    with start_process("consume", kafka.url("followed"), "-B") as follower:
        for number in range(3):
            kafka.kcat("-P", "-t", "followed", "-p", str(number % 2), stdin=b"%d\n" % number)
            assert b"%d\n" % number == follower.stdout.readline()
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=WAIT_S)

    assert 130 == follower.returncode


def test_a_reader_that_goes_away_ends_it(kafka):
    """Quietly, also while nothing comes."""
    kafka.create("left")
    kafka.kcat("-P", "-t", "left", stdin=b"one\n")
    with start_process("consume", kafka.url("left"), "-B") as follower:
        assert b"one\n" == follower.stdout.readline()
        follower.stdout.close()
        follower.wait(WAIT_S)
        stderr = follower.stderr.read()

    assert (141, b"") == (follower.returncode, stderr)


def test_what_ends_following(kafka):
    """An end, a time without news, the time for all."""
    kafka.create("ends")
    kafka.kcat("-P", "-t", "ends", stdin=b"a\nb\n")
    url = kafka.url("ends")

    assert b"a\n" == run("consume", url, "-o", "0:1").stdout
    assert (0, b"a\nb\n") == (
        (idle := run("consume", url, "-B", "--idle-timeout", "1s")).code,
        idle.stdout,
    )
    assert 124 == run("consume", url, "-B", "--timeout", "1s").code


def test_records_that_are_gone(kafka):
    """It says so, and goes on with the first that is there."""
    kafka.create("evicted")
    kafka.kcat("-P", "-t", "evicted", stdin=b"a\nb\nc\nd\n")
    script = kafka_delete(kafka, "evicted", 2)
    result = run("consume", kafka.url("evicted"), "-d", "-o", "0")

    assert (0, b"c\nd\n") == (result.code, result.stdout), script
    assert "evicted-0: Offset 0 is evicted. The next available is 2\n" == result.stderr


def kafka_delete(kafka, topic: str, before: int) -> str:
    """Delete a topic's records below an offset."""
    import tempfile

    wanted = {"partitions": [{"topic": topic, "partition": 0, "offset": before}], "version": 1}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(wanted, file)
        file.flush()
        name = "org.apache.kafka.tools.DeleteRecordsCommand"
        return kafka.tool(name, "--offset-json-file", file.name)


@pytest.mark.parametrize(
    ("url", "options", "code", "said"),
    [
        ("{host}/fouund", (), 1, 'Topic not found: fouund\n  did you mean "found"?'),
        ("{host}/", (), 2, "has no topic"),
        ("{host}/found?colour=red", (), 2, "Object contains unknown field `colour`"),
        ("{host}/found?client_id", (), 2, "its options are NAME=VALUE"),
        ("me:secret@{host}/found", (), 2, "a URL has no user and no password"),
        ("{host}/found", ("-c", "me"), 2, "--consumer can't be used with a URL"),
        ("{host}/found", ("--sm", "dedup", "-l", "5"), 2, "a look-back can't be used with a URL"),
        ("{host}/found", ("-p", "5"), 1, "it has partitions 0 to 0"),
        ("{host}/found", ("-o", "99"), 1, "start offset: 99 is greater than leo: 0"),
        ("127.0.0.1:1/found", (), 3, "no broker can be reached"),
    ],
)
def test_what_can_not_be_read(kafka, url, options, code, said):
    """With what to do, and without secrets."""
    if "found" not in kafka.tool("org.apache.kafka.tools.TopicCommand", "--list").split():
        kafka.create("found")
    result = run("consume", "kafka://" + url.format(host=kafka.host), "-d", *options)

    assert (code, b"") == (result.code, result.stdout)
    assert said in result.stderr
    assert "secret" not in result.stderr


def test_a_scheme_without_a_connector():
    """It says which there are."""
    result = run("consume", "amqp://host/queue", "-d")

    assert 1 == result.code
    assert "Connector not found: amqp\n  there are: " in result.stderr
