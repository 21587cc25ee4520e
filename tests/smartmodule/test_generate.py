"""Projects of SmartModules: which files, and what is in them before anything is built."""

import tomllib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.errors import AlreadyExists, DataError, UsageError
from dataflare_cli.model import SmartModuleKind, is_name
from dataflare_cli.smartmodule import generate
from dataflare_cli.smartmodule.generate import (
    SDKS,
    Project,
    check_crate_name,
    check_project,
    group_of,
    project_files,
    sdk_files,
    write_project,
)
from dataflare_cli.smartmodule.package import read_package_file

ROOT = Path(__file__).resolve().parents[2]
FILTER = SmartModuleKind.FILTER
PROJECTS = [
    Project("my-module", kind, sdk, "team", with_params=with_params)
    for sdk in SDKS
    for kind in SmartModuleKind
    for with_params in (False, True)
    if sdk != "wat" or (kind in (FILTER, SmartModuleKind.MAP) and not with_params)
]
IDS = [f"{each.sdk}-{each.kind}{'-params' * each.with_params}" for each in PROJECTS]


@pytest.mark.parametrize("project", PROJECTS, ids=IDS)
def test_every_template_is_there(project):
    """For each kind, SDK and parameter; no word is left to be filled in."""
    check_project(project)
    files = project_files(project)
    module = "my-module.wat" if project.sdk == "wat" else "src/lib.rs"
    own = {name: text for name, text in files.items() if not name.startswith("dataflare-")}

    assert {".gitignore", "README.md", "my-module.smtest.yaml", module} <= set(files)
    assert [] == [name for name, text in own.items() if "{{" in text or not text.endswith("\n")]
    assert own[module].startswith(("//! my-module: ", ";; my-module: "))
    assert project.summary in own["README.md"]
    assert "target/\n" == own[".gitignore"]
    assert list(files) == sorted(files)


@pytest.mark.parametrize("project", PROJECTS, ids=IDS)
def test_fixtures_are_of_the_project(project):
    """They name what the build makes, and set the parameter that there is."""
    fixture = yaml.safe_load(project_files(project)["my-module.smtest.yaml"])
    params = {name for test in (fixture, *fixture["tests"]) for name in test.get("params", {})}

    if project.sdk == "wat":
        assert "target/my-module.wasm" == fixture["module"]
    else:
        assert "." == fixture["package"]
    assert project.with_params == bool(params)


def test_the_crate():
    """A library for hosts, as small and fast as it gets, in a workspace of its own."""
    manifest = tomllib.loads(project_files(Project("my-module", FILTER, "fluvio"))["Cargo.toml"])

    assert ("my-module", "2021") == (manifest["package"]["name"], manifest["package"]["edition"])
    assert {"crate-type": ["cdylib"]} == manifest["lib"]
    assert {"fluvio-smartmodule": "0.50.1"} == manifest["dependencies"]
    assert {
        "lto": True,
        "opt-level": 3,
        "strip": True,
        "panic": "abort",
        "codegen-units": 1,
    } == manifest["profile"]["release"]
    assert {"inherits": "release"} == manifest["profile"]["release-lto"]
    assert {} == manifest["workspace"]


@pytest.mark.parametrize(
    ("project", "expected"),
    [
        (Project("m", FILTER, "fluvio", crate_version="=0.9"), {"fluvio-smartmodule": "=0.9"}),
        (
            Project("m", SmartModuleKind.ARRAY_MAP, "fluvio"),
            {"fluvio-smartmodule": "0.50.1", "serde_json": "1"},
        ),
        (
            Project("m", FILTER, "dataflare"),
            {"dataflare-smartmodule": {"path": "dataflare-smartmodule"}},
        ),
    ],
)
def test_dependencies(project, expected):
    """The SDK, and what reads JSON where that is what it is about."""
    assert expected == tomllib.loads(project_files(project)["Cargo.toml"])["dependencies"]


def test_the_package(tmp_path):
    """What `create --package` reads: group, visibility and the parameter."""
    project = Project("m", FILTER, "fluvio", "team", with_params=True, is_public=True)
    write_project(tmp_path / "m", project_files(project))
    package, params = read_package_file(tmp_path / "m")

    assert ("m", "team", "0.1.0") == (package.name, package.group, package.version)
    assert ("public", project.summary) == (package.visibility, package.description)
    (param,) = params
    assert ("key", "what a value has to contain", False) == (
        param.name,
        param.description,
        param.optional,
    )

    write_project(tmp_path / "n", project_files(Project("n", SmartModuleKind.MAP, "dataflare")))
    package, params = read_package_file(tmp_path / "n")
    assert ("private", "my-group", ()) == (package.visibility, package.group, params)


# ----------------------------------------------------------------------- our own SDK


def test_our_sdk_comes_along():
    """Its sources as they are, in a package that needs no workspace."""
    files = project_files(Project("m", FILTER, "dataflare"))
    workspace = tomllib.loads((ROOT / "smartmodules/Cargo.toml").read_text())["workspace"]
    package = tomllib.loads(files["dataflare-smartmodule/Cargo.toml"])["package"]
    sources = ROOT / "smartmodules/sdk"
    expected = {
        f"dataflare-smartmodule/{path.relative_to(sources)}": path.read_text(encoding="utf-8")
        for path in (sources / "src").rglob("*.rs")
    }

    assert expected
    assert expected == {
        name: text for name, text in files.items() if name.startswith("dataflare-smartmodule/src/")
    }
    assert "dataflare-smartmodule" == package["name"]
    assert workspace["package"]["edition"] == package["edition"]
    assert [] == [key for key, value in package.items() if isinstance(value, dict)]


