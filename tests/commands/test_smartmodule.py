"""`dataflare smartmodule`: stored, listed, looked at, exported, locked, watched and deleted."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import wat
import yaml

from dataflare_cli.catalog import Catalog
from dataflare_cli.model import SMARTMODULE_BYTES_MAX
from dataflare_cli.store import Store
from dataflare_cli.text.units import format_bytes
from tests.harness import Result, run

PUPPET = wat.puppet()
MAP = wat.puppet(kind="map")
SIZE = format_bytes(len(PUPPET))
DIGEST = hashlib.sha256(PUPPET).hexdigest()
SAID = {
    "name": "keeper",
    "version": "0.3.0",
    "summary": "Keeps all",
    "stateless": True,
    "params": [
        {"name": "key", "description": "what to look for"},
        {"name": "mode", "optional": True, "default": "soft", "example": "hard"},
    ],
}
TOML = """\
[package]
name = "my-filter"
group = "my-group"
version = "{version}"
description = "Keeps all"
"""


@pytest.fixture
def files(data_dir: Path, tmp_path: Path) -> Path:
    """A directory with modules as files; nothing is stored yet."""
    for name, wasm in (("puppet", PUPPET), ("map", MAP), ("said", wat.with_metadata(PUPPET, SAID))):
        (tmp_path / f"{name}.wasm").write_bytes(wasm)
    (tmp_path / "text.wasm").write_text("(module)")
    return tmp_path


@pytest.fixture
def stored(files: Path) -> Path:
    """The same, and `puppet` is stored."""
    assert 0 == sm("create", "puppet", "--wasm-file", files / "puppet.wasm").code
    return files


def sm(*args: str | Path, **more: Any) -> Result:
    return run("smartmodule", *args, **more)


def package(directory: Path, version: str = "0.1.0", wasm: bytes = PUPPET) -> Path:
    """Make a package directory with something built in it."""
    built = directory / "target" / "wasm32-unknown-unknown" / "release" / "my_filter.wasm"
    built.parent.mkdir(parents=True, exist_ok=True)
    built.write_bytes(wasm)
    (directory / "SmartModule.toml").write_text(TOML.format(version=version))
    return directory


def names() -> list[str]:
    return [row["name"] for row in sm("list", "-O", "json").json]


# ---------------------------------------------------------------------------- create


def test_create_from_a_file(files):
    """Fluvio's words; the data directory comes with it; a relative path begins at the cwd."""
    result = sm("create", "puppet", "--wasm-file", "puppet.wasm", cwd=files)

    assert (0, 'smartmodule "puppet" has been created.\n', "") == (
        result.code,
        result.text,
        result.stderr,
    )
    assert ["puppet"] == names()


def test_create_replaces(stored):
    """And says what is gone, if it was another one; --no-replace keeps it."""
    again = sm("create", "puppet", "--wasm-file", stored / "puppet.wasm")
    refused = sm("create", "puppet", "--wasm-file", stored / "map.wasm", "--no-replace")
    assert ("", 1) == (again.stderr, refused.code)
    assert "error: SmartModule already exists: puppet\n  leave --no-replace out\n" == refused.stderr
    assert "filter" == sm("list", "-O", "json").json[0]["kind"]

    other = sm("create", "puppet", "--wasm-file", stored / "map.wasm")
    assert 'smartmodule "puppet" has been created.\n' == again.text
    assert 'smartmodule "puppet" has been replaced.\n' == other.text
    assert f"it took the place of one with the SHA-256 {DIGEST}\n" == other.stderr
    assert ["map"] == [row["kind"] for row in sm("list", "-O", "json").json]


def test_no_replace_of_a_free_name(files):
    """Is a creation like any other."""
    result = sm("create", "puppet", "--wasm-file", files / "puppet.wasm", "--no-replace")

    assert (0, ["puppet"]) == (result.code, names())


def test_create_from_a_package(stored):
    """What was built there, under Fluvio's name for it; lists show its full name."""
    result = sm("create", "--package", package(stored / "p"))

    assert 'smartmodule "my-filter-my-group-0.1.0" has been created.\n' == result.text
    lines = sm("list").lines
    assert ["SMARTMODULE", "SIZE", "KIND", "CREATED"] == lines[0].split()
    assert [
        ["my-group/my-filter@0.1.0", *SIZE.split(), "filter"],
        ["puppet", *SIZE.split(), "filter"],
    ] == [line.split()[:4] for line in lines[1:]]


