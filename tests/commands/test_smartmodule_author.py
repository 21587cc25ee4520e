"""`dataflare smartmodule generate` and `build`: a project of each kind, made and built for real.

Cargo keeps what it has built in tests/target, which git ignores: the standard library and
Fluvio's SDK take two minutes once, a module then a few seconds.
"""

import json
import os
import pwd
import shutil
import signal
from pathlib import Path
from typing import NamedTuple

import pytest

from dataflare_cli.smartmodule import toolchain
from tests.fake_rust import FakeRust, fake_rust
from tests.harness import Result, run, start_process

TESTS = Path(__file__).resolve().parents[1]
TARGET = TESTS / "target"
PROJECTS = TARGET / "projects"
WASM = TARGET / "wasm32-unknown-unknown" / "release"
# What crates are taken is not what these tests are about: those that others use, too.
LOCK = TESTS / "fluvio" / "Cargo.lock"
BUILD_S_MAX = 1200

pytestmark = pytest.mark.timeout(BUILD_S_MAX)


class Case(NamedTuple):
    """A kind of project, and what its module makes of some lines."""

    kind: str
    given: bytes
    made: bytes
    param: str = ""


CASES = [
    Case("filter", b"apple\nplum\nbanana\n", b"apple\nbanana\n"),
    Case("filter", b"apple\nplum\nbanana\n", b"plum\n", "key=lu"),
    Case("map", b"21\n-4\n", b"42\n-8\n"),
    Case("map", b"21\n-4\n", b"-210\n40\n", "factor=-10"),
    Case("filter-map", b"8\n7\n-2\n", b"4\n-1\n"),
    Case("filter-map", b"9\n7\n-3\n", b"3\n-1\n", "divisor=3"),
    Case("array-map", b'[1,"b",{"c":[2]}]\n[]\n[3]\n', b'1\n"b"\n{"c":[2]}\n3\n'),
    Case("array-map", b'{"a":[1,"b"],"c":[2]}\n', b'1\n"b"\n', "field=a"),
    Case("aggregate", b"1\n2\n-5\n", b"1\n3\n-2\n"),
    Case("aggregate", b"1\n2\n-5\n", b"101\n103\n98\n", "initial=100"),
]


