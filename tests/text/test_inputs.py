"""What holds for every importer: chunks, lines, limits, options, and any bytes at all."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import cuts, run_importer

from dataflare_cli.errors import UsageError
from dataflare_cli.text.inputs import (
    FORMATS,
    OVERHEAD_BYTES,
    BadInput,
    Imported,
    make_importer,
    parse_timestamp,
)
from dataflare_cli.text.inputs_lines import Lines

# Pieces that the formats are made of, so that a random row of them goes deep.
PIECES = [
    b"\n", b"\r\n", b" ", b"\t", b",", b":", b'"', b'""', b"\\", b"{", b"}", b"[", b"]", b"null",
    b"0", b"-1", b"\xff", b"\xef\xbb\xbf", "ü".encode(), b"key", b"value", b"header.a",
    b"key,value\n", b'{"key":null,"value":"v"}\n', b'{"key":"k","value":{"base64":"/w=="}}',
    b'"value":"', b'{"topic":"t","partition":0,"offset":1,"key":"k"', b',"payload":"\xff\\n"}\n',
    b"\\ud83d", b"CreateTime:5\t", b"Partition:0\t", b"NO_HEADERS\t", b"a:b,c:d\t",
    b'[{"a":[1,"]"]},2]', b"x" * 9,
]  # fmt: skip
mixtures = st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=25).map(b"".join)


@pytest.mark.parametrize("name", FORMATS)
@given(data=mixtures, sizes=cuts, limit=st.integers(0, 30))
def test_chunks_do_not_matter(name, data, sizes, limit):
    """Invariants: any bytes, cut anywhere, give the same items, and none of them raises."""
    options = {"record_bytes_max": limit}
    whole = run_importer(name, data, **options)
    assert whole == run_importer(name, data, sizes, **options)
    assert whole == run_importer(name, data, [1] * len(data), **options)


@pytest.mark.parametrize("name", FORMATS)
@given(data=mixtures)
def test_items_come_in_order_of_their_lines(name, data):
    """Invariants: lines never go back, and none is beyond the input."""
    lines = [each.line for each in run_importer(name, data)]
    # An array that is never closed is only known at the end.
    ordered = lines[:-1] if name == "json-array" else lines
    assert sorted(ordered) == ordered
    assert all(1 <= each <= data.count(b"\n") + 1 for each in lines)


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_input_has_no_items(name):
    """Nothing in, nothing out, nothing wrong."""
    assert [] == run_importer(name, b"")


@pytest.mark.parametrize("name", FORMATS)
def test_memory_is_bounded_by_the_element(name):
    """32 MiB without an end are dropped as they come, and told once."""
    begin = {"json-array": b"[{", "rpk": b"{", "csv": b'value\n"'}.get(name, b"value\n")
    importer = make_importer(name, record_bytes_max=1000)
    items = list(importer.feed(begin))
    piece = b'"' + b"x" * 65_534 + b'"' if name in ("json-array", "rpk") else b"x" * 65_536
    tracemalloc.start()
    for _ in range(512):
        items += importer.feed(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    items += importer.finish()
    assert peak < 3 * OVERHEAD_BYTES
    assert isinstance(items[-1], BadInput)
    assert len(items) <= 2


@pytest.mark.parametrize(
    ("name", "start", "row", "end"),
    [
        ("records", b"", b'{"key":"k","value":"%b"}\n', b""),
        ("kcat", b"", b'{"topic":"t","partition":0,"offset":0,"key":"k","payload":"%b"}\n', b""),
        ("rpk", b"", b'{"topic":"t","partition":0,"offset":0,"key":"k","value":"%b"}\n', b""),
        ("csv", b"key,value\n", b"k,%b\n", b""),
        ("tsv", b"key\tvalue\n", b"k\t%b\n", b""),
        ("kafka-console", b"", b"k\t%b\n", b""),
    ],
)
def test_a_record_above_the_limit_is_told_and_the_others_are_read(name, start, row, end):
    """The size is that of key and value, the words are Fluvio's."""
    data = start + row % b"123456789" + row % b"1234567890" + row % b"5" + end
    first = 1 + start.count(b"\n")
    good, bad, other = run_importer(name, data, record_bytes_max=10)
    assert b"123456789" == good.record.value
    assert (first + 1, "record size (11 bytes), exceeded maximum request size (10 bytes)") == bad
    assert (b"5", first + 2) == (other.record.value, other.line)