def test_create_a_package_under_a_name_and_with_a_file(stored):
    """The directory then only says what it is."""
    (stored / "p").mkdir()
    (stored / "p" / "SmartModule.toml").write_text(TOML.format(version="1"))
    result = sm("create", "mine", "--package", stored / "p", "--wasm-file", stored / "map.wasm")
    (row,) = (row for row in sm("list", "-O", "json").json if row["name"] == "mine")

    assert 0 == result.code
    assert ("map", "my-group/my-filter@1.0.0") == (row["kind"], row["shown_name"])


@pytest.mark.parametrize("dry", [["--dry-run"], ["-d"]])
def test_create_dry_run(dry, files, data_dir):
    """Everything is checked, nothing is made, not even the data directory."""
    arguments = ("create", "puppet", "--wasm-file", files / "puppet.wasm", *dry)
    result = sm(*arguments)
    bad = sm("create", "text", "--wasm-file", files / "text.wasm", *dry)

    assert 'smartmodule "puppet" would be created; nothing was done (--dry-run)\n' == result.text
    assert (1, False) == (bad.code, data_dir.exists())
    sm("create", "puppet", "--wasm-file", files / "puppet.wasm")
    assert 'smartmodule "puppet" would be replaced; nothing was done (--dry-run)\n' == (
        sm(*arguments).text
    )
    assert 1 == sm(*arguments, "--no-replace").code


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--wasm-file", "puppet.wasm"], 2, "which name?"),
        (["a"], 2, "which module?"),
        (["a", "--wasm-file", "no.wasm"], 3, "no.wasm: No such file or directory"),
        (["a", "--wasm-file", "."], 3, "Is a directory"),
        (["a", "--wasm-file", "text.wasm"], 1, "SmartModule a is invalid: it is WebAssembly text"),
        (["a/b", "--wasm-file", "puppet.wasm"], 1, "Invalid SmartModule name 'a/b'"),
        (["..", "--wasm-file", "puppet.wasm"], 1, "Invalid SmartModule name '..'"),
        (["", "--wasm-file", "puppet.wasm"], 1, "SmartModule name is required"),
        (["a", "--package", "."], 1, "SmartModule.toml"),
        (["--package", "built"], 1, "my_filter.wasm"),
        (["--package", "ours"], 2, "the group dataflare is that of the built-in SmartModules"),
        (["--package", "torn"], 2, "SmartModule.toml: "),
    ],
)
def test_what_can_not_be_created(arguments, code, message, files, data_dir):
    """Said before there is a data directory."""
    for name, text in (
        ("built", TOML.format(version="1")),
        ("ours", TOML.format(version="1").replace("my-group", "dataflare")),
        ("torn", "[package"),
    ):
        target = package(files / name)
        (target / "SmartModule.toml").write_text(text)
        if name == "built":
            (target / "target/wasm32-unknown-unknown/release/my_filter.wasm").unlink()
    result = sm("create", *arguments, cwd=files)

    assert (code, b"") == (result.code, result.stdout)
    assert message in result.stderr
    assert not data_dir.exists()


def test_create_looks_at_the_size_first(files):
    """A file that is far too large is not read to its end."""
    with (files / "large.wasm").open("wb") as file:
        file.truncate(SMARTMODULE_BYTES_MAX + 1)
    result = sm("create", "large", "--wasm-file", files / "large.wasm")

    assert (1, True) == (result.code, "which no SmartModule may have" in result.stderr)


def test_a_data_directory_that_is_a_file(files, data_dir):
    """Is not hidden as one that does not exist yet."""
    data_dir.write_text("")

    assert [3, 3, 3] == [
        sm("list").code,
        sm("describe", "puppet").code,
        sm("create", "puppet", "--wasm-file", files / "puppet.wasm").code,
    ]


# ------------------------------------------------------------------------------ list


def test_list_of_nothing(data_dir):
    """Looking creates nothing."""
    result = sm("list")

    assert (0, "no smartmodules\n") == (result.code, result.text)
    assert f"nothing is stored in {data_dir} yet\n" == result.stderr
    assert [] == sm("list", "-O", "json").json
    assert not data_dir.exists()


