"""The lossless envelope: read back exactly, and strict about what it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import cuts, imported, records, run_importer, text_or_base64

from dataflare_cli.model import NO_TIMESTAMP, Record, TimestampType
from dataflare_cli.text.inputs import BadInput, Imported


def envelope(record: Record, partition: int | None, *, ascii_only: bool) -> bytes:
    """Return the line of a record as the design has it, by the standard library alone."""
    shown: dict[str, object] = {"topic": "t"}
    if partition is not None:
        shown["partition"] = partition
    shown["offset"] = record.offset
    if record.timestamp_ms != NO_TIMESTAMP:
        shown["timestamp"] = record.timestamp_ms
        shown["timestamp_type"] = record.timestamp_type.name.lower()
    shown["key"] = text_or_base64(record.key)
    shown["value"] = text_or_base64(record.value)
    if record.headers:
        shown["headers"] = [[name.decode(), text_or_base64(v)] for name, v in record.headers]
    return json.dumps(shown, ensure_ascii=ascii_only).encode() + b"\n"


@given(
    written=st.lists(st.tuples(records, st.none() | st.integers(0, 2**31 - 1)), max_size=5),
    ascii_only=st.booleans(),
    sizes=cuts,
)
def test_what_was_written_is_read_back(written, ascii_only, sizes):
    """Invariants: bytes, null, empty, headers in order, timestamps: all as before, any chunks."""
    data = b"".join(envelope(each, at, ascii_only=ascii_only) for each, at in written)
    items = run_importer("records", data, sizes)
    expected = [
        Imported(
            # Without a timestamp there is no type to write.
            Record(r.value, r.key, r.headers, r.timestamp_ms, r.offset)
            if r.timestamp_ms == NO_TIMESTAMP
            else r,
            partition,
            line,
        )
        for line, (r, partition) in enumerate(written, 1)
    ]
    assert expected == items


def test_only_key_and_value_are_needed():
    """Everything else has a value when it is absent."""
    assert [Record(b"v", None)] == imported(run_importer("records", b'{"key":null,"value":"v"}'))


def test_null_empty_and_the_word_null_are_three_things():
    """The reason for the envelope."""
    data = b'{"key":null,"value":""}\n{"key":"","value":null}\n{"key":"null","value":"null"}\n'
    assert [Record(b"", None), Record(None, b""), Record(b"null", b"null")] == imported(
        run_importer("records", data)
    )


def test_the_timestamp_type_is_kept():
    """A file of envelopes can be shown again as it was."""
    data = b'{"key":null,"value":"v","timestamp":5,"timestamp_type":"append"}'
    (record,) = imported(run_importer("records", data))
    assert (5, TimestampType.APPEND) == (record.timestamp_ms, record.timestamp_type)


def test_carriage_returns_before_newlines_are_blanks():
    """Files from elsewhere are read as they are."""
    data = b'{"key":null,"value":"a\\r"}\r\n\r\n{"key":null,"value":"b"}\r\n'
    assert [b"a\r", b"b"] == [each.value for each in imported(run_importer("records", data))]


REFUSED = {
    b"x": "malformed",
    b'"text"': "Expected `object`",
    b"[]": "Expected `object`",
    b"{}": "missing required field `key`",
    b'{"key":null}': "missing required field `value`",
    b'{"value":null}': "missing required field `key`",
    b'{"key":null,"value":null} x': "trailing characters",
    b'{"key":null,"value":null': "truncated",
    b'{"key":null,"value":null,"valeu":"x"}': "unknown field `valeu`",
    b'{"key":null,"value":{"base64":"YQ==","x":1}}': "unknown field `x`",
    b'{"key":null,"value":{"base46":"YQ=="}}': "unknown field `base46`",
    b'{"key":null,"value":{}}': "missing required field `base64`",
    b'{"key":null,"value":{"base64":"YQ="}}': "Invalid base64",
    b'{"key":null,"value":{"base64":"YQ"}}': "Invalid base64",
    b'{"key":null,"value":{"base64":"Y-_="}}': "Invalid base64",
    b'{"key":null,"value":{"base64":"Y Q=="}}': "Invalid base64",
    b'{"key":null,"value":{"base64":null}}': "Expected `bytes`, got `null`",
    b'{"key":1,"value":null}': "`$.key`",
    b'{"key":null,"value":{"a":1}}': "`$.value`",
    b'{"key":null,"value":true}': "`$.value`",
    b'{"key":null,"value":"\xff"}': "not UTF-8",
    b'{"key":null,"value":"\\ud800"}': "truncated",
    b'{"key":null,"value":"\t"}': "malformed",
    b'{"key":null,"value":null,"timestamp":"5"}': "`$.timestamp`",
    b'{"key":null,"value":null,"timestamp":1.5}': "`$.timestamp`",
    b'{"key":null,"value":null,"timestamp":9223372036854775808}': "`$.timestamp`",
    b'{"key":null,"value":null,"timestamp_type":"CREATE"}': "`$.timestamp_type`",
    b'{"key":null,"value":null,"partition":-1}': "`$.partition`",
    b'{"key":null,"value":null,"partition":2147483648}': "`$.partition`",
    b'{"key":null,"value":null,"offset":-1}': "`$.offset`",
    b'{"key":null,"value":null,"topic":5}': "`$.topic`",
    b'{"key":null,"value":null,"headers":{"a":"b"}}': "`$.headers`",
    b'{"key":null,"value":null,"headers":[["a"]]}': "`$.headers[0]`",
    b'{"key":null,"value":null,"headers":[["a","b","c"]]}': "`$.headers[0]`",
    b'{"key":null,"value":null,"headers":[[null,"b"]]}': "`$.headers[0][0]`",
}


@pytest.mark.parametrize(("line", "problem"), REFUSED.items(), ids=lambda each: repr(each)[:60])
def test_what_is_not_exactly_an_envelope_is_refused(line, problem):
    """The line is told, with the place inside it; the next one is read."""
    bad, good = run_importer("records", line + b'\n{"key":null,"value":"good"}\n')
    assert isinstance(bad, BadInput)
    assert 1 == bad.line
    assert problem in bad.problem
    assert (b"good", 2) == (good.record.value, good.line)


def test_the_largest_record_fits_in_its_notation():
    """A value of control characters is six times as long in JSON: the limit is about bytes."""
    value = b"\0" * 1_048_576
    line = json.dumps({"key": None, "value": value.decode()}).encode()
    assert [Record(value, None)] == imported(run_importer("records", line, [65_536] * 50))