@pytest.fixture
def rust(monkeypatch):
    """Debian's Rust alone, with a target directory that outlives the test."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    # HOME is a temporary one, and crates are not to be fetched anew for each test.
    if "CARGO_HOME" not in os.environ:
        monkeypatch.setenv("CARGO_HOME", f"{pwd.getpwuid(os.getuid()).pw_dir}/.cargo")
    for name in ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CARGO_TARGET_DIR", str(TARGET))


@pytest.fixture
def no_system(monkeypatch):
    """No Rust in /usr/bin: only what PATH has."""
    monkeypatch.setattr(toolchain, "SYSTEM_DIRECTORIES", ())


@pytest.fixture
def project(tmp_path):
    """A project that only fake toolchains build."""
    made = run("smartmodule", "generate", "mine", "--project-group", "team", cwd=tmp_path)
    assert 0 == made.code, made.stderr
    return tmp_path / "mine"


def generate(name: str, *options: str) -> Path:
    """Make a project in the place that is always the same, so that cargo knows it again."""
    shutil.rmtree(PROJECTS / name, ignore_errors=True)
    made = run("smartmodule", "generate", name, "--destination", PROJECTS, *options)
    assert 0 == made.code, made.stderr
    if (PROJECTS / name / "Cargo.toml").exists():
        shutil.copy(LOCK, PROJECTS / name)
    return PROJECTS / name


def build(rust: FakeRust, *words: str | Path, cwd: Path, **more: str) -> Result:
    """Build with a fake toolchain."""
    return run("smartmodule", "build", *words, cwd=cwd, env={"PATH": f"{rust.bin}:/bin", **more})


def building(root: Path, wasm: Path) -> FakeRust:
    """Make a toolchain whose cargo says that it has built a file."""
    line = json.dumps({"reason": "compiler-artifact", "filenames": [str(wasm)]})
    return fake_rust(root, cargo=f"echo '{line}'").with_target()


# ------------------------------------------------------------------------- for real


@pytest.mark.usefixtures("rust")
@pytest.mark.parametrize("sdk", ["fluvio", "dataflare"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind + "-params" * bool(case.param))
def test_a_project_is_made_built_tested_and_used(sdk, case, tmp_path):
    """Of each kind, with each SDK: it does what it says, and its own tests pass."""
    name = f"{sdk}-{case.kind}{'-params' * bool(case.param)}"
    switch = "--with-params" if case.param else "--no-params"
    directory = generate(name, "--sdk", sdk, "--sm-type", case.kind, switch)
    built = run("smartmodule", "build", directory, "-O", "json", cwd=tmp_path)
    assert 0 == built.code, built.stderr
    (row,) = built.json
    wasm = WASM / f"{name.replace('-', '_')}.wasm"
    params = ["-e", case.param] if case.param else []

    assert (str(wasm), case.kind.replace("-", "_")) == (row["path"], row["kind"])
    assert row["size_bytes"] == wasm.stat().st_size < 250_000
    assert "Finished `release` profile [optimized]" in built.stderr
    tested = run("smartmodule", "test", directory)
    assert (0, True) == (tested.code, " passed" in tested.stderr), tested
    ran = run("transform", "--smartmodule-path", wasm, *params, stdin=case.given)
    assert (0, case.made) == (ran.code, ran.stdout), ran.stderr


@pytest.mark.usefixtures("rust", "data_dir")
def test_what_is_built_is_stored_and_used():
    """The next step that build names; then it has its package's name."""
    directory = generate("stored-filter", "--sdk", "dataflare", "--project-group", "team")
    built = run("smartmodule", "build", directory)
    created = run("smartmodule", "create", "--package", directory)

    assert f"then: dataflare smartmodule create --package {directory}\n" in built.stderr
    assert 'smartmodule "stored-filter-team-0.1.0" has been created.\n' == created.text
    ran = run("transform", "--smartmodule", "team/stored-filter", stdin=b"apple\nplum\n")
    assert b"apple\n" == ran.stdout


@pytest.mark.usefixtures("rust")
def test_code_that_does_not_compile():
    """The compiler says why, on stderr; what is added is how to see more."""
    directory = generate("wrong", "--sdk", "dataflare")
    source = directory / "src/lib.rs"
    source.write_text(source.read_text().replace("contains", "containz"))
    result = run("smartmodule", "build", directory)

    assert (1, b"") == (result.code, result.stdout)
    assert "no method named `containz` found" in result.stderr
    assert result.stderr.endswith(
        "error: cargo could not build it (exit 101)\n"
        "  what it said is above; dataflare smartmodule build -v shows how it is called\n"
    )


@pytest.mark.usefixtures("rust")
def test_a_rust_that_cannot_make_wasm_is_passed_over(tmp_path, monkeypatch):
    """As rustup's without the target, in front of Debian's; -v says so."""
    bare = fake_rust(tmp_path / "bare")
    monkeypatch.setenv("PATH", f"{bare.bin}:/usr/bin:/bin")
    directory = generate("passed-over", "--sdk", "dataflare")
    result = run("smartmodule", "build", "-v", directory)

    assert 0 == result.code, result.stderr
    passed, taken, called, *_ = result.stderr.splitlines()
    assert f"passed over: {bare.bin}/rustc of {bare.sysroot}, which has no " in passed
    assert "taken: /usr/bin/rustc of /usr: std for wasm32-unknown-unknown is made from" in taken
    assert "RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 /usr/bin/cargo build " in called


