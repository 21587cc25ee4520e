r"""kcat's `-J`: what the program itself printed, live and recorded, and a model of its writer.

The live test needs kcat (1.7.1, librdkafka 2.0.2): one process holds librdkafka's mock cluster,
others produce to it and consume from it.
"""

import os
import re
import subprocess
import threading
from collections import deque
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import contents, cuts, imported, names, run_importer

from dataflare_cli.model import Record, TimestampType
from dataflare_cli.text.inputs import BadInput, Imported

TOPIC = "t"
# Bytes that are no text, what JSON escapes, and what looks like its escapes.
ODD = b'\xff\x00"\\\\ud83d\\u0041\x7f\xc3\xa9/</a>\t\r\x1f\xed\xa0\x80'


@pytest.fixture
def cluster() -> Iterator[str]:
    """The address of a mock cluster that lives as long as the test."""
    command = ["kcat", "-P", "-t", TOPIC, "-b", "mock", "-X", "test.mock.num.brokers=1"]
    with subprocess.Popen(
        [*command, "-d", "mock"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stderr is not None
        # It goes on talking, and would stop where nobody listens.
        drain = threading.Thread(target=deque, args=(process.stderr, 0), daemon=True)
        try:
            found = None
            while found is None:
                line = process.stderr.readline()
                assert line, "kcat ended without a cluster"
                found = re.search(rb"bootstrap\.servers=([0-9.:]+)", line)
            drain.start()
            yield found[1].decode()
        finally:
            process.kill()
            if drain.is_alive():
                drain.join()


def environment() -> dict[str, str]:
    """Return an environment without a configuration of kcat."""
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def kcat(address: str, *options: str, data: bytes = b"") -> bytes:
    """Run kcat with a partition of the topic and return what it prints."""
    command = ["kcat", "-q", "-b", address, "-t", TOPIC, "-p", "0", *options]
    done = subprocess.run(
        command, input=data, stdout=subprocess.PIPE, check=True, timeout=60, env=environment()
    )
    return done.stdout


def test_what_kcat_consumes_is_read_back(cluster):
    """Keys, null and empty, headers, and bytes that are not UTF-8 arrive as they were sent."""
    headers = ("-H", "h=1", "-H", "h=2", "-H", "e=", "-H", "n", "-H", "u=ü")
    kcat(cluster, "-P", "-K:", *headers, data=b"k1:v1\nk2:\n:v3\nplain\n")
    kcat(cluster, "-P", "-K:", "-Z", data=b"d:\n")
    kcat(cluster, "-P", "-D", "#", "-z", "lz4", data=ODD + b"#two\nlines#")
    shown = kcat(cluster, "-C", "-o", "beginning", "-e", "-J")
    items = run_importer("kcat", shown, [7] * 50)
    sent = ((b"h", b"1"), (b"h", b"2"), (b"e", b""), (b"n", None), (b"u", "ü".encode()))
    assert [
        (b"v1", b"k1", sent),
        (b"", b"k2", sent),
        (b"v3", b"", sent),
        (b"plain", None, sent),
        (None, b"d", ()),
        (ODD, None, ()),
        (b"two\nlines", None, ()),
    ] == [(each.value, each.key, each.headers) for each in imported(items)]
    times = [str(each.timestamp_ms).encode() for each in imported(items)]
    assert re.findall(rb'"ts":(\d+)', shown) == times
    assert list(range(7)) == [each.offset for each in imported(items)]
    assert {0} == {each.partition for each in items if isinstance(each, Imported)}


RECORDED = b"""\
{"topic":"tt","partition":0,"offset":1,"tstype":"create","ts":1795554189151,"broker":1,\
"headers":["h","1","h","2","e","","n",null],"key":"k2","payload":""}
{"topic":"tt","partition":0,"offset":3,"tstype":"create","ts":1795554189164,"broker":1,\
"key":null,"payload":"x"}
{"topic":"tt","partition":0,"offset":4,"tstype":"create","ts":1795554189177,"broker":1,\
"key":"d","payload":null}
{"topic":"tt","partition":0,"offset":5,"tstype":"create","ts":1795554189190,"broker":1,\
"key":null,"payload":"bad\xff\\u0000\\"\\\\\x7f\xc3\xa9/</a>\\t\\n"}
"""


def test_recorded_output_is_read_back():
    """Four lines as kcat 1.7.1 printed them."""
    headers = ((b"h", b"1"), (b"h", b"2"), (b"e", b""), (b"n", None))
    assert [
        Record(b"", b"k2", headers, 1_795_554_189_151, 1),
        Record(b"x", None, (), 1_795_554_189_164, 3),
        Record(None, b"d", (), 1_795_554_189_177, 4),
        Record(b'bad\xff\x00"\\\x7f\xc3\xa9/</a>\t\n', None, (), 1_795_554_189_190, 5),
    ] == imported(run_importer("kcat", RECORDED))


def quoted(content: bytes | None) -> bytes:
    """Return a JSON string as kcat's writer makes it: only what JSON must escape is."""
    if content is None:
        return b"null"
    named = {0x22: rb"\"", 0x5C: rb"\\", 8: rb"\b", 9: rb"\t", 10: rb"\n", 12: rb"\f", 13: rb"\r"}
    pieces = (
        named.get(byte, bytes([byte]) if byte >= 0x20 else b"\\u%04X" % byte) for byte in content
    )
    return b'"' + b"".join(pieces) + b'"'


tricky = contents | st.lists(st.sampled_from([b"\\", b"\\u", b"d83d", b"\xff", b"ud", b'"'])).map(
    b"".join
)


@given(
    written=st.lists(
        st.tuples(tricky, tricky, st.lists(st.tuples(names, tricky), max_size=2), st.integers(0, 9))
    ),
    sizes=cuts,
)
def test_all_bytes_come_back(written, sizes):
    """Invariants: keys, values and header values of any bytes; null is null; order is kept."""
    data = b""
    for key, value, headers, offset in written:
        flat = b",".join(quoted(name) + b"," + quoted(content) for name, content in headers)
        data += b'{"topic":"t","partition":0,"offset":%d,"tstype":"create","ts":5,' % offset
        data += b'"headers":[%b],' % flat if headers else b""
        data += b'"key":%b,"payload":%b}\n' % (quoted(key), quoted(value))
    expected = [Record(value, key, tuple(h), 5, offset) for key, value, h, offset in written]
    assert expected == imported(run_importer("kcat", data, sizes))


START = b'{"topic":"t","partition":0,"offset":0,'


@pytest.mark.parametrize(
    ("rest", "record"),
    {
        b'"tstype":"logappend","ts":5,"key":null,"payload":"v"}': Record(
            b"v", timestamp_ms=5, timestamp_type=TimestampType.APPEND
        ),
        b'"tstype":"unknown","ts":0,"key":null,"payload":"v"}': Record(b"v"),
        # Builds with Avro: what was decoded is JSON.
        b'"key":5,"payload":{"a": [1, 2.50]},"value_schema_id":1}': Record(b'{"a":[1,2.50]}', b"5"),
        # Headers as kcat's help has them, and as newer sources can print them.
        b'"headers":{"a":"1","b":null},"key":null,"payload":"v"}': Record(
            b"v", headers=((b"a", b"1"), (b"b", None))
        ),
        b'"headers":{"a":["1",null]},"key":null,"payload":"v"}': Record(
            b"v", headers=((b"a", b"1"), (b"a", None))
        ),
    }.items(),
)
def test_other_builds_and_brokers_are_understood(rest, record):
    """Time set by the broker or not at all, decoded values, headers as an object."""
    assert [record] == imported(run_importer("kcat", START + rest))


@pytest.mark.parametrize(
    ("line", "problem"),
    {
        b"% Reached end of topic t [0] at offset 5": "malformed",
        b'{"a":1}': "missing required field `key`",
        START + b'"key":null}': "missing required field `payload`",
        START + b'"key":null,"payload":null,"payload_error":"no schema"}': "no schema",
        START + b'"key":null,"key_error":"no schema","payload":"v"}': "no schema",
        START + b'"key":null,"payload":"v","headers":["a"]}': "a value for each name",
        START + b'"key":null,"payload":"v","headers":[null,"a"]}': "Expected `str`",
        START + b'"key":null,"payload":"v","headers":["\xff","a"]}': "not UTF-8",
        START + b'"key":null,"payload":"\xff\\udcff"}': "surrogate",
        START + b'"key":null,"payload":"v","ts":"x"}': "`$.ts`",
    }.items(),
)
def test_what_kcat_does_not_print_is_told(line, problem):
    """A payload that kcat could not decode is not a null; the next line is read."""
    bad, good = run_importer("kcat", line + b"\n" + RECORDED.splitlines()[1])
    assert isinstance(bad, BadInput)
    assert 1 == bad.line
    assert problem in bad.problem
    assert (b"x", 2) == (good.record.value, good.line)
