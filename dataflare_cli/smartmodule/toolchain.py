"""Toolchains: what makes modules of sources, of Rust by cargo, of WebAssembly text by wasmtime.

Hides where Rust's distributions keep things. A Rust that can make WASM has one of

    SYSROOT/lib/rustlib/TARGET/lib           the target's standard library: rustup target add
    SYSROOT/lib/rustlib/src/rust/library     its source, from which cargo then makes it first,
                                             and a linker: Debian's rustc-web, rustup's rust-src

Invariants
- rustc and cargo are of one toolchain: they lie in one directory, and where cargo makes the
  standard library they are of one release, too.
- Cargo writes to stderr itself; whatever ends the waiting for it ends cargo.
"""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dataflare_cli.errors import DataError, InvalidModule, Unreachable
from dataflare_cli.text.files import replace_file
from dataflare_cli.wasm import InvalidWasmError, wat_to_wasm

WASM, WASI = "wasm32-unknown-unknown", "wasm32-wasip1"
# Beside those of PATH: a rustup's rustc in front of a Debian's one is common.
SYSTEM_DIRECTORIES = (Path("/usr/bin"),)
# Even for a rustup that fetches a toolchain when it is asked for its sysroot.
_PROBE_S_MAX = 300
_RELEASE = re.compile(r"(?:rustc|cargo) (\d+\.\d+)\.")
# What copies records is the host's, and not known before.
_FLAGS = ("-Clink-arg=--allow-undefined",)
_OWN_LINKER_FLAGS = ("-Clinker-flavor=wasm-ld",)
# Without its features, which are backtraces and unwinding: a module that panics just traps.
_BUILD_STD = ("-Zbuild-std=std,panic_abort", "-Zbuild-std-features=")

Note = Callable[[str], None]


class Toolchain(NamedTuple):
    """A Rust that can make WASM of one target."""

    directory: Path
    sysroot: Path
    target: str
    builds_std: bool
    linker: Path | None  # None: rustc has its own

    @property
    def cargo(self) -> Path:
        """Its cargo."""
        return self.directory / "cargo"

    @property
    def rustc(self) -> Path:
        """Its compiler."""
        return self.directory / "rustc"

    def __str__(self) -> str:
        std = "is made from its source" if self.builds_std else "comes with it"
        linker = "" if self.linker is None else f", linked by {self.linker}"
        return f"{self.rustc} of {self.sysroot}: std for {self.target} {std}{linker}"


class CargoBuild(NamedTuple):
    """What cargo is to build."""

    profile: str
    package: str | None = None
    quiet: bool = False
    arguments: Sequence[str] = ()


def search_path(environ: Mapping[str, str]) -> list[Path]:
    """Return the directories in which a Rust is looked for, in their order."""
    named = map(Path, environ.get("PATH", "").split(os.pathsep))
    by_place: dict[Path, Path] = {}
    for directory in (*named, *SYSTEM_DIRECTORIES):
        if directory.is_absolute():
            by_place.setdefault(directory.resolve(), directory)
    return list(by_place.values())


class Search(NamedTuple):
    """Where a Rust is looked for, and who is told what was passed over.

    `cwd` is the project's directory: rustup asks its rust-toolchain.toml which one is meant.
    """

    directories: Sequence[Path]
    environ: Mapping[str, str]
    cwd: Path
    note: Note = lambda _: None

    def find(self, target: str) -> Toolchain:
        """Return the first Rust that has a target, else the first that can make its std.

        Raises:
            Unreachable: there is none; the hint says what to install.
        """
        found = list(self._toolchains())
        linker = _find_linker(self.directories)
        for directory, sysroot in found:
            if (sysroot / "lib" / "rustlib" / target / "lib").is_dir():
                own = _has_own_linker(sysroot)
                return Toolchain(
                    directory, sysroot, target, builds_std=False, linker=None if own else linker
                )
        for directory, sysroot in found:
            own = _has_own_linker(sysroot)
            problem = self._why_not(target, directory, sysroot, has_linker=own or bool(linker))
            if problem is None:
                return Toolchain(
                    directory, sysroot, target, builds_std=True, linker=None if own else linker
                )
            self.note(f"passed over: {directory / 'rustc'} of {sysroot}, {problem}")
        why = "no Rust that was found can make it" if found else "there is no Rust"
        raise Unreachable(f"WASM for {target}", why, hint=_what_to_install(target))

    def _toolchains(self) -> Iterator[tuple[Path, Path]]:
        """Yield the directories that have a rustc and a cargo, each with the sysroot."""
        for directory in self.directories:
            tools = [directory / name for name in ("rustc", "cargo")]
            missing = [tool for tool in tools if not os.access(tool, os.X_OK)]
            if len(missing) == len(tools):
                continue
            if missing:
                self.note(f"passed over: {directory}, there is no {missing[0].name}")
                continue
            sysroot = self._ask(tools[0], "--print=sysroot")
            if sysroot:
                yield directory, Path(sysroot)
            else:
                self.note(f"passed over: {tools[0]}, which does not say where its sysroot is")

    def _why_not(
        self, target: str, directory: Path, sysroot: Path, *, has_linker: bool
    ) -> str | None:
        """Say why a toolchain can't make the standard library of a target; None: it can."""
        if target != WASM:
            return f"which has no {target}"  # its std takes a libc, too
        if not (sysroot / "lib" / "rustlib" / "src" / "rust" / "library").is_dir():
            return f"which has no {target}, nor the source of std"
        if not has_linker:
            return "for which there is no WASM linker"
        rustc, cargo = (
            _RELEASE.match(self._ask(directory / name, "--version")) for name in ("rustc", "cargo")
        )
        if rustc is None or cargo is None or rustc[1] != cargo[1]:
            return "whose cargo is of another release"
        return None

    def _ask(self, tool: Path, word: str) -> str:
        """Return what a tool prints; nothing if it can't be asked."""
        try:
            done = subprocess.run(  # noqa: S603 - a word of ours, a tool that somebody installed
                [tool, word],
                cwd=self.cwd,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
                timeout=_PROBE_S_MAX,
            )
        except (OSError, subprocess.SubprocessError):
            return ""
        return os.fsdecode(done.stdout).strip()