@pytest.mark.parametrize(
    ("kind", "given", "made"),
    [
        ("filter", b"apple\nplum\n\nb\xffa\n", b"apple\nb\xffa\n"),
        ("map", "aZ09{`é\n\n".encode(), "AZ09{`é\n\n".encode()),
    ],
)
def test_a_module_in_text(kind, given, made, tmp_path):
    """Without any Rust; blocks of records of all sizes go through it."""
    run("smartmodule", "generate", "my-text", "--sdk", "wat", "--sm-type", kind, cwd=tmp_path)
    built = run("smartmodule", "build", "my-text", cwd=tmp_path, env={"PATH": ""})
    wasm = tmp_path / "my-text/target/my-text.wasm"

    assert 0 == built.code, built.stderr
    assert ["my-text/target/my-text.wasm", kind] == built.lines[1].split()[:2]
    assert (
        "next: dataflare smartmodule test my-text\n"
        "then: dataflare smartmodule create my-text --wasm-file my-text/target/my-text.wasm\n"
    ) == built.stderr
    assert 0 == run("smartmodule", "test", cwd=tmp_path / "my-text").code
    # More than a page of memory, and than one block of records.
    ran = run("transform", "--smartmodule-path", wasm, stdin=given * 20_000)
    assert (0, made * 20_000) == (ran.code, ran.stdout)
    keyed = ["--key-separator", "=", "-F", "{{key}}={{value}}"]
    ran = run("transform", "--smartmodule-path", wasm, *keyed, stdin=b"a=b\na=a\n")
    assert {"filter": b"a=a\n", "map": b"a=B\na=A\n"}[kind] == ran.stdout


# ------------------------------------------------------------------------- generate


def test_what_generate_says(tmp_path):
    """The files on stdout, and what comes next on stderr."""
    result = run("sm", "generate", "my-filter", "--destination", "a dir", cwd=tmp_path)
    names = ["Cargo.toml", "README.md", "SmartModule.toml", "my-filter.smtest.yaml", "src/lib.rs"]

    assert 0 == result.code
    assert [f"a dir/my-filter/{name}" for name in (".gitignore", *names)] == result.lines
    assert (
        "my-filter is a filter: Keeps records whose value contains an a\n"
        "next: dataflare smartmodule build 'a dir/my-filter'\n"
    ) == result.stderr
    assert all((tmp_path / line).is_file() for line in result.lines)


def test_a_dry_run_makes_nothing(tmp_path):
    """It lists the files, and refuses what would be refused."""
    result = run("sm", "generate", "total", "--sm-type", "aggregate", "--dry-run", cwd=tmp_path)

    assert (0, "") == (result.code, result.stderr)
    assert ["total/total.smtest.yaml", "nothing was done (--dry-run)"] == result.lines[-2:]
    assert not (tmp_path / "total").exists()
    (tmp_path / "total").touch()
    assert 1 == run("sm", "generate", "total", "--dry-run", cwd=tmp_path).code


def test_a_directory_that_has_something_in_it(project):
    """It is refused, and stays as it is."""
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    result = run("sm", "generate", "mine", "--sdk", "wat", cwd=project.parent)

    assert (1, b"") == (result.code, result.stdout)
    assert (
        f"error: Directory already exists: {project}\n  choose another NAME or --destination\n"
    ) == result.stderr
    assert before == {path: path.stat().st_mtime_ns for path in project.rglob("*")}


def test_silence(tmp_path):
    """--silent has only the files on its mind; nothing is ever asked."""
    result = run("sm", "generate", "quiet", "--silent", cwd=tmp_path)

    assert (0, b"", "") == (result.code, result.stdout, result.stderr)
    assert (tmp_path / "quiet/Cargo.toml").is_file()


def test_variables_of_smdk(tmp_path):
    """Each option may be one; the option itself counts more."""
    variables = {
        "SMDK_SM_TYPE": "filter_map",
        "SMDK_SDK": "fluvio",
        "SMDK_WITH_PARAMS": "true",
        "SMDK_PROJECT_GROUP": "team",
        "SMDK_DESTINATION": "there",
        "SMDK_SM_CRATE_VERSION": "0.49",
        "SMDK_SM_PUBLIC": "true",
        "SMDK_SILENT": "yes",
        "SMDK_DRY_RUN": "false",
    }
    result = run("sm", "generate", "m", "--no-params", env=variables, cwd=tmp_path)
    package = (tmp_path / "there/m/SmartModule.toml").read_text()

    assert (0, "", b"") == (result.code, result.stderr, result.stdout)
    assert 'group = "team"' in package
    assert 'visibility = "public"' in package
    assert "[[params]]" not in package
    assert 'fluvio-smartmodule = "0.49"' in (tmp_path / "there/m/Cargo.toml").read_text()
    assert "#[smartmodule(filter_map)]" in (tmp_path / "there/m/src/lib.rs").read_text()


