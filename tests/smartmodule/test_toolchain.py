"""Toolchains: which Rust is taken, how cargo is called, and what is made of text."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from dataflare_cli.errors import DataError, InvalidModule, Unreachable
from dataflare_cli.smartmodule.toolchain import (
    WASI,
    WASM,
    CargoBuild,
    Search,
    Toolchain,
    build_wat,
    cargo_command,
    run_cargo,
    search_path,
    shown,
)
from tests.fake_rust import FakeRust, fake_rust, make_tool

CHAINED = 'target.wasm32-unknown-unknown.rustflags=["-Clink-arg=--allow-undefined"'
LINKED = 'target.wasm32-unknown-unknown.linker="/opt/wasm-ld"'


def search(*rusts: FakeRust, notes: list[str] | None = None) -> Search:
    """Look in some toolchains only."""
    directories = [rust.bin for rust in rusts]
    note = (lambda _: None) if notes is None else notes.append
    return Search(directories, dict(os.environ), directories[0], note)


# ------------------------------------------------------------------------ finding one


def test_directories_are_those_of_path_and_of_the_system(tmp_path):
    """In this order, each once whatever it is called; relative ones could be anybody's."""
    (tmp_path / "rust").mkdir()
    (tmp_path / "alias").symlink_to("rust")
    path = f"{tmp_path}/rust:.::bin:{tmp_path}/alias:{tmp_path}/gone"

    assert [tmp_path / "rust", tmp_path / "gone", Path("/usr/bin")] == search_path({"PATH": path})
    assert [Path("/usr/bin")] == search_path({})
    assert [Path("/usr/bin"), tmp_path] == search_path({"PATH": f"/usr/bin:{tmp_path}"})


def test_a_rust_with_the_target_is_taken_first(tmp_path):
    """Even if one before it could make the standard library."""
    maker = fake_rust(tmp_path / "maker").with_source().with_own_linker()
    ready = fake_rust(tmp_path / "ready").with_target().with_own_linker()
    found = search(maker, ready).find(WASM)

    assert Toolchain(ready.bin, ready.sysroot, WASM, builds_std=False, linker=None) == found
    assert (ready.bin / "rustc", ready.bin / "cargo") == (found.rustc, found.cargo)
    assert f"std for {WASM} comes with it" in str(found)


def test_a_rust_with_the_source_makes_the_target(tmp_path):
    """The first one that can, and with -v one learns why others were not taken."""
    notes: list[str] = []
    bare = fake_rust(tmp_path / "bare")
    maker = fake_rust(tmp_path / "maker").with_source().with_linker("wasm-ld-19")
    found = search(bare, maker, notes=notes).find(WASM)
    linker = maker.bin / "wasm-ld-19"

    assert Toolchain(maker.bin, maker.sysroot, WASM, builds_std=True, linker=linker) == found
    why = "which has no wasm32-unknown-unknown, nor the source of std"
    assert [f"passed over: {bare.bin}/rustc of {bare.sysroot}, {why}"] == notes
    assert str(found).endswith(f"is made from its source, linked by {linker}")


@pytest.mark.parametrize(
    ("own", "beside", "taken"),
    [
        (True, ["wasm-ld", "wasm-ld-19"], None),
        (False, ["wasm-ld-9", "wasm-ld-19", "wasm-ld-15"], "wasm-ld-19"),
        (False, ["wasm-ld-19", "wasm-ld"], "wasm-ld"),
        (False, ["wasm-ld-old", "wasm-ld-7"], "wasm-ld-7"),
    ],
)
def test_which_linker(own, beside, taken, tmp_path):
    """The toolchain's own, else wasm-ld, else the newest of a number."""
    rust = fake_rust(tmp_path / "rust").with_source()
    if own:
        rust.with_own_linker()
    for name in beside:
        rust.with_linker(name)

    assert (taken and rust.bin / taken) == search(rust).find(WASM).linker


def test_a_target_without_its_linker_is_linked_by_llvm(tmp_path):
    """Debian's Rust has no rust-lld, also where its target is installed."""
    rust = fake_rust(tmp_path / "rust").with_target().with_linker("wasm-ld-14")
    found = search(rust).find(WASM)

    assert (False, rust.bin / "wasm-ld-14") == (found.builds_std, found.linker)