def test_list_json_has_every_field(stored):
    """Ours, and Fluvio's spec and status."""
    sm("create", "--package", package(stored / "p", version="1.2"))
    about = {
        "group": "my-group",
        "name": "my-filter",
        "version": "1.2.0",
        "description": "Keeps all",
        "license": "",
        "repository": "",
        "visibility": "private",
    }
    packaged, plain = sm("list", "-O", "json").json
    created_ms = packaged.pop("created_ms")

    assert {
        "name": "my-filter-my-group-1.2.0",
        "shown_name": "my-group/my-filter@1.2.0",
        "sha256": DIGEST,
        "size_bytes": len(PUPPET),
        "kind": "filter",
        "package": about,
        "spec": {"meta": {"package": about}, "wasm": {"size": len(PUPPET)}},
        "status": None,
    } == packaged
    assert ("puppet", "puppet", None) == (plain["name"], plain["shown_name"], plain["package"])
    assert created_ms > 1_600_000_000_000


def test_list_filter(stored):
    """By what lists show; all names without one."""
    sm("create", "other", "--wasm-file", stored / "map.wasm")
    sm("create", "--package", package(stored / "p"))

    def found(text: str) -> list[str]:
        return [row["shown_name"] for row in sm("list", "--filter", text, "-O", "json").json]

    assert ["my-group/my-filter@0.1.0"] == found("group/")
    assert ["other"] == found("oth")
    assert [] == found("PUPPET")
    assert "no smartmodules\n" == sm("list", "--filter", "zzz").text


def test_list_as_yaml_and_toml(stored):
    """The same rows."""
    rows = sm("list", "-O", "json").json

    assert rows == yaml.safe_load(sm("list", "-O", "yaml").text)
    assert 'name = "puppet"' in sm("list", "-O", "toml").text


def test_list_builtin(files, data_dir):
    """What comes with dataflare, without a data directory; filtered as well."""
    rows = sm("list", "--builtin", "-O", "json").json
    (row,) = sm("list", "--builtin", "--filter", "regex-filter", "-O", "json").json
    lines = sm("list", "--builtin").lines

    assert {
        "name",
        "version",
        "kind",
        "summary",
        "params",
        "stateless",
        "size_bytes",
        "sha256",
    } <= (set(row))
    assert ("regex-filter", "filter", True) == (row["name"], row["kind"], row["stateless"])
    assert sorted(each["name"] for each in rows) == [each["name"] for each in rows]
    assert ["SMARTMODULE", "KIND", "SIZE", "SUMMARY"] == lines[0].split()
    assert len(rows) == len(lines) - 1
    assert all(each["summary"] for each in rows)
    assert not data_dir.exists()


# -------------------------------------------------------------- describe and inspect


def test_describe(stored):
    """What it is, and its parameters in a table below."""
    sm("create", "keeper", "--wasm-file", stored / "said.wasm")
    result = sm("describe", "keeper")

    assert [
        "  Name: keeper",
        "  Package: none",
        "  Version: 0.3.0",
        "  Summary: Keeps all",
        "  Kind: filter",
        "  ABI: version 22, as of 2021-11 or later",
        "  Exports: alloc, dealloc, filter, memory",
        "  Imports: env.copy_records",
        "  Memory: 6.3 MB to begin with, no limit of its own",
        "  Stateless: true",
        "  SDK: dataflare-smartmodule",
    ] == result.lines[:11]
    assert "  Origin: stored" == result.lines[13]
    assert [
        ["PARAMETER", "DEFAULT", "DESCRIPTION"],
        ["key", "(required)", "what", "to", "look", "for"],
        ["mode", "soft"],
    ] == [line.split() for line in result.lines[15:]]


@pytest.mark.parametrize(
    "name",
    [
        *("my-filter", "my-group/my-filter", "my-group/my-filter@0.1.0", "my-filter@^0.1"),
        "my-filter-my-group-0.1.0",
    ],
)
def test_describe_a_package(name, files):
    """By every name it has."""
    sm("create", "--package", package(files / "p"))
    row = sm("describe", name, "-O", "json").json

    expected = "my-group/my-filter@0.1.0"
    assert (expected, expected, "stored") == (row["name"], row["package"], row["origin"])