@pytest.mark.parametrize(
    ("variables", "group"),
    [
        ({"USER": "Jane Doe"}, "jane-doe"),
        ({"USER": "", "LOGNAME": "joe"}, "joe"),
        ({"USER": "dataflare"}, "my-group"),
    ],
)
def test_the_group_is_the_users(variables, group, tmp_path):
    """If nothing else is said."""
    run("sm", "generate", "m", env=variables, cwd=tmp_path)

    assert f'group = "{group}"' in (tmp_path / "m/SmartModule.toml").read_text()


@pytest.mark.parametrize("word", ["filter_map", "filter-map", "Filter-Map"])
def test_kinds_are_written_either_way(word, tmp_path):
    """As smdk does, and as the ABI does."""
    run("sm", "generate", "m", "--sm-type", word, cwd=tmp_path)

    assert "#[smartmodule(filter_map)]" in (tmp_path / "m/src/lib.rs").read_text()


@pytest.mark.parametrize(
    ("words", "variables", "message"),
    [
        (["2fast"], {}, "'2fast' can't be the name of a crate"),
        (["m", "--sm-type", "join"], {}, "--sm-type: 'join' is not one of filter, map, "),
        (["m"], {"SMDK_SM_TYPE": "join"}, "SMDK_SM_TYPE: 'join' is not one of filter, map, "),
        (["m", "--sdk", "go"], {}, "--sdk: 'go' is not one of fluvio, dataflare, wat"),
        (["m", "--sm-public", "maybe"], {}, "--sm-public: 'maybe' is not true or false"),
        (["m"], {"SMDK_DRY_RUN": "maybe"}, "SMDK_DRY_RUN: 'maybe' is not true or false"),
        (["m", "--sdk", "wat", "--sm-type", "aggregate"], {}, "--sdk wat: there is a filter and"),
        (["m", "--sdk", "wat", "--with-params"], {}, "--sdk wat: there are no templates with"),
        (["m", "--sdk", "wat", "--sm-crate-version", "1"], {}, "--sm-crate-version: only --sdk"),
        (["m", "--sm-crate-version", '1"'], {}, "--sm-crate-version: '1\"' is not a version"),
        (["m", "--project-group", "dataflare"], {}, "the group dataflare is that of the built-in"),
        ([], {}, "Missing argument"),
    ],
)
def test_what_generate_refuses(words, variables, message, tmp_path):
    """Options that make no sense: 2, and nothing is made."""
    result = run("sm", "generate", *words, env=variables, cwd=tmp_path)

    assert (2, b"") == (result.code, result.stdout)
    assert result.stderr.startswith(f"error: {message}")
    assert {"home"} == {path.name for path in tmp_path.iterdir()}


# ---------------------------------------------------------------------------- build


@pytest.mark.usefixtures("no_system")
def test_without_a_rust(project):
    """3, with what to install; another one for WASI."""
    result = run("sm", "build", cwd=project, env={"PATH": "/nowhere"})
    wasi = run("sm", "build", "--wasi", cwd=project, env={"PATH": "/nowhere"})

    assert (3, b"") == (result.code, result.stdout)
    assert (
        "error: WASM for wasm32-unknown-unknown: there is no Rust\n"
        "  rustup target add wasm32-unknown-unknown\n"
        "  or on Debian: apt install rustc-web cargo-web rust-web-src lld-19\n"
        "  -v says what was looked at\n"
    ) == result.stderr
    assert "  rustup target add wasm32-wasip1\n" in wasi.stderr