def test_a_wheel_has_our_sdk(tmp_path, monkeypatch):
    """Where pyproject.toml puts it, it is found, and gives the same files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    forced = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    expected = sdk_files()
    for source, target in forced.items():
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / target).symlink_to(ROOT / source)
    monkeypatch.setattr(generate, "_SHIPPED", tmp_path / "dataflare_cli/smartmodule/sdk")
    monkeypatch.setattr(generate, "_CHECKOUT", tmp_path / "nowhere")

    assert expected == sdk_files()


def test_what_a_manifest_takes_over_is_put_in():
    """Settings, and versions of crates with what is asked of them; tests stay behind."""
    manifest = tomllib.loads(
        """
        [package]
        name = "sdk"
        version.workspace = true
        [dependencies]
        plain = "1"
        taken.workspace = true
        more = {workspace = true, features = ["x"]}
        [features]
        fast = []
        [dev-dependencies]
        only.workspace = true
        [lints]
        workspace = true
        """
    )
    workspace = {
        "package": {"version": "0.3.0"},
        "dependencies": {"taken": "2", "more": {"version": "3", "default-features": False}},
    }

    assert {
        "package": {"name": "sdk", "version": "0.3.0"},
        "dependencies": {
            "plain": "1",
            "taken": {"version": "2"},
            "more": {"version": "3", "default-features": False, "features": ["x"]},
        },
        "features": {"fast": []},
    } == generate._standalone(manifest, workspace)


# -------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("name", ["a", "_a", "my-filter", "my_filter2", "Upper", "x" * 64])
def test_names_of_crates(name):
    """What cargo takes, and Fluvio as a name."""
    check_crate_name(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("", "as my-filter could"),
        ("2fast", "as my-2fast could"),
        ("my filter", "as my-filter could"),
        ("group/name", "as group-name could"),
        ("a.b", "as a-b could"),
        ("-x", "as x could"),
        ("größe", "as gr-e could"),
        ("fn", "as my-fn could"),
        ("proc-macro", "as my-proc-macro could"),
        ("fluvio-smartmodule", "as my-fluvio-smartmodule could"),
        ("x" * 65, f"as {'x' * 64} could"),
        ("a\n", "as a could"),
        ("../up", "as up could"),
    ],
)
def test_names_that_are_none(name, hint):
    """They are refused with one that could be."""
    with pytest.raises(UsageError, match="can't be the name of a crate") as caught:
        check_crate_name(name)

    assert hint == caught.value.hint
    check_crate_name(hint.split()[1])


@given(user=st.text() | st.sampled_from(["dataflare", "DataFlare", "Jane Doe", "DOM\\jane", "-"]))
def test_the_group_of_a_user(user):
    """Invariants: it is a valid name, whatever the user's is.

    - It is not that of the built-in modules.
    """
    group = group_of(user)

    assert is_name(group)
    check_project(Project("m", FILTER, "fluvio", group))


@pytest.mark.parametrize(
    ("user", "group"),
    [("jane", "jane"), ("Jane Doe", "jane-doe"), ("", "my-group"), ("dataflare", "my-group")],
)
def test_groups(user, group):
    """The user's name, made one; else a word that says that it is to be changed."""
    assert group == group_of(user)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"name": "a b"}, UsageError, "can't be the name of a crate"),
        ({"group": "a/b"}, DataError, "Invalid group name 'a/b'"),
        ({"group": "dataflare"}, UsageError, "the group dataflare is that of the built-in"),
        ({"crate_version": '1"'}, UsageError, "is not a version"),
        ({"crate_version": ""}, UsageError, "is not a version"),
        ({"sdk": "wat", "kind": SmartModuleKind.AGGREGATE}, UsageError, "but no aggregate"),
        ({"sdk": "wat", "kind": SmartModuleKind.ARRAY_MAP}, UsageError, "but no array-map"),
        ({"sdk": "wat", "with_params": True}, UsageError, "no templates with parameters"),
    ],
)
def test_what_no_project_can_be(change, error, message):
    """It is refused before anything is written."""
    with pytest.raises(error, match=message):
        check_project(Project("m", FILTER, "fluvio")._replace(**change))


# --------------------------------------------------------------------------- writing


def test_an_empty_directory_is_filled(tmp_path):
    """As one that is not there."""
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new/inner"):
        write_project(tmp_path / name, {"a/b.txt": "ü\n"})

        assert "ü\n" == (tmp_path / name / "a/b.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["directory", "file", "dangling"])
def test_what_is_there_stays(kind, tmp_path):
    """Nothing is ever written over."""
    place = tmp_path / "m"
    if kind == "directory":
        place.mkdir()
        (place / "kept").touch()
    elif kind == "file":
        place.write_text("kept")
    else:
        place.symlink_to("nowhere")
    with pytest.raises(AlreadyExists) as caught:
        write_project(place, {"new": "text"})

    assert kind.replace("dangling", "file") == caught.value.kind
    assert "choose another NAME or --destination" == caught.value.hint
    assert not (tmp_path / "m/new").exists()
    assert not (tmp_path / "nowhere").exists()
