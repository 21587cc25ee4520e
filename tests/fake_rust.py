"""Toolchains of Rust that only look like one: real processes, small shell scripts.

A rustc says where its sysroot is and of which release it is; a cargo notes what it was
asked for, and then does what a test says.
"""

import shlex
from pathlib import Path
from typing import NamedTuple

from dataflare_cli.smartmodule.toolchain import WASM

RELEASE = "1.90.0"


class FakeRust(NamedTuple):
    """One toolchain; `root` has everything of it."""

    root: Path

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def sysroot(self) -> Path:
        return self.root / "sysroot"

    @property
    def words(self) -> list[str]:
        """What cargo was last called with."""
        return (self.root / "words").read_text().splitlines()

    @property
    def variables(self) -> dict[str, str]:
        """The variables it was called with."""
        lines = (self.root / "variables").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def with_target(self, target: str = WASM) -> "FakeRust":
        """Have the standard library of a target."""
        return self._with(f"lib/rustlib/{target}/lib")

    def with_source(self) -> "FakeRust":
        """Have the source of the standard library."""
        return self._with("lib/rustlib/src/rust/library")

    def with_own_linker(self) -> "FakeRust":
        """Have rust-lld."""
        self._with("lib/rustlib/x86_64-unknown-linux-gnu/bin")
        make_tool(self.sysroot / "lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld")
        return self

    def with_linker(self, name: str) -> "FakeRust":
        """Have LLVM's linker beside the compiler."""
        make_tool(self.bin / name)
        return self

    def _with(self, directory: str) -> "FakeRust":
        (self.sysroot / directory).mkdir(parents=True, exist_ok=True)
        return self


def fake_rust(root: Path, *, cargo: str = "", cargo_release: str = RELEASE) -> FakeRust:
    """Make a toolchain that has neither a target nor a source; `cargo` is what its cargo does."""
    rust = FakeRust(root)
    rust.sysroot.mkdir(parents=True)
    make_tool(
        rust.bin / "rustc",
        f'case "$1" in --print=sysroot) echo {shlex.quote(str(rust.sysroot))} ;;\n'
        f'--version) echo "rustc {RELEASE} (fake)" ;; esac',
    )
    make_tool(
        rust.bin / "cargo",
        f'[ "$1" != --version ] || {{ echo "cargo {cargo_release} (fake)"; exit; }}\n'
        f"printf '%s\\n' \"$@\" > {shlex.quote(str(root / 'words'))}\n"
        f"env > {shlex.quote(str(root / 'variables'))}\n{cargo}",
    )
    return rust


def make_tool(path: Path, body: str = "exit 1") -> Path:
    """Make an executable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path