@pytest.mark.usefixtures("no_system")
@pytest.mark.parametrize(
    ("words", "directory", "told"),
    [
        ([], ".", []),
        (["mine"], "mine", []),
        (["--", "--features", "a,b"], ".", ["--features", "a,b"]),
        (["mine", "--", "--locked", "-j1"], "mine", ["--locked", "-j1"]),
        (["-p", "inner", "mine"], "mine", ["--package", "inner"]),
    ],
)
def test_what_cargo_is_told(words, directory, told, project, tmp_path):
    """What follows -- is its own; before that there may be a directory."""
    rust = building(tmp_path / "rust", _text_module(tmp_path))
    result = build(rust, *words, cwd=project if directory == "." else tmp_path)

    assert 0 == result.code, result.stderr
    assert told == rust.words[len(rust.words) - len(told) :]
    assert (str(project), str(rust.bin / "rustc")) == (
        rust.variables["PWD"],
        rust.variables["RUSTC"],
    )
    assert "release" == rust.words[rust.words.index("--profile") + 1]


@pytest.mark.usefixtures("no_system")
def test_profile_target_and_silence(project, tmp_path):
    """--release names a profile, --wasi (and smdk's variable) the target, -q is cargo's, too."""
    rust = building(tmp_path / "rust", _text_module(tmp_path)).with_target("wasm32-wasip1")

    def told(*words: str, **variables: str) -> list[str]:
        assert 0 == build(rust, *words, cwd=project, **variables).code
        return rust.words

    assert ["--profile", "release-lto"] == told("--release", "release-lto")[1:3]
    assert "wasm32-wasip1" in told("--wasi")
    assert "wasm32-wasip1" in told(SMDK_NOWASI="false")
    assert "wasm32-unknown-unknown" in told(SMDK_NOWASI="true")
    assert "wasm32-unknown-unknown" in told("--nowasi", SMDK_NOWASI="false")
    result = run("-q", "sm", "build", cwd=project, env={"PATH": f"{rust.bin}:/bin"})
    assert (0, "", True) == (result.code, result.stderr, "--quiet" in rust.words)


@pytest.mark.usefixtures("no_system")
def test_from_a_directory_below(project, tmp_path):
    """Cargo looks for the manifest above, so nobody has to go there."""
    rust = building(tmp_path / "rust", _text_module(tmp_path))
    result = build(rust, cwd=project / "src")

    assert 0 == result.code, result.stderr
    assert "then: dataflare smartmodule create text --wasm-file " in result.stderr


@pytest.mark.usefixtures("no_system")
def test_an_artefact_that_is_no_smartmodule(project, tmp_path):
    """It is listed, and what is wrong with it is said; the fault is 1."""
    (tmp_path / "bad.wasm").write_bytes(b"\0asm\x01\0\0\0")
    rust = building(tmp_path / "rust", tmp_path / "bad.wasm")
    result = build(rust, cwd=project)
    (row,) = build(rust, "-O", "json", cwd=project).json

    assert 1 == result.code
    assert [str(tmp_path / "bad.wasm"), "none", "8", "B"] == result.lines[1].split()
    assert result.stderr.startswith(
        "error: SmartModule bad.wasm is invalid: No valid smartmodule found: it exports nothing\n"
        "  a SmartModule exports one of filter, "
    )
    assert (None, 8) == (row["kind"], row["size_bytes"])


@pytest.mark.usefixtures("no_system")
def test_nothing_that_is_wasm(project, tmp_path):
    """A library for Rust only: the manifest has to say more."""
    result = build(fake_rust(tmp_path / "rust").with_target(), cwd=project)

    assert (1, b"") == (result.code, result.stdout)
    assert (
        "error: cargo has built no WASM\n"
        '  Cargo.toml has to say it: [lib] crate-type = ["cdylib"]\n'
    ) == result.stderr


@pytest.mark.usefixtures("no_system")
def test_a_standard_library_that_has_to_be_made(project, tmp_path):
    """Is said before it takes its time: not if it is there, nor with -q, nor of other Rusts."""
    note = "the first build compiles Rust's standard library, too: 20 s to 2 min, once here\n"
    line = json.dumps({"reason": "compiler-artifact", "filenames": [str(_text_module(tmp_path))]})
    rust = fake_rust(tmp_path / "rust", cargo=f"echo '{line}'; echo built >&2")
    rust = rust.with_source().with_own_linker()

    assert build(rust, cwd=project).stderr.startswith(note + "built\n")
    quiet = run("-q", "sm", "build", cwd=project, env={"PATH": f"{rust.bin}:/bin"})
    assert "built\n" == quiet.stderr
    made = project / "target/wasm32-unknown-unknown/release/deps/libstd-0.rlib"
    made.parent.mkdir(parents=True)
    made.touch()
    assert build(rust, cwd=project).stderr.startswith("built\n")
    assert build(rust, "--release", "dev", cwd=project).stderr.startswith(note)
    elsewhere = build(rust, cwd=project, CARGO_TARGET_DIR=str(tmp_path / "t"))
    assert elsewhere.stderr.startswith(note)
    made.unlink()
    assert build(rust.with_target(), cwd=project).stderr.startswith("built\n")


