"""Table formats."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.errors import ConfigError
from dataflare_cli.text.tableformat import Column, TableFormat, ansi, parse_table_format

FULL = """
name: orders
inputFormat: JSON
smartmodule: my-map
columns:
  - keyPath: customer.name
    headerLabel: Customer
    width: 20
    alignment: right
    format: text
    display: false
    primaryKey: true
    headerTextColor: Yellow
    headerBgColor: "#0000ff"
  - keyPath: id
"""


@pytest.mark.parametrize("separator", ["", "_", "-"])
def test_all_names_in_any_case(separator):
    """camelCase, snake_case and kebab-case say the same."""
    text = FULL
    for word in ("input Format", "key Path", "header Label", "primary Key", "header Text Color"):
        spelled = separator.join(word.split(" "))
        text = text.replace(word.replace(" ", ""), spelled.lower() if separator else spelled)

    assert text.count("_" if separator == "_" else "-") >= (6 if separator else 2)
    assert TableFormat(
        name="orders",
        smartmodule="my-map",
        columns=(
            Column(
                key_path="customer.name",
                header_label="Customer",
                width=20,
                alignment="right",
                format="text",
                display=False,
                primary_key=True,
                header_text_color="Yellow",
                header_bg_color="#0000ff",
            ),
            Column(key_path="id"),
        ),
    ) == parse_table_format(text)


def test_the_least_there_can_be():
    """A name is enough: then the records decide about the columns."""
    assert TableFormat(name="t") == parse_table_format(b"name: t")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected names and values"),
        ("- name", "expected names and values"),
        ("name: [", "not YAML: "),
        (b"name: \xff", "not YAML: "),
        ("name: !!python/object:os.system {}", "not YAML: "),
        ("columns: []", "missing required field `name`"),
        ("name: ''", "name is empty"),
        ("name: 5", "Expected `str`, got `int` - at `$.name`"),
        ("name: t\nsort: id", "unknown field `sort`"),
        ("name: t\n5: id", "5 is not a name"),
        ("name: t\ninputFormat: YAML", "inputFormat YAML can't be read"),
        ("name: t\ninputFormat: JSON\ninput_format: JSON", "input_format is given twice"),
        ("name: t\ncolumns: 5", "Expected `array"),
        ("name: t\ncolumns: []", "0 columns"),
        ("name: t\ncolumns: [id]", "at `$.columns[0]`"),
        ("name: t\ncolumns: [{}]", "missing required field `key_path` - at `$.columns[0]`"),
        ("name: t\ncolumns: [{keyPath: a, colour: red}]", "unknown field `colour`"),
        ("name: t\ncolumns: [{keyPath: a, width: 0}]", "width must be 1 to"),
        ("name: t\ncolumns: [{keyPath: a, width: wide}]", "Expected `int"),
        ("name: t\ncolumns: [{keyPath: a, primaryKey: 'no'}]", "Expected `bool`"),
        ("name: t\ncolumns: [{keyPath: a, alignment: top}]", "Invalid enum value 'top'"),
        ("name: t\ncolumns: [{keyPath: a, headerBgColor: mauve}]", "'mauve' is not a colour"),
        ("name: t\ncolumns: [{keyPath: a, display: false}]", "no column has `display: true`"),
    ],
)
def test_what_is_malformed_is_refused(text, problem):
    """An unknown name, another type or an impossible value is an error that says where."""
    with pytest.raises(ConfigError) as caught:
        parse_table_format(text, "orders.yaml")

    assert "orders.yaml" == caught.value.where.partition(":")[0]
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", {"b": [10, {"c": None}]}),
        ("a.b.0", 10),
        ("a.b.1.c", None),
        ("x.y", 5),
        ("a.b.2", msgspec.UNSET),
        ("a.b.-1", msgspec.UNSET),
        ("a.b.c", msgspec.UNSET),
        ("a.b.0.c", msgspec.UNSET),
        ("missing", msgspec.UNSET),
        ("", msgspec.UNSET),
    ],
)
def test_paths(path, expected):
    """A path goes through names and indexes; a name with dots in it comes first."""
    row = {"a": {"b": [10, {"c": None}]}, "x.y": 5, "x": {"y": 6}}

    assert expected == Column(key_path=path).of(row)


@pytest.mark.parametrize(
    ("text", "background", "expected"),
    [
        (None, None, ""),
        ("red", None, "31"),
        (None, "White", "47"),
        ("black", "blue", "30;44"),
        ("#01020f", "#ffffff", "38;2;1;2;15;48;2;255;255;255"),
    ],
)
def test_colours(text, background, expected):
    """Names are the eight colours of every terminal; the others are given by their parts."""
    column = Column(key_path="a", header_text_color=text, header_bg_color=background)

    assert expected == ansi(column)


@given(st.text(max_size=40) | st.binary(max_size=40))
def test_anything_is_read_or_refused(text):
    """Invariants: any text is a table format or a ConfigError, never another error."""
    with contextlib.suppress(ConfigError):
        assert isinstance(parse_table_format(text), TableFormat)
