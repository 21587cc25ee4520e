"""`dataflare smartmodule lock`, and runs that are held to it."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import wat

from tests.harness import Result, run

PUPPET = wat.puppet()
MAP = wat.puppet(kind="map")
DIGEST = hashlib.sha256(PUPPET).hexdigest()
TOML = '[package]\nname = "my-filter"\ngroup = "my-group"\nversion = "0.1.0"\n'


@pytest.fixture
def stored(data_dir: Path, tmp_path: Path) -> Path:
    """A directory with modules as files; `puppet` is stored."""
    (tmp_path / "puppet.wasm").write_bytes(PUPPET)
    (tmp_path / "map.wasm").write_bytes(MAP)
    assert 0 == sm("create", "puppet", "--wasm-file", tmp_path / "puppet.wasm").code
    return tmp_path


def sm(*args: str | Path, **more: Any) -> Result:
    return run("smartmodule", *args, **more)


def test_lock(stored):
    """Names as they are used, and what they mean now."""
    (stored / "SmartModule.toml").write_text(TOML)
    sm("create", "--package", stored, "--wasm-file", stored / "puppet.wasm")
    result = sm("lock", "puppet", "my-filter@^0.1", cwd=stored)

    assert [
        f"puppet: puppet, SHA-256 {DIGEST}",
        f"my-filter@^0.1: my-group/my-filter@0.1.0, SHA-256 {DIGEST}",
    ] == result.lines
    assert (0, "2 SmartModules are what was locked\n") == (
        (check := sm("lock", "--check", cwd=stored)).code,
        check.text,
    )


def test_lock_takes_the_names_of_a_transforms_file(stored):
    """Those that were locked before stay."""
    (stored / "chain.yaml").write_text("transforms:\n- uses: other\n- uses: puppet\n- uses: other")
    sm("create", "other", "--wasm-file", stored / "map.wasm")
    sm("create", "third", "--wasm-file", stored / "map.wasm")
    sm("lock", "third", cwd=stored)
    result = sm("lock", "-t", "chain.yaml", cwd=stored)

    assert ["other", "puppet"] == [line.partition(":")[0] for line in result.lines]
    text = (stored / "dataflare.lock").read_text()
    assert all(f"[modules.{name}]" in text for name in ("other", "puppet", "third"))


def test_lock_notices_other_bytes(stored):
    """Until they are accepted: by name, or all of them anew."""
    sm("lock", "puppet", cwd=stored)
    sm("create", "puppet", "--wasm-file", stored / "map.wasm")
    check = sm("lock", "--check", cwd=stored)
    other = hashlib.sha256(MAP).hexdigest()

    assert (1, b"") == (check.code, check.stdout)
    assert [
        f"error: puppet is puppet with the SHA-256 {other}, locked was puppet with {DIGEST}",
        "  dataflare smartmodule lock puppet accepts it",
    ] == check.stderr.splitlines()
    assert 0 == sm("lock", cwd=stored).code
    assert 0 == sm("lock", "--check", cwd=stored).code


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "which SmartModules?"),
        (["--check"], 2, "which SmartModules?"),
        (["puppet", "--check"], 1, "SmartModule puppet was not found\n  it is not locked"),
        (["pupet"], 1, "SmartModule pupet was not found"),
        (["-t", "no.yaml"], 1, "File not found: "),
        (["-t", "puppet.wasm"], 2, "puppet.wasm: not YAML"),
    ],
)
def test_what_can_not_be_locked(arguments, code, message, stored):
    """No file is written."""
    result = sm("lock", *arguments, cwd=stored)

    assert (code, True) == (result.code, message in result.stderr)
    assert not (stored / "dataflare.lock").exists()


def test_a_lock_file_that_makes_no_sense(stored):
    """Is not written over."""
    (stored / "dataflare.lock").write_text("version = 9\n")
    result = sm("lock", "puppet", cwd=stored)

    assert (2, "version = 9\n") == (result.code, (stored / "dataflare.lock").read_text())
    assert "dataflare.lock: version 9 is not known: 1 is" in result.stderr


def test_locked_runs_take_the_locked_bytes(stored):
    """Also from a directory further down; other bytes and other names are refused."""
    inner = stored / "a" / "b"
    inner.mkdir(parents=True)
    options = ("transform", "--sm", "puppet", "--locked")
    missing = run(*options, stdin=b"a\n", cwd=inner)
    assert (1, True) == (missing.code, "dataflare smartmodule lock NAME" in missing.stderr)

    sm("lock", "puppet", cwd=stored)
    assert b"a\n" == run(*options, stdin=b"a\n", cwd=inner).stdout
    sm("create", "other", "--wasm-file", stored / "puppet.wasm")
    other = run("transform", "--sm", "other", "--locked", stdin=b"a\n", cwd=inner)
    assert (1, b"") == (other.code, other.stdout)
    assert f"it is not in {stored / 'dataflare.lock'}: " in other.stderr
    sm("create", "puppet", "--wasm-file", stored / "map.wasm")
    changed = run(*options, stdin=b"a\n", cwd=inner)
    assert (1, b"") == (changed.code, changed.stdout)
    assert "SmartModule puppet is not the one in" in changed.stderr


def test_options_that_stand_for_a_built_in_module_are_locked_as_it(stored):
    """Whatever is stored under its name; without such a module the plain name does, too."""
    match = ("transform", "--match", "a", "--locked")
    sm("lock", "regex-filter", cwd=stored)
    assert b"a\n" == run(*match, stdin=b"a\nb\n", cwd=stored).stdout

    sm("create", "regex-filter", "--wasm-file", stored / "puppet.wasm")
    sm("lock", "regex-filter", cwd=stored)
    refused = run(*match, stdin=b"a\n", cwd=stored)
    assert (1, True) == (refused.code, "smartmodule lock dataflare/regex-filter" in refused.stderr)

    assert 0 == sm("lock", "dataflare/regex-filter", cwd=stored).code
    assert b"a\n" == run(*match, stdin=b"a\nb\n", cwd=stored).stdout
