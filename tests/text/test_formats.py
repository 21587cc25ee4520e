"""Formatters: every output type in a pipe and on a terminal."""

import base64
import csv
import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.codec.program import render
from dataflare_cli.errors import UsageError
from dataflare_cli.model import Record, TimestampType
from dataflare_cli.text.formats import OUTPUTS, FormatOptions, make_formatter
from dataflare_cli.text.tableformat import Column, TableFormat

TABLE_FORMAT = TableFormat(name="t", columns=(Column(key_path="id"),))
HOSTILE = b"\x1b[2J\x9b\xc2\x9b31m\rtext"
RECORDS = st.builds(
    Record,
    value=st.binary(max_size=9) | st.text(max_size=9).map(str.encode) | st.none(),
    key=st.binary(max_size=9) | st.text(max_size=9).map(str.encode) | st.none(),
    headers=st.lists(
        st.tuples(st.text(max_size=3).map(str.encode), st.binary(max_size=3) | st.none()),
        max_size=2,
    ).map(tuple),
    timestamp_ms=st.integers(-1, 2**63 - 1),
    offset=st.integers(0, 2**63 - 1),
    timestamp_type=st.sampled_from(TimestampType),
)


def shown(value, *, key=None, **options):
    """Return what is written for one record of partition 3."""
    formatter = make_formatter(FormatOptions(topic="t", **options))
    record = Record(value=value, key=key, offset=7, timestamp_ms=5)
    return formatter.format(record, 3)


@pytest.mark.parametrize("output", [None, "dynamic", "text", "raw", "DYNAMIC"])
@pytest.mark.parametrize("value", [b"", b"text", b"\0\xff\x1b", b"two\nlines\n", None])
def test_in_a_pipe_bytes_are_bytes(output, value):
    """Whatever the value is, it is written as it is, and a newline; in bulk."""
    assert (value or b"") + b"\n" == shown(value, output=output)
    assert make_formatter(FormatOptions(output=output)).program is not None


def test_raw_is_raw_on_a_terminal_too():
    """Who asks for the bytes gets them."""
    assert HOSTILE + b"\n" == shown(HOSTILE, output="raw", terminal=True)


@pytest.mark.parametrize(
    ("value", "dynamic", "text"),
    [
        (b"text", b"text\n", b"text\n"),
        (None, b"\n", b"\n"),
        (b"dos\r", b"dos\\r\n", b"dos\\r\n"),
        (b"caf\xe9", "caf\ufffd\n".encode(), "caf\ufffd\n".encode()),
        (
            b"a\0",
            b"00000000  61 00" + b" " * 45 + b"|a" + b" " * 15 + b"|\n" + b"-" * 78 + b"\n\n",
            b"binary: (2 bytes)\n",
        ),
    ],
)
def test_on_a_terminal_values_are_readable(value, dynamic, text):
    """Text is shown as text, binary as a dump or as its size."""
    assert dynamic == shown(value, terminal=True)
    assert text == shown(value, terminal=True, output="text")


def test_suppress_unknown_shows_binary_as_text():
    """With it, -O text shows even binary as text."""
    assert b"a\\x00\n" == shown(b"a\0", terminal=True, output="text", suppress_unknown=True)


def test_truncate_keeps_a_record_on_its_line():
    """A value is cut to the terminal's width; with -k and in a pipe nothing is."""
    options = {"truncate": True, "width": 8}

    assert "two\\nli…\n".encode() == shown(b"two\nlines", terminal=True, **options)
    assert b"short\n" == shown(b"short", terminal=True, **options)
    assert b"[null] two\nlines\n" == shown(b"two\nlines", terminal=True, key_value=True, **options)
    assert b"two\nlines\n" == shown(b"two\nlines", **options)


def test_binary_is_a_dump():
    """A hexdump, dashes and a blank line, in a pipe as on a terminal."""
    row = b"00000000  61" + b" " * 48 + b"|a" + b" " * 15 + b"|\n"

    assert row + b"-" * 78 + b"\n\n" == shown(b"a", output="binary")
    assert b"-" * 78 + b"\n\0" == shown(b"", output="binary", print0=True)
    assert b"[k] " + row + b"-" * 78 + b"\n\n" == shown(
        b"a", key=b"k", output="binary", key_value=True, terminal=True
    )


def test_json_is_pretty():
    """Names sorted, two blanks, text readable; what is not JSON is an error object or nothing."""
    assert '{\n  "a": 1.0,\n  "b": "ö"\n}\n'.encode() == shown(
        '{"b": "ö", "a": 1.0}'.encode(), output="json"
    )
    assert b"null\n" == shown(None, output="json")
    assert b'{\n  "error": "expecting value at line 1 column 1"\n}\n' == shown(b"x", output="json")
    assert b"" == shown(b"x", output="json", suppress_unknown=True)
    assert b'[k] "\\u007f"\n' == shown(
        b'"\x7f"', key=b"k", output="json", key_value=True, terminal=True
    )