def test_an_unknown_format_is_refused_with_the_known_ones():
    """The hint lists what there is."""
    with pytest.raises(UsageError, match='unknown input format "xml"') as caught:
        make_importer("xml")
    assert "records, csv, tsv, json-array, kcat, rpk, kafka-console" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("records", {"null_value": b"NULL"}),
        ("kcat", {"null_value": b""}),
        ("rpk", {"null_value": b"null"}),
        ("records", {"key_column": "id"}),
        ("json-array", {"value_column": "id"}),
        ("csv", {"console_fields": ("key",)}),
        ("kafka-console", {"console_fields": ("value",)}),
    ],
)
def test_options_of_other_formats_are_refused(name, options):
    """An option that would do nothing is a mistake."""
    with pytest.raises(UsageError):
        make_importer(name, **options)


@pytest.mark.parametrize(
    ("text", "ms"),
    {
        "0": 0,
        "-1": -1,
        "1700000000000": 1_700_000_000_000,
        "1700000000": 1_700_000_000,
        "9223372036854775807": 2**63 - 1,
        "2026-11-01T00:00:00Z": 1_793_491_200_000,
        "2026-11-01t00:00:00z": 1_793_491_200_000,
        "2026-11-01T02:00:00+02:00": 1_793_491_200_000,
        "2026-11-01T00:00:00.9999999Z": 1_793_491_200_999,
        "1969-12-31T23:59:59.999Z": -1,
        "9223372036854775808": None,
        "2026-11-01": None,
        "2026-11-01T00:00:00": None,
        "2026-02-30T00:00:00Z": None,
        "20261101T000000Z": None,
        "now": None,
        "-1h": None,
        "1.5": None,
        "\N{ARABIC-INDIC DIGIT THREE}": None,
        "": None,
    }.items(),
)
def test_timestamps_are_milliseconds_or_rfc_3339(text, ms):
    """A time without an offset would depend on the machine: it is none."""
    assert ms == parse_timestamp(text)


lines_without_newlines = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")))


@given(expected=lines_without_newlines, sizes=cuts, ends=st.booleans())
def test_every_line_comes_out_once(expected, sizes, ends):
    """Invariants: what was joined comes apart again; lines above the limit come out as None."""
    data = b"".join(line + b"\n" for line in expected) if ends else b"\n".join(expected)
    if expected and not ends and not expected[-1]:
        expected = expected[:-1]  # nothing after the last newline is no line
    lines = Lines(8)
    found: list[bytes | None] = []
    for size in sizes:
        found += lines.take(data[:size])
        data = data[size:]
    found += lines.take(data)
    found += lines.take_rest()
    assert [None if len(line) > 8 else line for line in expected] == found
    assert lines.number == len(found) + 1


@pytest.mark.parametrize("name", FORMATS)
@given(data=mixtures, sizes=cuts, limit=st.integers(1, 40))
def test_chunks_do_not_matter_near_the_limit_of_an_element(name, data, sizes, limit):
    """Invariants: what is too long to be held is so however it comes, and its end is found."""

    def items(sizes):
        importer = make_importer(name)
        if name in ("json-array", "rpk"):
            importer._scanner.value_bytes_max = limit
        else:
            importer._lines.line_bytes_max = limit
        found, rest = [], data
        for size in sizes:
            found += importer.feed(rest[:size])
            rest = rest[size:]
        found += importer.feed(rest)
        found += importer.finish()
        return found

    assert items([]) == items(sizes) == items([1] * len(data))


def test_lines_are_counted_from_one():
    """Blank lines count, and are nothing."""
    items = run_importer("records", b'\n \r\n{"key":null,"value":null}\n\nx\n')
    assert [Imported, BadInput] == [type(each) for each in items]
    assert [3, 5] == [each.line for each in items]


@pytest.mark.parametrize("name", ["records", "csv", "json-array", "rpk", "kcat"])
def test_a_byte_order_mark_is_no_data(name):
    """What some editors put before the first line is left out."""
    data = {
        "records": b'{"key":null,"value":"v"}',
        "csv": b'"value"\nv',
        "json-array": b'["v"]',
        "rpk": b'{"topic":"t","partition":0,"offset":0,"value":"v"}',
        "kcat": b'{"topic":"t","partition":0,"offset":0,"key":null,"payload":"v"}',
    }[name]
    for sizes in ((), (1,), (2,), (1, 1, 1)):
        (item,) = run_importer(name, b"\xef\xbb\xbf" + data, sizes)
        assert isinstance(item, Imported)
        assert item.record.value in (b"v", b'"v"')
