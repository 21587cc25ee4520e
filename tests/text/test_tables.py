"""Tables of JSON records."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.model import Record
from dataflare_cli.text.tableformat import Column, TableFormat
from dataflare_cli.text.tables import AUTO_WIDTH_MAX, REDRAW_S, FullTable, Rows, Table


def lines_of(*values, columns=None, with_key=False, key=None):
    """Return the lines of a table, and the problems."""
    table_format = TableFormat(name="t", columns=columns) if columns else None
    problems = []
    table = Table(Rows(table_format, with_key=with_key), b"\n", problems)
    records = [Record(value=value, key=key, offset=offset) for offset, value in enumerate(values)]
    return b"".join(table.format(each, 0) for each in records).decode().splitlines(), problems


def test_a_header_and_a_row_a_record():
    """Columns are the names of the first object, in its order; texts are not quoted."""
    lines, problems = lines_of(
        b'{"id": 1, "name": "Ann", "tags": ["x", 1.0], "no": null}',
        b'{"name": "Bartholomew", "id": 22, "more": true}',
        '{"id": 3, "name": "größe"}'.encode(),
    )

    assert [
        " id  name  tags       no",
        ' 1   Ann   ["x",1.0]  null',
        " 22  Bartholomew",
        " 3   größe",
    ] == lines
    assert [] == problems


def test_columns_grow_with_their_cells():
    """A later row is aligned to the widest so far; one very long text widens nothing."""
    long = "x" * (AUTO_WIDTH_MAX + 1)
    lines, _ = lines_of(
        b'{"a": "1", "b": "2"}',
        b'{"a": "12345", "b": "2"}',
        b'{"a": "1", "b": "2"}',
        f'{{"a": "{long}", "b": "2"}}'.encode(),
        b'{"a": "1", "b": "2"}',
    )

    assert [
        " a  b",
        " 1  2",
        " 12345  2",
        " 1      2",
        f" {long}  2",
        " 1      2",
    ] == lines


def test_columns_of_a_table_format():
    """Labels, widths, alignment and display are the format's; what is missing is blank."""
    columns = (
        Column(key_path="who.name", header_label="Customer", width=6, alignment="right"),
        Column(key_path="hidden", display=False),
        Column(key_path="n", width=5, alignment="center"),
        Column(key_path="end"),
    )
    lines, _ = lines_of(
        '{"who": {"name": "Ann"}, "hidden": 1, "n": 12, "end": "日本"}'.encode(),
        b'{"who": {"name": "Bartholomew"}, "n": 3}',
        columns=columns,
    )

    assert [
        " Custo…    n    end",
        "    Ann   12    日本",
        " Barth…    3",
    ] == lines


def test_keys_are_the_first_column():
    """-k puts the record's key in front, as Fluvio's `[key]`."""
    lines, _ = lines_of(b'{"a": 1}', with_key=True, key=b"k\n")
    bare, _ = lines_of(b'{"a": 1}', with_key=True)

    assert [" KEY    a", r" [k\n]  1"] == lines
    assert [" KEY     a", " [null]  1"] == bare


def test_a_row_is_one_line():
    """Line breaks and control characters of the data are written out, in names too."""
    lines, _ = lines_of(rb'{"a\n": "x\u001b[2J\ny", "b": "\u009b"}')

    assert [r" a\n          b", r" x\x1b[2J\ny  \x9b"] == lines


def test_an_array_is_its_objects():
    """A record may hold several rows, or none."""
    lines, problems = lines_of(b"[]", b"[{}]", b'[{"a": 1}, {"a": 2}]', b"{}")

    assert [" a", " 1", " 2", ""] == lines
    assert [] == problems


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (b"text", "error parsing record as json: expecting value at line 1 column 1"),
        (b"", "error parsing record as json: expecting value at line 1 column 1"),
        (b"5", "error: Unable to parse json as object map"),
        (b'[{"a": 1}, 5]', "error: Unable to parse json as object map"),
        (None, "error: Unable to parse json as object map"),
    ],
)
def test_what_has_no_row_is_a_problem(value, problem):
    """The record is named, in Fluvio's words, and the table goes on."""
    lines, problems = lines_of(b'{"a": 1}', value, b'{"a": 2}')

    assert [" a", " 1", " 2"] == lines
    assert [f"partition 0, offset 1: {problem}"] == problems


