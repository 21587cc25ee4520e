"""Programs: every instruction, in every encoding."""

import base64
import datetime as dt
import json

import pytest
from hypothesis import given
from strategies import programs, records, timestamps

from dataflare_cli.codec.program import Encoding, Instruction, Op, render
from dataflare_cli.model import Record, TimestampType

RECORD = Record(
    b"caf\xc3\xa9\n",
    b"k\xff",
    ((b"h", b"x"), (b"h", None)),
    1_672_628_645_678,
    42,
    TimestampType.APPEND,
)
NOTHING = Record(None)
EMPTY = Record(b"", b"")


def write(op: Op, record: Record = RECORD, encoding: Encoding = Encoding.EXACT) -> bytes:
    return render((Instruction(op, encoding, null=b"<null>"),), record, 7)


@pytest.mark.parametrize(
    ("op", "written"),
    [
        (Op.KEY, b"k\xff"),
        (Op.VALUE, b"caf\xc3\xa9\n"),
        (Op.OFFSET, b"42"),
        (Op.PARTITION, b"7"),
        (Op.TIMESTAMP_MS, b"1672628645678"),
        (Op.TIME, b"2023-01-02T03:04:05.678Z"),
        (Op.TIMESTAMP_TYPE, b"append"),
        (Op.KEY_SIZE, b"2"),
        (Op.VALUE_SIZE, b"6"),
        (Op.HEADER_COUNT, b"2"),
        (Op.HEADERS_JSON, b',"headers":[["h","x"],["h",null]]'),
        (Op.TIMESTAMP_JSON, b',"timestamp":1672628645678,"timestamp_type":"append"'),
    ],
)
def test_what_an_instruction_writes(op, written):
    """One instruction writes one thing of a record."""
    assert written == write(op)


@pytest.mark.parametrize(
    ("op", "written"),
    [
        (Op.KEY, b"<null>"),
        (Op.VALUE, b"<null>"),
        (Op.TIMESTAMP_MS, b"-1"),
        (Op.TIME, b"NA"),
        (Op.TIMESTAMP_TYPE, b"create"),
        (Op.KEY_SIZE, b"-1"),
        (Op.VALUE_SIZE, b"-1"),
        (Op.HEADER_COUNT, b"0"),
        (Op.HEADERS_JSON, b""),
        (Op.TIMESTAMP_JSON, b""),
    ],
)
def test_what_an_instruction_writes_of_nothing(op, written):
    """Null has a word of its own, in its place a size of -1; what is absent writes nothing."""
    assert written == write(op, NOTHING)


def test_empty_is_not_null():
    """An empty key and value are written as such in every encoding."""
    for encoding, written in ((Encoding.JSON, b'""'), (Encoding.HEX, b""), (Encoding.EXACT, b"")):
        assert written == write(Op.VALUE, EMPTY, encoding)
    assert b"0" == write(Op.VALUE_SIZE, EMPTY)


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        (Encoding.EXACT, b"<null>"),
        (Encoding.JSON, b"null"),
        (Encoding.HEX, b"<null>"),
        (Encoding.BASE64, b"<null>"),
    ],
)
def test_null_in_every_encoding(encoding, written):
    """JSON has a null of its own, the others write the instruction's."""
    assert written == write(Op.KEY, NOTHING, encoding)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"plain", b'"plain"'),
        (b'"\\/', b'"\\"\\\\/"'),
        (b"\b\f\n\r\t", b'"\\b\\f\\n\\r\\t"'),
        (b"\0\x1f\x7f", b'"\\u0000\\u001f\\u007f"'),
        ("€𝄞\u2028".encode(), '"€𝄞\u2028"'.encode()),
        (b"\xff", b'{"base64":"/w=="}'),
        (b"\xc0\x80", b'{"base64":"wIA="}'),
        (b"\xed\xa0\x80", b'{"base64":"7aCA"}'),
        (b"\xf4\x90\x80\x80", b'{"base64":"9JCAgA=="}'),
    ],
)
def test_json_escapes_and_keeps(value, written):
    """Text stays raw UTF-8 but for what must be escaped; other bytes are base64 in an object."""
    assert written == write(Op.VALUE, Record(value), Encoding.JSON)


@given(records())
def test_encodings_can_be_undone(record):
    """Invariants: every encoding but EXACT's null gives back the bytes it was given."""
    for op, data in ((Op.KEY, record.key), (Op.VALUE, record.value)):
        parsed = json.loads(write(op, record, Encoding.JSON))
        if isinstance(parsed, dict):
            parsed = base64.b64decode(parsed["base64"], validate=True)
        elif parsed is not None:
            parsed = parsed.encode()
        assert data == parsed
        if data is not None:
            assert data == bytes.fromhex(write(op, record, Encoding.HEX).decode())
            assert data == base64.b64decode(write(op, record, Encoding.BASE64), validate=True)


@given(records())
def test_headers_and_timestamp_make_json(record):
    """Invariants: after a first field, what the JSON instructions write is valid JSON."""
    program = (
        Instruction(Op.LITERAL, literal=b'{"a":1'),
        Instruction(Op.TIMESTAMP_JSON),
        Instruction(Op.HEADERS_JSON),
        Instruction(Op.LITERAL, literal=b"}"),
    )
    parsed = json.loads(render(program, record, 0))

    assert len(record.headers) == len(parsed.get("headers", []))
    assert [name.decode() for name, _ in record.headers] == [
        name for name, _ in parsed.get("headers", [])
    ]
    assert record.timestamp_ms == parsed.get("timestamp", -1)


@pytest.mark.parametrize(
    ("timestamp_ms", "written"),
    [
        (0, b"1970-01-01T00:00:00.000Z"),
        (-2, b"1969-12-31T23:59:59.998Z"),
        (951_782_400_000, b"2000-02-29T00:00:00.000Z"),
        (4_107_542_399_999, b"2100-02-28T23:59:59.999Z"),
        (253_402_300_799_999, b"9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, b"253402300800000"),
        (-62_135_596_800_000, b"0001-01-01T00:00:00.000Z"),
        (-62_167_219_200_000, b"0000-01-01T00:00:00.000Z"),
        (-62_162_121_600_000, b"0000-02-29T00:00:00.000Z"),
        (-62_167_219_200_001, b"-62167219200001"),
        (2**63 - 1, b"9223372036854775807"),
        (-(2**63), b"-9223372036854775808"),
    ],
)
def test_times_at_the_edges_of_the_calendar(timestamp_ms, written):
    """Years have four digits, or the time is a number."""
    assert written == write(Op.TIME, Record(None, timestamp_ms=timestamp_ms))


@given(timestamps.filter(lambda ms: 0 <= ms < 253_402_300_800_000))
def test_times_are_datetimes(timestamp_ms):
    """Invariants: a time reads back, by the standard library, as the same millisecond."""
    written = write(Op.TIME, Record(None, timestamp_ms=timestamp_ms)).decode()
    moment = dt.datetime.fromisoformat(written)

    assert dt.UTC == moment.tzinfo
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert timestamp_ms == (moment - epoch) // dt.timedelta(milliseconds=1)


@given(programs, programs, records())
def test_a_program_is_its_instructions_in_order(first, second, record):
    """Invariants: programs one after the other write what they write alone."""
    assert render(first + second, record, 3) == render(first, record, 3) + render(second, record, 3)
