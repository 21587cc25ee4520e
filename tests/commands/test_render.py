"""Tables and documents: Fluvio's layout, four formats, terminals that stay unharmed."""

import io
import json
import os
import tempfile
import tomllib
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.render import clean, dump, fold, show_list, show_one, table_lines

COLUMNS = (("NAME", "name"), ("SIZE", lambda row: f"{row['size']} B"), ("NOTE", "note"))
ROWS = [{"name": "a", "size": 1, "note": None}, {"name": "orders", "size": 86, "note": "x"}]


@pytest.fixture
def env(tmp_path):
    """An environment whose stdout is the file `out`."""
    with (tmp_path / "out").open("wb") as file:
        yield Environment(stdout_fd=file.fileno(), stderr=io.StringIO(), environ={})


def printed(tmp_path: Path) -> str:
    return (tmp_path / "out").read_text(encoding="utf-8")


def test_a_list_is_a_borderless_table(env, tmp_path):
    """One blank around each cell, one more before each line, capitals on top."""
    show_list(env, ROWS, COLUMNS, "table", empty="none")

    assert ("  NAME    SIZE  NOTE\n  a       1 B\n  orders  86 B  x\n") == printed(tmp_path)


def test_an_empty_list_says_so_in_a_table_only(env, tmp_path):
    """Programs get an empty list."""
    show_list(env, [], COLUMNS, "table", empty="No topics found")
    show_list(env, [], COLUMNS, "json", empty="No topics found")

    assert "No topics found\n[]\n" == printed(tmp_path)


def test_one_thing_is_key_colon_value(env, tmp_path):
    """Fluvio's describe: no blank after the colon, indented by two."""
    fields = (("Name", "name"), ("Partition Count", "size"), ("Reason", "note"))
    show_one(env, ROWS[0], fields, "table", rule=True)

    assert "  Name:a\n  Partition Count:1\n  Reason:\n  -----------------\n" == printed(tmp_path)


def test_documents_are_the_rows_as_they_are(env, tmp_path):
    """json, yaml and toml carry every field; TOML has no null and no bare list."""
    assert ROWS == json.loads(dump(ROWS, "json"))
    assert ROWS == yaml.safe_load(dump(ROWS, "yaml"))
    assert {"items": [{"name": "a", "size": 1}, ROWS[1]]} == tomllib.loads(
        dump(ROWS, "toml").decode()
    )
    assert '[\n  {\n    "name": "a",' == dump(ROWS, "json").decode()[:22]


def test_structs_are_dumped_too():
    """What the core returns need not be taken apart by hand."""

    class Thing(msgspec.Struct):
        path: Path | str
        count: int = 1

    assert {"path": "x", "count": 1} == json.loads(dump(Thing("x"), "json"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\tb\r\n", "a\\tb\\r\\n"),
        ("\x7f\x9b31m", "\\x7f\\x9b31m"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("naïve 日本", "naïve 日本"),
    ],
)
def test_control_characters_are_shown(text, shown):
    """A topic's name or a record can't move the cursor, set a title or turn text around."""
    assert shown == clean(text)


def test_wide_characters_keep_columns_straight():
    """Two cells of a terminal each; combining ones none."""
    rows = [{"name": "日本", "size": 1, "note": "x"}, {"name": "e\u0301", "size": 2, "note": "y"}]

    assert [
        "  NAME  SIZE  NOTE",
        "  日本  1 B   x",
        "  e\u0301     2 B   y",
    ] == table_lines(rows, COLUMNS)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(TEXTS, st.one_of(TEXTS, st.integers(-(2**63), 2**63 - 1), st.booleans())))
def test_documents_are_exact_and_harmless(row):
    """Invariants: what is dumped reads back equal, and no control character is in the text."""
    for form, read in (("json", json.loads), ("toml", tomllib.loads)):
        text = dump(row, form).decode()
        assert row == read(text)
        assert [] == [each for each in text if each != "\n" and clean(each) != each]
    assert row == yaml.safe_load(dump(row, "yaml"))


def test_dump_ends_in_a_newline():
    """So that a prompt or the next line begins at the left."""
    assert {b"\n"} == {dump({"a": 1}, form)[-1:] for form in ("json", "yaml", "toml")}
    assert os.linesep == "\n"