@pytest.mark.parametrize("options", [{}, {"template": "{{value}}"}, {"output": "raw"}])
def test_keys_stand_in_brackets(options):
    """-k writes `[key] `, or `[null] `, in front of whatever is shown."""
    assert b"[k] v\n" == shown(b"v", key=b"k", key_value=True, **options)
    assert b"[] v\n" == shown(b"v", key=b"", key_value=True, **options)
    assert b"[null] v\n" == shown(b"v", key_value=True, **options)


def test_a_null_may_be_shown():
    """A null value is empty, or in -F `null`, or what was asked for."""
    assert b"null\n" == shown(None, template="{{value}}")
    assert b"N N\n" == shown(None, template="{{key}} {{value}}", null_value=b"N")
    assert b"[N] N\n" == shown(None, key_value=True, null_value=b"N")
    assert b"[N] N\n" == shown(None, key_value=True, null_value=b"N", terminal=True)
    assert b"-N" == shown(None, verbs="-%v", null_value=b"N")


@pytest.mark.parametrize("output", ["dynamic", "raw", "records", "json"])
def test_print0_ends_records_in_nul(output):
    """The newline at the end becomes a NUL, no other does."""
    expected = shown(b'"a\xc3\xb6"', output=output)

    assert expected.endswith(b"\n")
    assert expected[:-1] + b"\0" == shown(b'"a\xc3\xb6"', output=output, print0=True)


def test_print0_and_verbs():
    """-f has no end of its own: a newline at its end is replaced, and else a NUL is added."""
    assert b"v\0" == shown(b"v", verbs=r"%v\n", print0=True)
    assert b"v\0" == shown(b"v", verbs="%v\n", print0=True)
    assert b"v\n\n\0" == shown(b"v", verbs=r"%v\n\n\n", print0=True)
    assert b"v\0" == shown(b"v", verbs="%v", print0=True)
    assert b"v" == shown(b"v", verbs="%v")
    assert b"v\0" == shown(b"v", template="{{value}}", print0=True)


def test_csv():
    """A header line, then fields quoted where needed; null is nothing, empty is quoted."""
    formatter = make_formatter(FormatOptions(output="csv", topic="t"))

    assert b"topic,partition,offset,timestamp,key,value\n" == formatter.header()
    assert b't,3,7,5,,"a,b"\n' == shown(b"a,b", output="csv")
    assert b't,3,7,5,"","say ""hi""\n"\n' == shown(b'say "hi"\n', key=b"", output="csv")
    assert b"t,0,0,,,\n" == formatter.format(Record(value=None), 0)
    assert b"t,3,7,5,,\\x1b[2J\n" == shown(b"\x1b[2J", output="csv", terminal=True)


def test_table():
    """The header comes with the first row; what has no row is a problem, if wanted."""
    formatter = make_formatter(FormatOptions(output="table"))

    assert b"" == formatter.header()
    assert b"" == formatter.format(Record(value=b"x"), 0)
    assert b" id\n 1\n" == formatter.format(Record(value=b'{"id":1}'), 0)
    assert b"" == formatter.footer()
    assert 1 == len(formatter.take_problems())
    assert [] == formatter.take_problems()
    quiet = make_formatter(FormatOptions(output="table", suppress_unknown=True))
    assert b"" == quiet.format(Record(value=b"x"), 0)
    assert [] == quiet.problems


def test_full_table():
    """On a terminal a table is drawn at once, and what is left at the end."""
    options = FormatOptions(output="full_table", table_format=TABLE_FORMAT, terminal=True)
    formatter = make_formatter(options, clock=lambda: 0.0)

    assert b" 1\x1b[K\nItems: 1" in formatter.format(Record(value=b'{"id":1}'), 0)
    assert b"" == formatter.format(Record(value=b'{"id":2}'), 0)
    assert b"Items: 2" in formatter.footer()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "raw", "template": ""}, "'-O/--output' cannot be used with '-F/--format'"),
        ({"output": "raw", "verbs": ""}, "'-O/--output' cannot be used with '-f'"),
        ({"template": "", "verbs": ""}, "'-F/--format' cannot be used with '-f'"),
        ({"output": "raw", "truncate": True}, "'--truncate'"),
        ({"template": "", "truncate": True}, "'--truncate'"),
        ({"verbs": "", "key_value": True}, "'--key-value' cannot be used with '-f'"),
        ({"output": "csv", "key_value": True}, "'--key-value'"),
        ({"output": "records", "key_value": True}, "'--key-value'"),
        ({"output": "json", "table_format": TABLE_FORMAT}, "'--table-format'"),
        ({"output": "full_table"}, "redraws a terminal"),
        ({"output": "jason"}, "unknown output type 'jason'"),
        ({"template": "{{nope}}"}, "unknown field 'nope'"),
        ({"verbs": "%q"}, "%q is not a verb"),
    ],
)
def test_contradictions_are_refused(options, message):
    """Each error has a next step."""
    with pytest.raises(UsageError) as caught:
        make_formatter(FormatOptions(**options))

    assert message in caught.value.message
    assert caught.value.hint