def test_inspect_json_has_every_field(files, data_dir):
    """The fields that its help names, of a file and without a data directory."""
    row = sm("inspect", files / "said.wasm", "-O", "json").json
    named = " ".join(sm("inspect", "--help").text.split())

    assert {
        "name": "said.wasm",
        "origin": str(files / "said.wasm"),
        "package": None,
        "version": "0.3.0",
        "kind": "filter",
        "generation": "2021-11 or later",
        "abi_version": 22,
        "has_init": False,
        "has_look_back": False,
        "stateless": True,
        "imports": ["env.copy_records"],
        "exports": ["alloc", "dealloc", "filter", "memory"],
        "memory_bytes": 96 * 65_536,
        "memory_bytes_max": None,
        "params": [
            {"name": "key", "description": "what to look for", "optional": False}
            | {"default": None, "example": None},
            {"name": "mode", "description": "", "optional": True}
            | {"default": "soft", "example": "hard"},
        ],
        "summary": "Keeps all",
        "size_bytes": (files / "said.wasm").stat().st_size,
        "sha256": hashlib.sha256((files / "said.wasm").read_bytes()).hexdigest(),
        "sdk": "dataflare-smartmodule",
        "output_freed": "by the size of the output",
    } == row
    assert all(field in named for field in row)
    assert not data_dir.exists()


def test_inspect_a_file_or_a_name(stored):
    """A file if there is one; `.wasm` is always one."""
    assert "stored" == sm("inspect", "puppet", "-O", "json").json["origin"]
    here = sm("inspect", "puppet.wasm", "-O", "json", cwd=stored).json
    assert str(stored / "puppet.wasm") == here["origin"]
    assert 3 == sm("inspect", "no.wasm", cwd=stored).code
    (stored / "puppet").write_bytes(MAP)
    assert "map" == sm("inspect", "puppet", "-O", "json", cwd=stored).json["kind"]


def test_inspect_what_is_none(files):
    """The reason, by the file's name."""
    result = sm("inspect", "text.wasm", cwd=files)

    assert 1 == result.code
    assert result.stderr.startswith("error: SmartModule text.wasm is invalid: it is WebAssembly te")


@pytest.mark.parametrize("command", ["describe", "inspect", "export"])
def test_a_name_that_nothing_has(command, stored):
    """With a name that is like it, or how to see all; as JSON where -O asks for it."""
    near, far = sm(command, "pupet"), sm(command, "zzzzzz")

    assert (1, b"") == (near.code, near.stdout)
    assert 'error: SmartModule pupet was not found\n  did you mean "puppet"?\n' == near.stderr
    assert "dataflare smartmodule list shows the stored ones" in far.stderr
    if command != "export":
        error = sm(command, "pupet", "-O", "json").error
        assert ("NotFound", "smartmodule", ["puppet"], 1) == (
            error["type"],
            error["kind"],
            error["suggestions"],
            error["exit_code"],
        )


def test_a_built_in_one_is_described(files, data_dir):
    """Without a data directory."""
    row = sm("describe", "regex-filter", "-O", "json").json

    assert ("regex-filter", "built-in", "filter") == (row["name"], row["origin"], row["kind"])
    assert ["regex"] == [each["name"] for each in row["params"] if not each["optional"]]
    assert not data_dir.exists()


def test_damaged_bytes_are_not_used(stored, data_dir):
    """Exit code 7, wherever they would be; a list does not look at them, and delete works."""
    with Store.open(data_dir) as store, store.change("test", "damage") as change:
        change.put(b"blobs", bytes.fromhex(DIGEST), MAP)
    results = [
        sm("describe", "puppet"),
        sm("export", "puppet"),
        sm("lock", "puppet", cwd=stored),
        run("transform", "--smartmodule", "puppet", stdin=b"a\n"),
    ]

    assert [(7, b"")] * 4 == [(each.code, each.stdout) for each in results]
    assert all("SmartModule puppet is corrupt: expected SHA-256" in r.stderr for r in results)
    assert ["puppet"] == names()
    assert 0 == sm("create", "puppet", "--wasm-file", stored / "puppet.wasm").code
    assert PUPPET == sm("export", "puppet").stdout


# ---------------------------------------------------------------------------- delete


def test_delete(stored):
    """Fluvio's words; its bytes go with the last name that has them."""
    sm("create", "twin", "--wasm-file", stored / "puppet.wasm")
    assert 'smartmodule "puppet" deleted\n' == sm("delete", "puppet").text
    assert PUPPET == sm("export", "twin").stdout
    sm("delete", "twin")

    with Store.open(stored / "data") as store, store.view() as view:
        assert [] == list(view.items(b"blobs"))
        assert [] == Catalog(store).smartmodules()