def test_a_narrow_terminal_leaves_spare_columns_out(home):
    """One by one, until the table fits; a pipe gets them all."""
    rows = [{"a": "x" * 30, "b": "y" * 30, "c": "z" * 30}]
    columns = (("A", "a"), ("B", "b"), ("C", "c"))

    def shown(width: int, *, terminal: bool) -> str:
        with tempfile.TemporaryFile() as target:
            env = Environment(stdout_fd=target.fileno(), environ={"COLUMNS": str(width)})
            env.stdout_is_terminal = terminal
            show_list(env, rows, columns, "table", empty="", spare=("C", "B"))
            target.seek(0)
            return target.read().decode()

    assert ["A", "B", "C"] == shown(120, terminal=True).split()[:3]
    assert ["A", "B", "x" * 30] == shown(80, terminal=True).split()[:3]
    assert ["A", "x" * 30] == shown(40, terminal=True).split()
    assert ["A", "B", "C"] == shown(40, terminal=False).split()[:3]


def test_a_narrow_terminal_breaks_texts_at_spaces():
    """Headers first where nothing below them is as wide, then the widest text; words stay whole."""
    rows = [
        {"a": "one", "b": "7days", "c": "some words that take a while"},
        {"a": "three", "b": "1h", "c": "few"},
    ]
    columns = (("NAME", "a"), ("RETENTION TIME", "b"), ("TEXT", "c"))

    assert [
        "  NAME   RETENTION  TEXT",
        "         TIME",
        "  one    7days      some words that take a while",
        "  three  1h         few",
    ] == table_lines(rows, columns, 50)
    assert [
        "  NAME   RETENTION  TEXT",
        "         TIME",
        "  one    7days      some words",
        "                    that take a",
        "                    while",
        "  three  1h         few",
    ] == table_lines(rows, columns, 32)
    whole = table_lines(rows, columns)
    assert whole == table_lines(rows, columns, max(map(len, whole)))
    assert whole != table_lines(rows, columns, max(map(len, whole)) - 1)
    assert "  three  1h         few" == table_lines(rows, columns, 3)[-1]


def test_one_thing_on_a_narrow_terminal(env, tmp_path):
    """Its lines are broken at spaces as well, in a terminal only; a blank where one is wanted."""
    fields = (("Exports", "a"),)
    env.environ = {"COLUMNS": "24"}
    show_one(env, {"a": "alloc, dealloc, memory"}, fields, "table", colon=": ")
    env.stdout_is_terminal = True
    show_one(env, {"a": "alloc, dealloc, memory"}, fields, "table", colon=": ")

    assert (
        "  Exports: alloc, dealloc, memory\n  Exports: alloc,\n    dealloc, memory\n"
    ) == printed(tmp_path)


@given(st.text("ab 日", max_size=60), st.integers(1, 30))
def test_folding_loses_nothing(text, width):
    """Invariants: put together, the lines are the text; too long is only a single word."""
    lines = fold(text, width)

    assert text == " ".join(lines)
    assert all(
        sum(1 + (each == "日") for each in line) <= width or " " not in line.strip(" ")
        for line in lines
    )


def test_short_cells_are_not_broken():
    """A number stays with its unit, however narrow it gets."""
    rows = [{"a": "1.4 MB", "b": "words that can be apart from each other"}]
    lines = table_lines(rows, (("SIZE", "a"), ("TEXT", "b")), 10)

    assert ["  1.4 MB  words that", "          can be apart"] == lines[1:3]


def test_texts_are_broken_before_columns_are_left_out(env, tmp_path):
    """A header of two words gives way first, then what is spare."""
    columns = (("RETENTION TIME", "a"), ("REASON", "b"))
    rows = [{"a": "7days", "b": "x" * 20}]
    env.stdout_is_terminal = True
    for width in (33, 30):
        env.environ = {"COLUMNS": str(width)}
        show_list(env, rows, columns, "table", empty="", spare=("REASON",))

    assert (
        "  RETENTION  REASON\n  TIME\n  7days      xxxxxxxxxxxxxxxxxxxx\n"
        "  RETENTION TIME\n  7days\n"
    ) == printed(tmp_path)