def test_an_unknown_output_type_has_a_suggestion():
    """The types there are are named, the closest one first."""
    with pytest.raises(UsageError) as caught:
        make_formatter(FormatOptions(output="jsn"))

    hint = caught.value.hint or ""
    assert hint.startswith('did you mean "json"? ')
    assert all(output in hint for output in OUTPUTS)


def test_a_table_format_means_a_table():
    """--table-format alone is -O table."""
    assert b" id\n 1\n" == shown(b'{"id": 1, "more": 2}', table_format=TABLE_FORMAT)


def test_a_formatter_for_another_topic():
    """Templates get the other name; a table is one for all topics."""
    record = Record(value=b'{"id": 1}')
    template = make_formatter(FormatOptions(template="{{topic}}", topic="a"))
    table = make_formatter(FormatOptions(output="table", topic="a"))

    assert b"a\n" == template.format(record, 0)
    assert b"b\n" == template.for_topic("b").format(record, 0)
    assert b" id\n 1\n" == table.format(record, 0)
    assert b" 1\n" == table.for_topic("b").format(record, 0)


def decoded(field):
    """Read a text of the envelope back."""
    if isinstance(field, dict):
        assert ["base64"] == list(field)
        return base64.b64decode(field["base64"], validate=True)
    return None if field is None else field.encode()


@given(RECORDS, st.integers(0, 99), st.booleans())
def test_the_envelope_is_lossless(record, partition, terminal):
    """Invariants: one line; everything can be read back; absent fields are absent."""
    options = FormatOptions(output="records", topic="a.B-c_9", terminal=terminal)
    line = make_formatter(options).format(record, partition)
    envelope = json.loads(line)

    assert b"\n" == line[-1:]
    assert 1 == line.count(b"\n")
    assert record == Record(
        value=decoded(envelope["value"]),
        key=decoded(envelope["key"]),
        headers=tuple(
            (name.encode(), decoded(value)) for name, value in envelope.get("headers", [])
        ),
        timestamp_ms=envelope.get("timestamp", -1),
        offset=envelope["offset"],
        timestamp_type=TimestampType[envelope["timestamp_type"].upper()]
        if "timestamp_type" in envelope
        else record.timestamp_type,
    )
    assert ("a.B-c_9", partition) == (envelope["topic"], envelope["partition"])
    assert bool(record.headers) == ("headers" in envelope)
    assert (record.timestamp_ms != -1) == ("timestamp" in envelope)


@given(RECORDS, st.integers(0, 99))
def test_csv_can_be_read_back(record, partition):
    """Invariants: a CSV reader finds one row of six fields with the bytes that went in."""
    line = make_formatter(FormatOptions(output="csv", topic="t")).format(record, partition)
    (row,) = csv.reader(
        io.StringIO(line.decode("utf-8", "surrogateescape"), newline=""), strict=True
    )

    stamp = "" if record.timestamp_ms == -1 else str(record.timestamp_ms)
    assert ["t", str(partition), str(record.offset), stamp] == row[:4]
    assert [record.key or b"", record.value or b""] == [
        field.encode("utf-8", "surrogateescape") for field in row[4:]
    ]


PLAIN = [
    {},
    {"key_value": True},
    {"output": "records"},
    {"output": "raw", "print0": True},
    {"template": "{{key}} {{value}} {{offset}} {{time}} {{topic}}"},
    {"verbs": r"%t %o %k{hex} %v{base64} %d %V\n"},
]


@given(RECORDS, st.integers(0, 99), st.sampled_from(PLAIN))
def test_plain_formats_have_a_program(record, partition, options):
    """Invariants: there is a program, and it writes what `format` does."""
    formatter = make_formatter(FormatOptions(topic="t", **options))

    assert formatter.program is not None
    assert formatter.format(record, partition) == render(formatter.program, record, partition)


TERMINAL = [
    *({"output": output} for output in OUTPUTS if output != "raw"),
    {"key_value": True},
    {"truncate": True},
    {"output": "text", "suppress_unknown": True},
    {"output": "table", "key_value": True},
    {"template": "{{key}}{{value}}{{headers}}"},
    {"verbs": "%k%v%h%h{%k%v}%R%v{unpack[s]}%v{json}"},
]


@given(RECORDS, st.sampled_from(TERMINAL))
def test_no_record_acts_on_a_terminal(record, options):
    """Invariants: of the data no control character is written but tab and line ends."""
    formatter = make_formatter(FormatOptions(terminal=True, topic="t", **options))
    text = formatter.format(record, 0).decode()
    if options.get("output") == "full_table":
        for sequence in ("\r", "\x1b[K", "\x1b[J", "\x1b[1m", "\x1b[0m"):
            text = text.replace(sequence, "")

    assert not [
        each
        for each in text.replace("\r\n", "\n")
        if unicodedata.category(each) == "Cc" and each not in "\t\n"
    ]
