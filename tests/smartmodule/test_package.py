"""Package directories: a SmartModule.toml, and what cargo has built."""

import os
from pathlib import Path

import pytest

from dataflare_cli.errors import ConfigError, NotFound
from dataflare_cli.model import Package
from dataflare_cli.smartmodule.package import find_built, read_package_file, store_name
from dataflare_cli.smartmodule.sections import Param

FULL = """\
[package]
name = "my-filter"
group = "my-group"
version = "0.2.0-rc.1"
apiVersion = "0.1.0"
description = "Keeps what is worth it"
license = "Apache-2.0"
repository = "https://example.com"
visibility = "public"

[[params]]
name = "regex"
description = "What to look for"

[[params]]
name = "invert"
optional = true
"""
WORKSPACE = "[workspace]\nmembers = []\n"
SHORT = '[package]\nname = "f"\ngroup = "g"\nversion = "1"\n'


def package_of(tmp_path: Path, text: str | bytes) -> Path:
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "SmartModule.toml").write_bytes(data)
    return tmp_path


def refusal_of(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        read_package_file(package_of(tmp_path, text))
    message = str(caught.value)
    where = f"{tmp_path / 'SmartModule.toml'}: "
    assert message.startswith(where)
    return message.removeprefix(where)


def build(directory: Path, name: str, *, time: int = 0) -> Path:
    """Put a file where cargo would."""
    path = directory / "target" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\0asm")
    if time:
        os.utime(path, (time, time))
    return path


def test_everything_a_file_can_say(tmp_path):
    """Fluvio's keys."""
    found = read_package_file(package_of(tmp_path, FULL))

    assert found.package == Package(
        group="my-group",
        name="my-filter",
        version="0.2.0-rc.1",
        description="Keeps what is worth it",
        license="Apache-2.0",
        repository="https://example.com",
        visibility="public",
    )
    assert found.params == (
        Param("regex", "What to look for"),
        Param("invert", optional=True),
    )
    assert "my-group/my-filter@0.2.0-rc.1" == found.package.full_name


def test_what_it_has_to_say(tmp_path):
    """A version may be short; a package is private if it does not say otherwise."""
    package = read_package_file(package_of(tmp_path, SHORT)).package

    assert ("g/f@1.0.0", "private") == (package.full_name, package.visibility)
    assert "f-g-1.0.0" == store_name(package)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('version = "1"', ""), "Object missing required field `version` - at `$.package`"),
        (('version = "1"', "version = 1"), "Expected `str`, got `int` - at `$.package.version`"),
        (('version = "1"', 'version = "one"'), "package.version: 'one' is not a version"),
        (('version = "1"', 'version = "^1"'), "package.version: '^1' is not a version"),
        (('name = "f"', 'name = "a/b"'), "Invalid package name 'a/b'"),
        (('name = "f"', 'name = ""'), "package name is required"),
        (('name = "f"', 'name = ".."'), "Invalid package name '..'"),
        (('group = "g"', 'group = "a@1"'), "Invalid group name 'a@1'"),
        (("[package]", "[packages]"), "Object contains unknown field `packages`"),
        (("name", "title"), "Object contains unknown field `title` - at `$.package`"),
        (('version = "1"', 'version = "1"\nowner = "me"'), "Object contains unknown field `owner`"),
        (("[package]", "[package"), "is not valid TOML: Expected ']'"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(change, problem, tmp_path):
    """The file, then the key."""
    assert refusal_of(tmp_path, SHORT.replace(*change)).startswith(problem)


def test_a_file_that_is_no_toml(tmp_path):
    """Too large, no UTF-8, or a parameter that is more than a name and words."""
    assert "is larger than 65536 bytes" == refusal_of(tmp_path, SHORT + "#" * 65_536)
    assert "can't decode byte 0xff" in refusal_of(tmp_path, b"\xff")
    assert "unknown field `type` - at `$.params[0]`" in refusal_of(
        tmp_path, SHORT + '[[params]]\nname = "p"\ntype = "int"\n'
    )


def test_a_directory_without_one(tmp_path):
    """Also what is no directory; the next step is to make one."""
    (tmp_path / "file").write_text("")
    for directory in (tmp_path, tmp_path / "nothing", tmp_path / "file"):
        with pytest.raises(NotFound, match=r"SmartModule\.toml") as caught:
            read_package_file(directory)
        assert "dataflare smartmodule generate NAME" in str(caught.value.hint)


def test_the_newest_build_is_found(tmp_path):
    """Whichever target and profile it was made with."""
    build(tmp_path, "wasm32-unknown-unknown/release/my_filter.wasm", time=1000)
    expected = build(tmp_path, "wasm32-wasip1/release-lto/my_filter.wasm", time=3000)
    build(tmp_path, "wasm32-wasi/release/my_filter.wasm", time=2000)
    build(tmp_path, "wasm32-wasip1/release/other.wasm", time=9000)
    build(tmp_path, "wasm32-wasip1/debug/my_filter.wasm", time=9000)

    assert expected == find_built(tmp_path, "my-filter")


def test_a_workspace_builds_further_up(tmp_path, monkeypatch):
    """In the directory of the workspace; also where the package is named by a relative path."""
    package = tmp_path / "modules" / "one"
    package.mkdir(parents=True)
    (tmp_path / "Cargo.toml").write_text(WORKSPACE)
    expected = build(tmp_path, "wasm32-unknown-unknown/release/one.wasm")
    monkeypatch.chdir(package)

    assert expected == find_built(package, "one")
    assert expected.samefile(find_built(Path(), "one"))


def test_the_nearest_build_counts(tmp_path):
    """However old it is: further up may be what is left of another layout."""
    package = tmp_path / "one"
    (tmp_path / ".git").mkdir()
    build(tmp_path, "wasm32-unknown-unknown/release/one.wasm", time=9000)
    expected = build(package, "wasm32-wasip1/release/one.wasm", time=1000)

    assert expected == find_built(package, "one")


@pytest.mark.parametrize(
    ("files", "is_found"),
    [
        ({}, False),
        ({"Cargo.toml": '[package]\nname = "x"\n'}, False),
        ({"Cargo.toml": "[workspace"}, False),
        ({"Cargo.toml": "[workspace]\n"}, True),
        ({"repo/Cargo.toml": "[workspace]\n"}, False),
        # The outermost one: a workspace may have another one in it.
        ({"Cargo.toml": "[workspace]\n", "repo/Cargo.toml": "[workspace]\n"}, True),
        ({".git": "gitdir: elsewhere\n"}, True),
        # The repository ends it, whatever is around it.
        ({".git": "", "repo/.git": ""}, False),
        ({"Cargo.toml": "[workspace]\n", "repo/.git": ""}, False),
        ({"Cargo.toml": "[workspace]\n", "repo/one/.git": ""}, False),
    ],
)
def test_where_the_search_ends(files, is_found, tmp_path):
    """With the repository or the workspace: further up anybody may have put something."""
    package = tmp_path / "repo" / "one"
    package.mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    built = build(tmp_path, "wasm32-unknown-unknown/release/one.wasm")

    if is_found:
        assert built == find_built(package, "one")
    else:
        with pytest.raises(NotFound):
            find_built(package, "one")


def test_a_directory_of_everybodys_is_no_workspace(tmp_path):
    """Who may write to /tmp could make one of it, for all checkouts below."""
    shared = tmp_path / "shared"
    package = shared / "one"
    package.mkdir(parents=True)
    (shared / "Cargo.toml").write_text(WORKSPACE)
    built = build(shared, "wasm32-unknown-unknown/release/one.wasm")

    assert built == find_built(package, "one")
    shared.chmod(0o1777)
    with pytest.raises(NotFound):
        find_built(package, "one")


def test_nothing_built(tmp_path):
    """Where it should be, and how it gets there."""
    with pytest.raises(NotFound, match=r"wasm32-unknown-unknown/release/my_filter\.wasm") as caught:
        find_built(tmp_path, "my-filter")

    assert "dataflare smartmodule build" in str(caught.value.hint)
