"""CSV and TSV: cells against the standard library's writer, layouts, and what does not fit."""

import csv
import io
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import cuts, imported, run_importer

from dataflare_cli.model import Record
from dataflare_cli.text.inputs import BadInput, Imported, make_importer

cells = st.binary(max_size=10) | st.sampled_from([b'"', b",", b"\r", b"\n", b'",\r\n"', b""])


def write_csv(rows: list[list[bytes]], **options) -> bytes:
    """Return rows as the csv module writes them; Latin-1 makes it take any bytes."""
    text = io.StringIO(newline="")
    csv.writer(text, **options).writerows([cell.decode("latin-1") for cell in row] for row in rows)
    return text.getvalue().encode("latin-1")


@given(
    rows=st.lists(st.tuples(cells, cells, st.none() | st.integers(-(2**63), 2**63 - 1), cells)),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    newline=st.sampled_from(["\n", "\r\n"]),
    sizes=cuts,
)
def test_cells_come_back_as_they_were(rows, quoting, newline, sizes):
    """Invariants: any bytes, newlines and quotes included; empty keys and headers are none."""
    table = [[b"key", b"value", b"timestamp", b"header.h"]]
    table += [[k, v, b"" if at is None else b"%d" % at, h] for k, v, at, h in rows]
    data = write_csv(table, quoting=quoting, lineterminator=newline)
    expected = [
        Record(v, k or None, ((b"h", h),) if h else (), -1 if at is None else at)
        for k, v, at, h in rows
    ]
    assert expected == imported(run_importer("csv", data, sizes))


@given(
    rows=st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=5),
    names=st.lists(st.text(min_size=1), min_size=3, max_size=3, unique=True),
    sizes=cuts,
)
def test_other_tables_become_json_objects(rows, names, sizes):
    """Invariants: every row is an object of all its columns, in order, as strings."""
    table = [[each.encode("utf-16-be").hex().encode() for each in names]]
    table += [[each.encode() for each in row] for row in rows]
    records = imported(run_importer("csv", write_csv(table), sizes))
    header = [each.decode() for each in table[0]]
    assert [list(zip(header, row, strict=True)) for row in rows] == [
        json.loads(each.value, object_pairs_hook=list) for each in records
    ]


tab_cells = st.binary(max_size=10).map(lambda each: each.translate(None, b"\t\r\n"))


@given(rows=st.lists(st.tuples(tab_cells, tab_cells)), sizes=cuts)
def test_tsv_cells_are_what_is_between_tabs(rows, sizes):
    """Invariants: quotes and backslashes are bytes like others."""
    data = b"value\tkey\n" + b"".join(b"%b\t%b\n" % row for row in rows)
    expected = [Record(value, key or None) for value, key in rows]
    assert expected == imported(run_importer("tsv", data, sizes))


def test_a_record_table_has_all_a_record_has():
    """Key, value, timestamp in both forms, partition, headers in the order of the columns."""
    data = (
        b"topic,partition,offset,timestamp,key,value,header.a,header.b,header.a\r\n"
        b"t,3,7,1700000000000,k,v,1,,2\r\n"
        b"t,,,2026-11-01T00:00:00Z,,,,,\r\n"
    )
    first, second = run_importer("csv", data)
    headers = ((b"a", b"1"), (b"a", b"2"))
    assert (Record(b"v", b"k", headers, 1_700_000_000_000), 3, 2) == first
    assert (Record(b"", None, (), 1_793_491_200_000), None, 3) == second


LAYOUTS = {
    # Nothing but names of a record: a record.
    (b"value", b"v", None, None): (b"v", None),
    (b"value,key", b"v,k", None, None): (b"v", b"k"),
    (b"id,value", b"1,v", "id", None): (b"v", b"1"),
    # A value column was chosen: the others are left out.
    (b"id,payload,note", b"1,v,n", None, "payload"): (b"v", None),
    (b"id,payload,key", b"1,v,k", None, "payload"): (b"v", b"k"),
    (b"id,payload,key", b"1,v,k", "id", "payload"): (b"v", b"1"),
    (b"value,payload", b"x,v", None, "payload"): (b"v", None),
    (b"a,b", b"1,2", "a", "a"): (b"1", b"1"),
    # Any other table: all of the row.
    (b"a,b", b"1,2", None, None): (b'{"a":"1","b":"2"}', None),
    (b"a,b", b"1,2", "b", None): (b'{"a":"1","b":"2"}', b"2"),
    (b"key,b", b"1,2", None, None): (b'{"key":"1","b":"2"}', b"1"),
    (b"sensor,timestamp,value", b"s,noon,2", None, None): (
        b'{"sensor":"s","timestamp":"noon","value":"2"}',
        None,
    ),
    (b"Key,Value", b"1,2", None, None): (b'{"Key":"1","Value":"2"}', None),
}


@pytest.mark.parametrize(("table", "content"), LAYOUTS.items())
def test_names_tell_the_layout(table, content):
    """Nothing is lost unasked: a column that no record has makes rows of the table."""
    header, row, key_column, value_column = table
    options = {"key_column": key_column, "value_column": value_column}
    (record,) = imported(run_importer("csv", header + b"\n" + row, **options))
    assert content == (record.value, record.key)