@pytest.mark.parametrize(
    ("break_it", "why"),
    [
        (lambda rust: (rust.bin / "cargo").unlink(), "there is no cargo"),
        (lambda rust: (rust.bin / "rustc").unlink(), "there is no rustc"),
        (lambda rust: (rust.bin / "cargo").chmod(0o644), "there is no cargo"),
        (
            lambda rust: make_tool(rust.bin / "rustc", "echo no default toolchain >&2; exit 1"),
            "which does not say where its sysroot is",
        ),
        (
            lambda rust: (rust.bin / "wasm-ld").unlink(),
            "for which there is no WASM linker",
        ),
        (
            lambda rust: make_tool(rust.bin / "cargo", "echo cargo 1.63.0"),
            "whose cargo is of another release",
        ),
        (
            lambda rust: make_tool(rust.bin / "cargo", "exit 1"),
            "whose cargo is of another release",
        ),
    ],
)
def test_what_is_passed_over(break_it, why, tmp_path):
    """A compiler without its cargo, one that can't be asked, one that lacks something."""
    notes: list[str] = []
    rust = fake_rust(tmp_path / "rust").with_source().with_linker("wasm-ld")
    assert search(rust).find(WASM).builds_std
    break_it(rust)

    with pytest.raises(Unreachable):
        search(rust, notes=notes).find(WASM)
    assert 1 == len(notes)
    assert notes[0].startswith(f"passed over: {rust.bin}")
    assert notes[0].endswith(f", {why}")


def test_the_target_of_wasi_is_not_made_here(tmp_path):
    """Its standard library needs a libc: it is there, or it is not."""
    notes: list[str] = []
    rust = fake_rust(tmp_path / "rust").with_source().with_own_linker()
    with pytest.raises(Unreachable) as caught:
        search(rust, notes=notes).find(WASI)

    assert "rustup target add wasm32-wasip1\n-v says what was looked at" == caught.value.hint
    assert [f"passed over: {rust.bin}/rustc of {rust.sysroot}, which has no {WASI}"] == notes
    assert WASI == search(rust.with_target(WASI)).find(WASI).target


def test_without_any_rust(tmp_path):
    """One is told what to install: 3, as for everything that can't be reached."""
    with pytest.raises(Unreachable) as caught:
        Search([tmp_path], {}, tmp_path).find(WASM)

    assert "WASM for wasm32-unknown-unknown: there is no Rust" == caught.value.message
    assert [
        "rustup target add wasm32-unknown-unknown",
        "or on Debian: apt install rustc-web cargo-web rust-web-src lld-19",
        "-v says what was looked at",
    ] == (caught.value.hint or "").splitlines()


def test_debians_rust_is_found_behind_another_one(tmp_path):
    """What CI has: a Rust in /usr/bin that can make the standard library."""
    bare = fake_rust(tmp_path / "bare")
    directories = [bare.bin, *search_path({})]
    found = Search(directories, {"PATH": "/usr/bin:/bin"}, tmp_path).find(WASM)

    assert (Path("/usr/bin"), Path("/usr")) == (found.directory, found.sysroot)


# ------------------------------------------------------------------------- calling cargo


def toolchain(*, builds_std: bool = False, linker: Path | None = None) -> Toolchain:
    return Toolchain(Path("/opt/bin"), Path("/opt"), WASM, builds_std=builds_std, linker=linker)


def test_how_cargo_is_called():
    """With the toolchain's own compiler, and names of what was built on stdout."""
    words, variables = cargo_command(toolchain(), CargoBuild("release"), {"PATH": "/bin"})

    assert [
        *("/opt/bin/cargo", "build", "--profile", "release"),
        *("--target", "wasm32-unknown-unknown", "--message-format", "json-render-diagnostics"),
        *("--config", CHAINED + "]"),
    ] == words
    assert {"PATH": "/bin", "RUSTC": "/opt/bin/rustc"} == variables


def test_how_cargo_makes_the_standard_library():
    """Nightly's switch on a stable compiler, and a linker that it does not know."""
    made = toolchain(builds_std=True, linker=Path("/opt/wasm-ld"))
    words, variables = cargo_command(made, CargoBuild("release"), {})

    assert "1" == variables["RUSTC_BOOTSTRAP"]
    assert {"-Zbuild-std=std,panic_abort", "-Zbuild-std-features="} < set(words)
    assert {LINKED, CHAINED + ', "-Clinker-flavor=wasm-ld"]'} < set(words)