@pytest.mark.parametrize(
    ("file", "hint"),
    [
        ("mine/src/lib.rs", "dataflare smartmodule build mine/src"),
        ("my.wat", "dataflare smartmodule build"),
    ],
)
def test_a_file_is_no_directory(file, hint, project, tmp_path):
    """It is there, so "not found" would not be true: its directory is what is built."""
    (tmp_path / "my.wat").touch()
    result = run("sm", "build", file, cwd=tmp_path)

    assert (2, b"") == (result.code, result.stdout)
    assert (
        f"error: {file} is a file; what is built is a project, by its directory\n  {hint}\n"
    ) == result.stderr


def test_nothing_to_build(tmp_path):
    """A directory that is not there, one without a project, one of text that is told more."""
    gone = run("sm", "build", "gone", cwd=tmp_path)
    empty = run("sm", "build", cwd=tmp_path)
    run("sm", "generate", "t", "--sdk", "wat", cwd=tmp_path)
    told = run("sm", "build", "t", "--", "--locked", cwd=tmp_path)

    assert (1, "error: Directory not found: gone\n") == (gone.code, gone.stderr[:33])
    assert (1, f"error: File not found: {tmp_path}/Cargo.toml\n") == (
        empty.code,
        empty.stderr.splitlines(keepends=True)[0],
    )
    assert "dataflare smartmodule generate NAME makes" in empty.stderr
    assert (2, "error: --locked: there is no cargo to tell it, t.wat needs none\n") == (
        told.code,
        told.stderr,
    )


def test_text_that_is_no_module(tmp_path):
    """The error says where; all texts of a directory are built, and each one is looked at."""
    (tmp_path / "bad.wat").write_text("(module\n  (func (oops)))")
    result = run("sm", "build", cwd=tmp_path)

    assert (1, b"") == (result.code, result.stdout)
    assert result.stderr.startswith(
        "error: SmartModule bad.wat is invalid: unknown operator or unexpected token\n"
        "     --> bad.wat:2:10\n"
    )
    (tmp_path / "bad.wat").write_text("(module)")
    (tmp_path / "good.wat").write_text(_text_module(tmp_path).with_suffix(".wat").read_text())
    result = run("sm", "build", cwd=tmp_path)
    assert (1, ["target/bad.wasm", "target/good.wasm"]) == (
        result.code,
        [line.split()[0] for line in result.lines[1:]],
    )


def test_ctrl_c_ends_cargo(project, tmp_path):
    """130 at once, and cargo is not left behind."""
    body = f"echo $$ > '{tmp_path}/pid'\necho at work >&2\nexec sleep 600"
    rust = fake_rust(tmp_path / "rust", cargo=body).with_target()
    variables = {"PATH": f"{rust.bin}:/usr/bin:/bin"}
    with start_process("sm", "build", cwd=project, env=variables) as process:
        assert b"at work\n" == process.stderr.readline()
        process.send_signal(signal.SIGINT)
        # Its end closes the last of the pipe's ends.
        assert (b"", b"") == process.communicate(timeout=60)

    assert 130 == process.returncode
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def _text_module(directory: Path) -> Path:
    """Build a SmartModule that needs no Rust."""
    place = directory / "given"
    if not place.exists():
        run("sm", "generate", "text", "--sdk", "wat", "--destination", place, cwd=directory)
        assert 0 == run("sm", "build", place / "text").code
        shutil.copy(place / "text/text.wat", place / "text/target/text.wat")
    return place / "text/target/text.wasm"
