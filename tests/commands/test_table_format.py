"""`dataflare table-format`: stored, shown, used and deleted."""

import json
from pathlib import Path

import pytest
import yaml

from dataflare_cli.catalog import Catalog
from dataflare_cli.store import Store
from tests.harness import run

SLIM = """\
name: slim
inputFormat: JSON
columns:
- keyPath: user.name
  headerLabel: User
  width: 8
  headerTextColor: red
- keyPath: id
  primaryKey: true
"""


@pytest.fixture
def slim(data_dir: Path, tmp_path: Path) -> Path:
    """A table format `slim`; returns the directory with its YAML."""
    (tmp_path / "slim.yaml").write_text(SLIM)
    result = run("table-format", "create", "-c", "slim.yaml", cwd=tmp_path)
    assert 'tableformat "slim" created\n' == result.text
    return tmp_path


@pytest.mark.usefixtures("slim")
def test_a_table_shows_its_columns():
    """What is stored is what consume uses."""
    run("produce", "t", "--create", stdin=b'{"user":{"name":"ann"},"id":1,"more":2}\n')
    lines = run("consume", "t", "-B", "-d", "-O", "table", "--table-format", "slim").lines

    assert [["User", "id"], ["ann", "1"]] == [line.split() for line in lines]


@pytest.mark.usefixtures("slim")
def test_list():
    """Names and whether they can be used; tf is short for it."""
    assert [["NAME", "STATUS"], ["slim", "ok"]] == [
        line.split() for line in run("tf", "list").lines
    ]
    (row,) = run("table-format", "list", "-O", "json").json
    assert ("slim", "ok", "user.name") == (
        row["name"],
        row["status"],
        row["spec"]["columns"][0]["key_path"],
    )


def test_one_that_cannot_be_read_is_listed(data_dir):
    """Another release may have stored it; the others are still shown."""
    with Store.open(data_dir) as store:
        Catalog(store).create_table_format("odd", b"name: odd\nrows: 3")
        Catalog(store).create_table_format("plain", b"name: plain")
    odd, plain = run("table-format", "list", "-O", "json").json

    assert ("Object contains unknown field `rows`", None) == (odd["status"], odd["spec"])
    assert ("ok", None) == (plain["status"], plain["spec"]["columns"])
    assert 2 == run("table-format", "describe", "odd").code
    assert "  Name:plain" in run("table-format", "describe", "plain").lines


def test_describe(slim):
    """In a table; and as YAML that makes the same one."""
    lines = run("table-format", "describe", "slim").lines

    assert ["  Name:slim", "  Input Format:JSON", "  SmartModule:none"] == lines[:3]
    assert ["user.name", "User", "8", "left", "true", "false", "red"] == lines[5].split()
    found = run("table-format", "describe", "slim", "-O", "yaml").text
    (slim / "copy.yaml").write_text(found.replace("slim", "copy"))
    assert 0 == run("table-format", "create", "-c", "copy.yaml", cwd=slim).code
    copy = run("table-format", "describe", "copy", "-O", "json").json
    assert {**yaml.safe_load(found), "name": "copy"} == copy


def test_delete_is_silent(slim):
    """As Fluvio's on stdout; a dry run leaves it there."""
    dry = run("table-format", "delete", "slim", "--dry-run")
    wet = run("table-format", "delete", "slim")

    assert [
        f'tableformat "slim" would be deleted: {len(SLIM)} bytes of YAML',
        "nothing was done (--dry-run)",
    ] == dry.lines
    assert (0, b"", 'tableformat "slim" deleted\n') == (wet.code, wet.stdout, wet.stderr)
    assert "no tableformats\n" == run("table-format", "list").text


def test_create_twice(slim):
    """Fluvio's error, and a way on."""
    result = run("table-format", "create", "-c", "slim.yaml", cwd=slim)

    assert (1, b"") == (result.code, result.stdout)
    assert (
        "error: TableFormat already exists: slim\n  dataflare table-format delete slim makes room\n"
    ) == result.stderr


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("name: t\ncolums: []", 2, "t.yaml: Object contains unknown field `colums`"),
        ("columns: []", 2, "t.yaml: Object missing required field `name`"),
        ("name: a b", 1, "Invalid argument: Invalid TableFormat name 'a b'"),
        ("[", 2, "t.yaml:1:2: not YAML"),
        (None, 1, "File not found: "),
    ],
)
def test_yaml_is_checked(text, code, message, tmp_path, data_dir):
    """Before there is a data directory."""
    if text is not None:
        (tmp_path / "t.yaml").write_text(text)
    result = run("table-format", "create", "--config", "t.yaml", cwd=tmp_path)

    assert (code, b"") == (result.code, result.stdout)
    assert result.stderr.startswith(f"error: {message}")
    assert not data_dir.exists()


@pytest.mark.parametrize(
    "words", [("describe", "slin"), ("delete", "slin"), ("delete", "slin", "-d")]
)
def test_an_unknown_one(words, slim):
    """Fluvio's error, and the close name."""
    result = run("table-format", *words)

    assert (1, b"") == (result.code, result.stdout)
    assert 'error: TableFormat not found: slin\n  did you mean "slim"?\n' == result.stderr


def test_without_a_data_directory(data_dir):
    """An empty list, and nothing to describe or delete; nothing is made."""
    assert (0, "no tableformats\n") == (
        run("table-format", "list").code,
        run("table-format", "list").text,
    )
    assert [] == json.loads(run("table-format", "list", "-O", "json").stdout)
    for verb in ("describe", "delete"):
        assert (1, f"error: TableFormat not found: x\n  nothing is stored in {data_dir} yet\n") == (
            run("table-format", verb, "x").code,
            run("table-format", verb, "x").stderr,
        )
    assert not data_dir.exists()