def _what_to_install(target: str) -> str:
    lines = [f"rustup target add {target}"]
    if target == WASM:
        lines.append("or on Debian: apt install rustc-web cargo-web rust-web-src lld-19")
    return "\n".join([*lines, "-v says what was looked at"])


def _has_own_linker(sysroot: Path) -> bool:
    return any((sysroot / "lib" / "rustlib").glob("*/bin/rust-lld"))


def _find_linker(directories: Sequence[Path]) -> Path | None:
    """Return LLVM's linker: wasm-ld, else the newest of wasm-ld-19 and its like."""
    for directory in directories:
        if os.access(plain := directory / "wasm-ld", os.X_OK):
            return plain
    numbered = {
        int(path.name.removeprefix("wasm-ld-")): path
        for directory in reversed(directories)
        for path in directory.glob("wasm-ld-*")
        if path.name.removeprefix("wasm-ld-").isdecimal() and os.access(path, os.X_OK)
    }
    return numbered[max(numbered)] if numbered else None


# --------------------------------------------------------------------------- cargo


def cargo_command(
    toolchain: Toolchain, build: CargoBuild, environ: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Return the words that build a project, and the variables to run them with."""
    target = toolchain.target
    words = [
        *(str(toolchain.cargo), "build", "--profile", build.profile, "--target", target),
        # The names of what was built on stdout, all that is for people on stderr.
        *("--message-format", "json-render-diagnostics"),
    ]
    # RUSTC: else cargo takes the first one of PATH, which may be another toolchain's.
    variables = {**environ, "RUSTC": str(toolchain.rustc)}
    flags: tuple[str, ...] = _FLAGS
    if toolchain.linker is not None:
        flags += _OWN_LINKER_FLAGS
        words += ["--config", f"target.{target}.linker={json.dumps(str(toolchain.linker))}"]
    # Flags of a variable take the place of all configured ones: then ours have to be there.
    if "CARGO_ENCODED_RUSTFLAGS" in environ:
        given = environ["CARGO_ENCODED_RUSTFLAGS"]
        variables["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join((given, *flags) if given else flags)
    elif "RUSTFLAGS" in environ:
        variables["RUSTFLAGS"] = " ".join((environ["RUSTFLAGS"], *flags))
    else:
        words += ["--config", f"target.{target}.rustflags={json.dumps(flags)}"]
    if toolchain.builds_std:
        # A stable compiler's -Z; there is no other way to a standard library.
        variables["RUSTC_BOOTSTRAP"] = "1"
        words += _BUILD_STD
    if build.package is not None:
        words += ["--package", build.package]
    if build.quiet:
        words.append("--quiet")
    return [*words, *build.arguments], variables


def run_cargo(
    words: Sequence[str], environ: Mapping[str, str], *, cwd: Path, stderr: int
) -> list[Path]:
    """Run cargo, and return the WASM files that are up to date now.

    Raises:
        DataError: it failed, and has said why on stderr.
        Unreachable: it can't be started.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - what the user asked for
            words,
            cwd=cwd,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    except OSError as exc:
        raise Unreachable(words[0], exc.strerror or str(exc)) from exc
    assert process.stdout is not None
    with process:
        try:
            artefacts = [path for line in process.stdout for path in _artefacts(line)]
        except BaseException:
            # Ctrl-C reaches cargo as well, SIGTERM does not.
            process.terminate()
            raise
    if process.returncode < 0:
        raise DataError(f"cargo was ended by the signal {-process.returncode}")
    if process.returncode > 0:
        raise DataError(
            f"cargo could not build it (exit {process.returncode})",
            hint="what it said is above; dataflare smartmodule build -v shows how it is called",
        )
    return artefacts


def _artefacts(line: bytes) -> list[Path]:
    """Return the WASM files that a line of cargo's is about."""
    try:
        message = json.loads(line)
    except ValueError:
        return []  # a build script of another time may print there
    if not isinstance(message, dict) or message.get("reason") != "compiler-artifact":
        return []
    return [Path(name) for name in message.get("filenames", ()) if name.endswith(".wasm")]


def shown(words: Sequence[str], environ: Mapping[str, str], before: Mapping[str, str]) -> str:
    """Return a command as it could be typed, with the variables that it has and had not before."""
    new = [f"{k}={shlex.quote(v)}" for k, v in environ.items() if before.get(k) != v]
    return " ".join([*new, shlex.join(words)])


# --------------------------------------------------------------------------- WebAssembly text


def build_wat(source: Path) -> Path:
    """Make a module of WebAssembly text, in the directory `target` beside it.

    Raises:
        InvalidModule: it is none.
    """
    try:
        wasm = wat_to_wasm(source.read_bytes().decode())
    except UnicodeDecodeError as exc:
        raise InvalidModule(source.name, f"not UTF-8: {exc.reason} at {exc.start}") from exc
    except InvalidWasmError as exc:
        # wasmtime has not been told the file's name.
        raise InvalidModule(source.name, str(exc).replace("<anon>", source.name)) from exc
    built = source.parent / "target" / f"{source.stem}.wasm"
    built.parent.mkdir(exist_ok=True)
    replace_file(built, wasm)
    return built