def test_a_null_value_is_null():
    """In values, headers and the cells of a JSON object; never in keys."""
    data = b"key,value,header.h\nNULL,NULL,NULL\n,x,\n"
    assert [Record(None, b"NULL", ((b"h", None),)), Record(b"x")] == imported(
        run_importer("csv", data, null_value=b"NULL")
    )
    assert [Record(None, None, ((b"h", None),))] == imported(
        run_importer("csv", b"key,value,header.h\n,,", null_value=b"")
    )
    assert [Record(b'{"a":null,"b":"x"}')] == imported(
        run_importer("csv", b"a,b\nNULL,x", null_value=b"NULL")
    )


def test_blank_lines_are_nothing_and_rows_know_their_lines():
    """Also rows of several lines, before and after."""
    data = b'\n\r\nvalue\r\n\r\na\n"b\n\nc"\n\nd'
    items = run_importer("csv", data)
    assert [b"a", b"b\n\nc", b"d"] == [each.value for each in imported(items)]
    assert [5, 6, 10] == [each.line for each in items]


def test_lines_end_as_the_first_one_does():
    """A carriage return at the end of a row is a byte like others where lines end without."""
    assert [b"a\r", b"\r"] == [e.value for e in imported(run_importer("csv", b"value\na\r\n\r\n"))]
    data = b"value\r\na\r\nb\n\r\nc"
    assert [b"a", b"b", b"c"] == [each.value for each in imported(run_importer("csv", data))]


def test_quotes_inside_a_cell_are_bytes():
    """Only a quote that begins a cell opens one, as spreadsheets have it."""
    data = b'key,value\n5" pipe,a"b"\n'
    assert [Record(b'a"b"', b'5" pipe')] == imported(run_importer("csv", data))


@pytest.mark.parametrize(
    ("row", "problem"),
    {
        b"x": "1 cells where the first line has 4",
        b"1,2,3,4,5": "5 cells where the first line has 4",
        b"k,v,noon,": "not a timestamp",
        b"k,v,2026-11-01,": "not a timestamp",
        b"k,v,\xff,": "not a timestamp",
        b"k,v,9223372036854775808,": "not a timestamp",
        b"k,v,,-1": "not a partition",
        b"k,v,,x": "not a partition",
        b"k,v,,2147483648": "not a partition",
        b'k,"v"w,,': "text after a closing quote",
        b'k,"v" ,,': "text after a closing quote",
        b'k,"v"w,"\n",': "text after a closing quote",
    }.items(),
)
def test_a_row_that_does_not_fit_is_told_and_the_next_is_read(row, problem):
    """The line is the one on which the row begins."""
    bad, good = run_importer("csv", b"key,value,timestamp,partition\n" + row + b"\nk,v,,\n")
    assert isinstance(bad, BadInput)
    assert 2 == bad.line
    assert problem in bad.problem
    assert Record(b"v", b"k") == good.record


def test_text_that_json_can_not_hold_is_told():
    """An object has no place for odd bytes; a value column has."""
    bad, good = run_importer("csv", b"a,b\n\xff,x\ny,z\n")
    assert (2, True) == (bad.line, "not UTF-8" in bad.problem)
    assert b'{"a":"y","b":"z"}' == good.record.value
    assert [b"\xff"] == [
        each.value for each in imported(run_importer("csv", b"a,b\n\xff,x", value_column="a"))
    ]


@pytest.mark.parametrize(
    ("header", "options", "problem"),
    [
        (b"a,b,a", {}, 'the column "a" is there twice'),
        (b"value,value", {}, 'the column "value" is there twice'),
        (b"header.a,header.a", {}, 'the column "header.a" is there twice'),
        (b"a,b", {"key_column": "c"}, 'no column "c"; there are a, b'),
        (b"a,b", {"value_column": "c"}, 'no column "c"; there are a, b'),
        (b"a,\xff", {}, "not UTF-8"),
        (b'"a"b,c', {}, "text after a closing quote"),
    ],
)
def test_a_first_line_that_does_not_fit_ends_the_input(header, options, problem):
    """Nobody knows what the rows would mean; the caller may stop reading."""
    importer = make_importer("csv", **options)
    items = [*importer.feed(header + b"\n1,2\n3,4\n"), *importer.finish()]
    assert isinstance(items[0], BadInput)
    assert 1 == len(items)
    assert 1 == items[0].line
    assert problem in items[0].problem
    assert importer.broken


def test_a_quote_that_is_never_closed_is_told_where_it_begins():
    """The rows before it are read."""
    good, bad = run_importer("csv", b'value\na\n"b\nc\n')
    assert b"a" == good.record.value
    assert 3 == bad.line
    assert "never closed" in bad.problem


def test_a_row_that_is_too_long_ends_the_input_where_quotes_are():
    """What follows may be inside a cell or not; storing a guess would be worse. TSV goes on."""
    for long in (b'"' + b"x\n" * 800_000, b"x" * 1_600_000 + b"\n"):
        importer = make_importer("csv", record_bytes_max=100)
        (bad,) = itertools.chain(importer.feed(b"value\n" + long + b'"\n'), importer.finish())
        assert 2 == bad.line
        assert "longer than" in bad.problem
        assert importer.broken
    data = b"value\n" + b"x" * 1_600_000 + b"\ny\n"
    bad, good = run_importer("tsv", data, record_bytes_max=100)
    assert [BadInput, Imported] == [type(bad), type(good)]
