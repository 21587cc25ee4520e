"""kafka-console-consumer: what its formatter printed, and what can and can't be told from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import cuts, imported, run_importer

from dataflare_cli.errors import UsageError
from dataflare_cli.model import NO_TIMESTAMP, Record, TimestampType
from dataflare_cli.text.inputs import BadInput, make_importer

# The output of Kafka 4.1.0's DefaultMessageFormatter for the records below.
EVERYTHING = b"".join(
    b"%b\tPartition:3\tOffset:%d\tDelivery:NOT_PRESENT\t%b\n" % each
    for each in (
        (b"CreateTime:1700000000007", 7, b"h1:v1,h2:\tk\tv"),
        (b"LogAppendTime:1700000000008", 8, b'NO_HEADERS\tnull\t{"a":1}'),
        (b"NO_TIMESTAMP", 9, b"n:null,u:x,y\t\tnull"),
        (b"CreateTime:1700000000010", 10, b"NO_HEADERS\tk\xc3\xbc\ta\tb"),
        (b"CreateTime:1700000000011", 11, b"NO_HEADERS\tk\t"),
    )
)
RECORDS = [
    Record(b"v", b"k", ((b"h1", b"v1"), (b"h2", b"")), 1_700_000_000_007, 7),
    Record(b'{"a":1}', None, (), 1_700_000_000_008, 8, TimestampType.APPEND),
    Record(None, b"", ((b"n", None), (b"u", b"x,y")), NO_TIMESTAMP, 9),
    Record(b"a\tb", "kü".encode(), (), 1_700_000_000_010, 10),
    Record(b"", b"k", (), 1_700_000_000_011, 11),
]
ALL_FIELDS = ("timestamp", "partition", "offset", "delivery", "headers", "key")
COLUMNS = dict(zip(ALL_FIELDS, range(6), strict=True))


@pytest.mark.parametrize("sizes", [(), [1] * 500])
def test_the_console_s_output_is_read_back(sizes):
    """All print properties at once; `null` is null, in keys, values and headers."""
    items = run_importer("kafka-console", EVERYTHING, sizes)
    assert RECORDS == imported(items)
    assert [3] * 5 == [each.partition for each in items]


@pytest.mark.parametrize(
    "fields",
    [
        ("timestamp",),
        ("timestamp", "key"),
        ("partition", "offset", "key"),
        ("headers", "key"),
        ("timestamp", "headers", "key"),
        ("offset",),
        ("delivery", "key"),
    ],
)
def test_the_first_line_tells_which_fields_there_are(fields):
    """Labelled fields say what they are; beside a key and a value, headers are known."""
    data = b"".join(
        b"\t".join([line.split(b"\t")[COLUMNS[each]] for each in fields] + line.split(b"\t", 6)[6:])
        for line in EVERYTHING.splitlines(keepends=True)
    )
    expected = [
        Record(
            each.value,
            each.key if "key" in fields else None,
            each.headers if "headers" in fields else (),
            each.timestamp_ms if "timestamp" in fields else NO_TIMESTAMP,
            each.offset if "offset" in fields else 0,
            each.timestamp_type if "timestamp" in fields else TimestampType.CREATE,
        )
        for each in RECORDS
    ]
    assert expected == imported(run_importer("kafka-console", data))
    assert expected == imported(run_importer("kafka-console", data, console_fields=fields))


def test_lines_without_fields_are_values():
    """The console prints nothing else by default; an empty line is an empty value."""
    assert [Record(b"a"), Record(b""), Record(b"b c\r"), Record(None)] == imported(
        run_importer("kafka-console", b"a\n\nb c\r\nnull\n")
    )


def test_fields_can_be_given_where_they_can_not_be_told():
    """Headers and a value look like a key and a value, a tab in a value like a key."""
    data = b"h1:v1\tv\n"
    assert [Record(b"v", b"h1:v1")] == imported(run_importer("kafka-console", data))
    assert [Record(b"v", None, ((b"h1", b"v1"),))] == imported(
        run_importer("kafka-console", data, console_fields=("headers",))
    )
    assert [Record(b"h1:v1\tv")] == imported(run_importer("kafka-console", data, console_fields=()))


def test_fields_may_be_given_in_any_order():
    """The console has an order of its own."""
    data = b"Partition:1\tOffset:2\tk\tv"
    given = ("key", "offset", "partition")
    assert [Record(b"v", b"k", offset=2)] == imported(
        run_importer("kafka-console", data, console_fields=given)
    )


def test_another_null_literal_can_be_given():
    """`null.literal` of the console; then `null` is a word."""
    assert [Record(None, b"null"), Record(b"null", None)] == imported(
        run_importer("kafka-console", b"null\tNIL\nNIL\tnull\n", null_value=b"NIL")
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    {
        b"the rest of a value": "1 columns where timestamp, partition, offset",
        b"CreateTime:x\tPartition:3\tOffset:7\tDelivery:1\tNO_HEADERS\tk\tv": "no timestamp",
        b"NO_TIMESTAMP\tPartition\tOffset:7\tDelivery:1\tNO_HEADERS\tk\tv": "no partition",
        b"NO_TIMESTAMP\tPartition:3\t7\tDelivery:1\tNO_HEADERS\tk\tv": "no offset",
        b"NO_TIMESTAMP\tPartition:3\tOffset:7\tDelivery:1\tx\tk\tv": "not headers",
        b"NO_TIMESTAMP\tPartition:3\tOffset:7\tDelivery:1\t\xff:x\tk\tv": "not headers",
        b"NO_TIMESTAMP\tPartition:2147483648\tOffset:7\tDelivery:1\ta:b\tk\tv": "out of range",
        b"NO_TIMESTAMP\tPartition:3\tOffset:9223372036854775808\tDelivery:1\ta:b\tk\tv": (
            "out of range"
        ),
        b"CreateTime:9223372036854775808\tPartition:3\tOffset:7\tDelivery:1\ta:b\tk\tv": (
            "out of range"
        ),
    }.items(),
    ids=lambda each: repr(each)[:50],
)
def test_a_line_that_does_not_fit_is_told(line, problem):
    """Such as the second half of a value with a newline in it."""
    first, bad, last = run_importer("kafka-console", EVERYTHING[:80] + b"\n" + line + b"\n" * 2)[:3]
    assert RECORDS[0].key == first.record.key
    assert isinstance(bad, BadInput)
    assert problem in bad.problem
    assert isinstance(last, BadInput)


def test_an_unknown_field_is_refused():
    """Before any input is read."""
    with pytest.raises(UsageError, match='unknown console field "headrs"'):
        make_importer("kafka-console", console_fields=("key", "headrs"))


plain = st.binary(max_size=12).map(lambda each: each.translate(None, b"\t\n"))


@given(written=st.lists(st.tuples(plain, plain, st.integers(0, 2**62)), min_size=1), sizes=cuts)
def test_keys_and_values_without_tabs_come_back(written, sizes):
    """Invariants: any other bytes, timestamps; `null` is null."""
    data = b"".join(b"CreateTime:%d\t%b\t%b\n" % (at, key, value) for key, value, at in written)
    expected = [
        Record(None if value == b"null" else value, None if key == b"null" else key, (), at)
        for key, value, at in written
    ]
    fields = ("timestamp", "key")
    assert expected == imported(run_importer("kafka-console", data, sizes, console_fields=fields))