def test_delete_by_the_name_that_lists_show(stored):
    """As well as by the one it is stored under; never by a part of it."""
    sm("create", "--package", package(stored / "p"))
    for part in ("my-filter", "my-group/my-filter", "my-group/my-filter@0.1", "my-filter@0.1.0"):
        assert 1 == sm("delete", part).code
    result = sm("delete", "my-group/my-filter@0.1.0")

    assert 'smartmodule "my-group/my-filter@0.1.0" deleted\n' == result.text
    assert ["puppet"] == names()


def test_delete_of_a_full_name_that_two_have(stored):
    """Their own names tell them apart."""
    sm("create", "mine", "--package", package(stored / "p"))
    sm("create", "yours", "--package", package(stored / "p"))
    result = sm("delete", "my-group/my-filter@0.1.0")

    assert (1, "  say which: mine, yours") == (result.code, result.stderr.splitlines()[1])
    assert ["mine", "puppet", "yours"] == names()


def test_delete_what_is_not_there(stored):
    """The first one ends it; close names are offered."""
    result = sm("delete", "pupet", "puppet")

    assert (1, b"") == (result.code, result.stdout)
    assert 'error: SmartModule pupet was not found\n  did you mean "puppet"?\n' == result.stderr
    assert (
        "  dataflare smartmodule list shows all that are stored"
        == (sm("delete", "zzzzzz").stderr.splitlines()[1])
    )
    assert ["puppet"] == names()


def test_delete_goes_on(stored):
    """-c does what can be done: 5 if something was, 1 if nothing was."""
    part = sm("delete", "-c", "no", "puppet", "puppet")
    none = sm("delete", "--continue-on-error", "no", "nothing")

    message = "error: Failed deleting SmartModule(s). Check previous errors.\n"
    assert (5, 'smartmodule "puppet" deleted\n') == (part.code, part.text)
    assert "SmartModule no was not found\n" + message == part.stderr
    assert (1, message) == (none.code, "".join(none.stderr.splitlines(keepends=True)[2:]))
    assert [] == names()


def test_delete_dry_run(stored):
    """What would be deleted; it stays."""
    result = sm("delete", "puppet", "--dry-run")

    assert [
        'smartmodule "puppet" would be deleted: filter, ' + SIZE,
        "nothing was done (--dry-run)",
    ] == result.lines
    assert (1, 5) == (sm("delete", "no", "-d").code, sm("delete", "-d", "-c", "no", "puppet").code)
    assert ["puppet"] == names()


def test_delete_without_a_data_directory(data_dir):
    """Says why it is not there, and makes none."""
    result = sm("delete", "puppet")

    assert (1, False) == (result.code, data_dir.exists())
    assert f"  nothing is stored in {data_dir} yet" == result.stderr.splitlines()[1]


def test_a_built_in_one_is_not_deleted(stored):
    """It is not stored."""
    assert 1 == sm("delete", "regex-filter").code
    assert 0 == sm("describe", "regex-filter").code


# ---------------------------------------------------------------------------- export


def test_export(stored):
    """The bytes and nothing else, to stdout or to a file."""
    assert PUPPET == sm("export", "puppet").stdout
    result = sm("export", "puppet", "--file", "out.wasm", cwd=stored)

    assert (b"", f"out.wasm: {SIZE}, SHA-256 {DIGEST}\n") == (result.stdout, result.stderr)
    assert PUPPET == (stored / "out.wasm").read_bytes()


def test_export_to_where_nothing_can_be_written(stored):
    """A terminal, a directory, nowhere."""
    terminal = sm("export", "puppet", terminal=True)
    assert (2, b"") == (terminal.code, terminal.stdout)
    assert "error: a terminal is no place for WASM\n  name a --file\n" in terminal.stderr.replace(
        "\x1b[1;31m", ""
    ).replace("\x1b[0m", "")
    assert 3 == sm("export", "puppet", "-f", ".", cwd=stored).code
    assert 3 == sm("export", "puppet", "-f", "no/out.wasm", cwd=stored).code


def test_export_a_built_in_one(files, data_dir):
    """It runs as a file, too."""
    sm("export", "regex-filter", "-f", "r.wasm", cwd=files)
    options = ("--smartmodule-path", "r.wasm", "-e", "regex=b")

    assert b"b\n" == run("transform", *options, stdin=b"a\nb\n", cwd=files).stdout
    assert not data_dir.exists()
