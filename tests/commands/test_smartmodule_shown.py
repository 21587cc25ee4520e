"""`dataflare smartmodule`: what it says beside what it does, and how things are called."""

from pathlib import Path
from typing import Any

import pytest
import wat

from tests.harness import Result, run

TOML = """\
[package]
name = "my-filter"
group = "my-group"
version = "{version}"
description = "Keeps all"
"""


@pytest.fixture
def files(data_dir: Path, tmp_path: Path) -> Path:
    """A directory with a module as a file; nothing is stored yet."""
    (tmp_path / "puppet.wasm").write_bytes(wat.puppet())
    return tmp_path


@pytest.fixture
def stored(files: Path) -> Path:
    """The same, and `puppet` is stored."""
    assert 0 == sm("create", "puppet", "--wasm-file", files / "puppet.wasm").code
    return files


def sm(*args: str | Path, **more: Any) -> Result:
    return run("smartmodule", *args, **more)


def package(directory: Path, version: str = "0.1.0") -> Path:
    """Make a package directory with something built in it."""
    built = directory / "target" / "wasm32-unknown-unknown" / "release" / "my_filter.wasm"
    built.parent.mkdir(parents=True)
    built.write_bytes(wat.puppet())
    (directory / "SmartModule.toml").write_text(TOML.format(version=version))
    return directory


def test_create_in_front_of_a_built_in_one(files):
    """Said once, on stderr: what the name means now, and how the other one is called."""
    first = sm("create", "jq", "--wasm-file", files / "puppet.wasm")
    again = sm("create", "jq", "--wasm-file", files / "puppet.wasm")

    note = '"jq" means this one from now on; the built-in SmartModule is "dataflare/jq"\n'
    assert (note, "") == (first.stderr, again.stderr)
    assert "stored" == sm("describe", "jq", "-O", "json").json["origin"]
    assert "built-in" == sm("describe", "dataflare/jq", "-O", "json").json["origin"]
    packaged = package(files / "p")
    toml = packaged / "SmartModule.toml"
    toml.write_text(toml.read_text().replace('"my-filter"', '"sum"'))
    named = sm("create", "--package", packaged, "--wasm-file", files / "puppet.wasm")
    assert note.replace("jq", "sum") == named.stderr
    assert "stored" == sm("describe", "sum", "-O", "json").json["origin"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["../loud.wasm"], "dataflare smartmodule create loud --wasm-file ../loud.wasm"),
        (["text.txt"], "dataflare smartmodule create text --wasm-file text.txt"),
        (["loud"], "--wasm-file FILE, or --package DIRECTORY"),
        ([], "--wasm-file FILE, or --package DIRECTORY"),
    ],
)
def test_create_of_a_file_without_its_option(words, hint, files):
    """The hint is the command that was meant, where that can be told."""
    (files / "text.txt").write_text("")
    result = sm("create", *words, cwd=files)

    assert (2, f"error: which module?\n  {hint}\n") == (result.code, result.stderr)


def test_list_tells_modules_of_one_package_apart(stored):
    """One that was stored under a name of its own is listed, and found, by that name."""
    sm("create", "--package", package(stored / "p"))
    sm("create", "mine", "--package", stored / "p")

    assert ["mine", "my-group/my-filter@0.1.0", "puppet"] == [
        line.split()[0] for line in sm("list").lines[1:]
    ]
    assert "mine" in sm("list", "--filter", "min").text
    assert {"my-group/my-filter@0.1.0"} == {
        row["shown_name"] for row in sm("list", "--filter", "filter@", "-O", "json").json
    }


def test_describe_what_says_nothing_of_itself(stored):
    """Lines without anything in them are left out, and so is a rule with nothing below it."""
    lines = sm("describe", "puppet").lines

    assert ["  Name: puppet", "  Package: none", "  Kind: filter"] == lines[:3]
    assert "  Origin: stored" == lines[-1]


def test_describe_says_what_its_package_says(stored):
    """Version and summary, of a module that has neither; a file is of no package."""
    sm("create", "mine", "--package", package(stored / "p", version="1.2"))
    named, described = (sm(verb, "mine", "-O", "json").json for verb in ("inspect", "describe"))
    plain = sm("inspect", stored / "puppet.wasm", "-O", "json").json

    assert named == described
    assert ("1.2.0", "Keeps all") == (named["version"], named["summary"])
    assert (None, "", None) == (plain["version"], plain["summary"], plain["package"])


def test_describe_on_a_narrow_terminal(files):
    """Texts are broken between words, everything fits."""
    result = sm("describe", "redact", env={"COLUMNS": "66"}, terminal=True)
    listed = sm("list", "--builtin", env={"COLUMNS": "66"}, terminal=True)
    (row,) = sm("list", "--builtin", "--filter", "redact", "-O", "json").json

    lines = [line for line in result.lines + listed.lines if row["sha256"] not in line]
    assert 66 >= max(map(len, lines)) > 50
    words = " ".join(result.text.split())
    assert all(each["name"] in words for each in row["params"])
    assert "the paths of what to redact whole" in words
    assert set(row["summary"].split()) <= set(listed.text.split())
