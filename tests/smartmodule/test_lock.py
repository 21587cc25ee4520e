"""Lock files: what names mean, held on to."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.errors import ConfigError, DataError, NotFound, Unreachable
from dataflare_cli.smartmodule.lock import (
    FILE,
    FILE_BYTES_MAX,
    Locked,
    check_locked,
    find_lock,
    read_lock,
    write_lock,
)
from dataflare_cli.smartmodule.registry import Found

A, B = "a" * 64, "b" * 64
GOOD = f'version = 1\n[modules.f]\nname = "g/f@0.1.0"\nsha256 = "{A}"\n'

names = st.text(st.characters(codec="utf-8"), max_size=20)


def refusal_of(path: Path, text: str | bytes) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        read_lock(path)
    return str(caught.value).removeprefix(f"{path}: ")


def test_the_file_is_one_a_person_reads(tmp_path):
    """Sorted, so that a diff of it shows what has changed."""
    write_lock(tmp_path / FILE, {"g/f@^0.1": Locked("g/f@0.1.2", A), "a": Locked("a", B)})

    assert f"""\
# Written by `dataflare smartmodule lock`.
version = 1

[modules.a]
name = "a"
sha256 = "{B}"

[modules."g/f@^0.1"]
name = "g/f@0.1.2"
sha256 = "{A}"
""" == (tmp_path / FILE).read_text()


@given(st.dictionaries(names, st.builds(Locked, names, names), max_size=5))
def test_what_was_written_is_read(tmp_path_factory, modules):
    """Invariants: any names come back, whatever TOML makes of them."""
    path = tmp_path_factory.mktemp("lock") / FILE
    write_lock(path, modules)

    assert modules == read_lock(path)


def test_the_file_is_replaced_as_a_whole(tmp_path):
    """Nothing is left beside it, and who has it open reads on in the old one."""
    path = tmp_path / FILE
    write_lock(path, {"f": Locked("f", A)})
    with path.open() as before:
        write_lock(path, {"f": Locked("f", B)})
        assert A in before.read()

    assert {"f": Locked("f", B)} == read_lock(path)
    assert [path] == list(tmp_path.glob("*lock*"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Object missing required field `version`"),
        ("version = 2\n", "version 2 is not known: 1 is"),
        ('version = "1"\n', "Expected `int`, got `str` - at `$.version`"),
        ("version = 1\n[module]\n", "Object contains unknown field `module`"),
        (GOOD + 'size = "1"\n', "Object contains unknown field `size`"),
        (GOOD.replace("sha256", "sha512"), "Object"),
        ("version = ", "is not valid TOML: Invalid value"),
        ("a=" + "[" * 5000, "is not valid TOML: "),
        ("version = " + "1" * 5000, "is not valid TOML: "),
        (b"\xff", "is not valid TOML: 'utf-8' codec can't decode byte 0xff"),
        (GOOD + "#" * FILE_BYTES_MAX, "is larger than 1048576 bytes"),
    ],
)
def test_a_file_that_makes_no_sense(text, problem, tmp_path):
    """A lock that can't be read must not lock nothing."""
    assert refusal_of(tmp_path / FILE, text).startswith(problem)


def test_a_file_without_modules(tmp_path):
    """Locks nothing, and says so for every name."""
    (tmp_path / FILE).write_text("version = 1\n")

    assert {} == read_lock(tmp_path / FILE)


def test_what_can_not_be_read_or_written(tmp_path):
    """The file and the reason."""
    (tmp_path / FILE).mkdir()
    with pytest.raises(Unreachable, match=r"dataflare\.lock: Is a directory"):
        read_lock(tmp_path / FILE)
    with pytest.raises(Unreachable, match=r"dataflare\.lock: Is a directory"):
        write_lock(tmp_path / FILE, {})
    with pytest.raises(Unreachable, match=r"No such file or directory"):
        write_lock(tmp_path / "nothing" / FILE, {})
    assert [tmp_path / FILE] == list(tmp_path.glob("*lock*"))


def test_the_nearest_file_counts(tmp_path):
    """As with a repository: from any directory in it."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / FILE).write_text(GOOD)

    assert tmp_path / FILE == find_lock(inner)
    (tmp_path / "a" / FILE).write_text(GOOD)
    assert tmp_path / "a" / FILE == find_lock(inner)
    assert tmp_path / FILE == find_lock(tmp_path)


def test_no_file(tmp_path):
    """Where it would be, and what writes one."""
    with pytest.raises(NotFound) as caught:
        find_lock(tmp_path)

    assert f"File not found: {tmp_path / FILE}" == str(caught.value)
    assert "dataflare smartmodule lock NAME… writes one" == caught.value.hint


def test_only_the_locked_bytes_are_taken(tmp_path):
    """By what was asked for: the same bytes under another name are not locked."""
    path = tmp_path / FILE
    locked = {"f": Locked("g/f@0.1.0", A)}

    check_locked(path, locked, "f", Found("g/f@0.1.0", A, b"", "stored"))
    with pytest.raises(NotFound, match="SmartModule g/f was not found") as missing:
        check_locked(path, locked, "g/f", Found("g/f@0.1.0", A, b"", "stored"))
    assert f"it is not in {path}: dataflare smartmodule lock g/f accepts what it means now" == (
        missing.value.hint
    )
    with pytest.raises(DataError) as other:
        check_locked(path, locked, "f", Found("g/f@0.2.0", B, b"", "stored"))
    assert (
        f"SmartModule f is not the one in {path}: SHA-256 {B} (g/f@0.2.0), "
        f"locked was {A} (g/f@0.1.0)"
    ) == str(other.value)
    assert "dataflare smartmodule lock f accepts what it means now" == other.value.hint


def test_a_file_is_not_locked(tmp_path):
    """Its name would be one that `lock` does not find: the hint says what helps."""
    with pytest.raises(NotFound, match=r"SmartModule my\.wasm was not found") as caught:
        check_locked(tmp_path / FILE, {}, "my.wasm", Found("my.wasm", A, b"", "/x/my.wasm"))

    assert str(caught.value.hint).endswith(
        "only names are locked: dataflare smartmodule create gives a file one"
    )