@given(st.lists(st.dictionaries(st.text(min_size=1), st.text() | st.integers()), max_size=5))
def test_tables_have_a_line_a_row(rows):
    """Invariants: one line for the header and for each object from the first that has names."""
    lines, problems = lines_of(*(json.dumps(row).encode() for row in rows))
    begun = next((index for index, row in enumerate(rows) if row), None)

    assert (0 if begun is None else 1 + len(rows) - begun) == len(lines)
    assert [] == problems


class Screen:
    """What a terminal shows of the sequences that a redrawn table uses."""

    def __init__(self, height):
        self.lines, self.row, self.height = [], 0, height

    def write(self, data):
        """Move up, overwrite lines, clear what is below."""
        text = data.decode()
        if not text:
            return
        assert text.startswith("\r")
        text = text[1:]
        if text.startswith("\x1b["):
            up, _, rest = text[2:].partition("A")
            if up.isdecimal():
                self.row, text = self.row - int(up), rest
        assert self.row >= 0
        *lines, end = text.split("\x1b[K\n")
        assert "\x1b[J" == end
        self.lines[self.row :] = lines
        self.row += len(lines)
        assert self.row < self.height


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def full_table(*, columns=None, height=10, width=40):
    table_format = TableFormat(name="t", columns=columns) if columns else None
    problems = []
    clock = Clock()
    rows = Rows(table_format, with_key=False)
    table = FullTable(rows, problems, size=(width, height), clock=clock)
    return table, clock, problems


def test_rows_are_updated_by_their_primary_key():
    """A row with a known key takes the place of the old one; the table is redrawn in place."""
    table, clock, _ = full_table(
        columns=(Column(key_path="id", primary_key=True), Column(key_path="n"))
    )
    screen = Screen(10)
    for value in (b'{"id": "a", "n": 1}', b'{"id": "b", "n": 2}', b'{"id": "a", "n": 30}'):
        clock.now += 1
        screen.write(table.format(Record(value=value), 0))

    assert [
        "\x1b[1m id \x1b[0m\x1b[1m n  \x1b[0m",
        " a   30",
        " b   2",
        "Items: 2",
    ] == screen.lines
    assert b"" == table.finish()


def test_drawing_is_put_off_and_made_up_for():
    """Records that come quickly are drawn together, at the latest by `refresh`."""
    table, clock, _ = full_table()
    screen = Screen(10)

    assert b"" == table.refresh()
    screen.write(table.format(Record(value=b'{"a": 1}'), 0))
    clock.now += REDRAW_S / 2
    assert b"" == table.format(Record(value=b'{"a": 2}'), 0)
    assert "Items: 1" == screen.lines[-1]
    screen.write(table.refresh())
    assert ["\x1b[1m a \x1b[0m", " 1", " 2", "Items: 2"] == screen.lines
    assert b"" == table.refresh()


def test_a_table_fits_the_terminal():
    """Too many rows: those touched last, in their places. Too wide: cut."""
    table, clock, _ = full_table(
        columns=(Column(key_path="id", primary_key=True),), height=6, width=5
    )
    screen = Screen(6)
    for number in [1, 2, 3, 4, 5, 2, 123456]:
        clock.now += 1
        screen.write(table.format(Record(value=b'{"id": %d}' % number), 0))

    assert ["\x1b[1m id\x1b[0m", " 2", " 5", " 123…", "Item…"] == screen.lines


def test_skipped_records_are_told_at_the_end():
    """Beside a table that is being redrawn no message can stand: the last line counts them."""
    table, clock, problems = full_table(width=80)
    screen = Screen(10)
    for value in (b"x\x1b", b'{"a": 1}', b"5"):
        clock.now += 1
        screen.write(table.format(Record(value=value), 0))

    last = "2 records not shown: partition 0, offset 0: error: Unable to parse json as object map"
    assert [f"Items: 1  {last}"[:79] + "…"] == screen.lines[-1:]
    assert [] == problems
    table.finish()
    assert [last] == problems


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 10**6)), max_size=20),
    st.integers(4, 9),
)
def test_a_full_table_is_the_latest_rows(updates, height):
    """Invariants: what stands there is the latest value of the keys touched last."""
    table, clock, _ = full_table(
        columns=(Column(key_path="id", primary_key=True), Column(key_path="n")), height=height
    )
    screen = Screen(height)
    model = {}
    for key, number in updates:
        clock.now += 1
        model.pop(key, None)
        model[key] = number
        screen.write(table.format(Record(value=b'{"id": %d, "n": %d}' % (key, number)), 0))

    shown = {int(line.split()[0]): int(line.split()[1]) for line in screen.lines[1:-1]}
    assert dict(list(model.items())[-(height - 3) :]) == shown