def test_what_a_build_may_say():
    """A profile, a package of a workspace, -q, and whatever else cargo takes."""
    build = CargoBuild("release-lto", "inner", quiet=True, arguments=["--features", "a b"])
    words, _ = cargo_command(toolchain(), build, {})

    assert "release-lto" == words[words.index("--profile") + 1]
    assert ["--package", "inner", "--quiet", "--features", "a b"] == words[-5:]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"RUSTFLAGS": "-Cdebuginfo=0"}, {"RUSTFLAGS": "-Cdebuginfo=0 {}"}),
        (
            {"CARGO_ENCODED_RUSTFLAGS": "-Ca b\x1f-Cc"},
            {"CARGO_ENCODED_RUSTFLAGS": "-Ca b\x1f-Cc\x1f{}"},
        ),
        ({"CARGO_ENCODED_RUSTFLAGS": ""}, {"CARGO_ENCODED_RUSTFLAGS": "{}"}),
        (
            {"RUSTFLAGS": "-Cx", "CARGO_ENCODED_RUSTFLAGS": "-Cy"},
            {"RUSTFLAGS": "-Cx", "CARGO_ENCODED_RUSTFLAGS": "-Cy\x1f{}"},
        ),
    ],
)
def test_flags_of_ones_own(given, expected):
    """They count, and ours with them: cargo takes flags from one place only."""
    words, variables = cargo_command(toolchain(), CargoBuild("release"), given)
    ours = "-Clink-arg=--allow-undefined"

    assert {name: text.format(ours) for name, text in expected.items()} == {
        name: variables[name] for name in given
    }
    assert "--config" not in words


def test_a_command_as_it_could_be_typed():
    """With what it has of variables that were not there before."""
    words, variables = cargo_command(toolchain(), CargoBuild("release"), {"HOME": "/h"})
    text = shown(words, variables, {"HOME": "/h"})

    assert text.startswith("RUSTC=/opt/bin/rustc /opt/bin/cargo build --profile release")
    assert text.endswith(f"--config '{CHAINED}]'")


def run(rust: FakeRust, *words: str) -> list[Path]:
    """Run a toolchain's cargo, its stderr dropped."""
    command = [str(rust.bin / "cargo"), *words]
    return run_cargo(command, dict(os.environ), cwd=rust.root, stderr=subprocess.DEVNULL)


def test_what_was_built(tmp_path):
    """The WASM files among the artefacts, in cargo's order; whatever else is printed is passed."""
    artefact = {"reason": "compiler-artifact", "filenames": ["/t/b.wasm", "/t/b.d"]}
    lines = [
        "cargo:warning=of a build script",
        json.dumps([artefact]),
        json.dumps({"reason": "build-script-executed", "filenames": ["/t/c.wasm"]}),
        json.dumps({"reason": "compiler-artifact", "filenames": ["/t/liba.rlib"]}),
        json.dumps(artefact),
        json.dumps({**artefact, "filenames": ["/t/a.wasm"]}),
    ]
    (tmp_path / "lines").write_text("\n".join(lines))
    rust = fake_rust(tmp_path / "rust", cargo=f"cat '{tmp_path}/lines'")

    assert [Path("/t/b.wasm"), Path("/t/a.wasm")] == run(rust, "build")
    assert ["build"] == rust.words


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("exit 101", "cargo could not build it (exit 101)"),
        ("kill -9 $$", f"cargo was ended by the signal {int(signal.SIGKILL)}"),
    ],
)
def test_cargo_fails(body, message, tmp_path):
    """It has said why; what is added is that it ended, and how to see more."""
    with pytest.raises(DataError) as caught:
        run(fake_rust(tmp_path / "rust", cargo=body), "build")

    assert message == caught.value.message


def test_cargo_is_gone(tmp_path):
    """Between being found and being called."""
    rust = fake_rust(tmp_path / "rust")
    (rust.bin / "cargo").unlink()
    with pytest.raises(Unreachable, match="No such file"):
        run(rust, "build")


# -------------------------------------------------------------------- WebAssembly text


def test_a_text_becomes_a_module(tmp_path):
    """In the directory target beside it, where cargo would put it, too."""
    source = tmp_path / "my-filter.wat"
    source.write_text("(module)")

    assert tmp_path / "target" / "my-filter.wasm" == build_wat(source)
    assert b"\0asm\x01\0\0\0" == (tmp_path / "target" / "my-filter.wasm").read_bytes()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"(module\n  (func (foo)))", "unknown operator or unexpected token\n     --> x.wat:2:10"),
        (b"", "expected at least one module field\n     --> x.wat:1:1"),
        (b"(module) ;; \xff", "not UTF-8: invalid start byte at 12"),
    ],
)
def test_a_text_that_is_none(text, problem, tmp_path):
    """The error says where, and nothing is written."""
    source = tmp_path / "x.wat"
    source.write_bytes(text)
    with pytest.raises(InvalidModule) as caught:
        build_wat(source)

    assert caught.value.problem.startswith(problem)
    assert not (tmp_path / "target").exists()
