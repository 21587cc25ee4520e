#!/usr/bin/env python3
"""The inventory of a build: builtin.json and LICENSES.md, beside the modules that they are about.

usage: inventory.py [--merge] RUSTC_VERSION DIR MESSAGES...

MESSAGES are what Cargo wrote while it built one module each, NAME.messages: a line of JSON for
every crate that it compiled, the standard library's included. Those are what is linked, less
what runs in the compiler (macros and build scripts) and what Cargo builds for every program.
--merge keeps what DIR's inventory says of other modules than those.
"""

import hashlib
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TARGET = "wasm32-unknown-unknown"
# Built with every standard library, and linked into macros and programs that unwind.
NOT_LINKED = {"panic_unwind", "proc_macro", "rustc-literal-escaper"}
# Where crates of the standard library come from if they do not say.
RUST = "https://github.com/rust-lang/rust"
INTRODUCTION = """\
# Crates in the built-in SmartModules

Made by `smartmodules/build.sh`: all crates that Cargo compiled for WebAssembly, of which the linker
may have left out parts. Those of the standard library have its licence; its source is part of the
compiler's. The modules' own crates have the licence of this project.

| crate | version | licence | repository | modules |
|---|---|---|---|---|
"""
HEAD = INTRODUCTION.splitlines()
# The users of a crate that is in every module.
ALL = "all"


class Crate(NamedTuple):
    """A crate of somebody else's."""

    name: str
    version: str
    licence: str
    repository: str


def crates(messages: Path) -> Iterator[Crate]:
    """Yield the crates that are linked into a module."""
    for line in messages.read_text("utf-8").splitlines():
        message = json.loads(line)
        if message["reason"] != "compiler-artifact":
            continue
        if not any(f"/{TARGET}/" in name for name in message["filenames"]):
            continue
        manifest = tomllib.loads(Path(message["manifest_path"]).read_text("utf-8"))
        package = manifest["package"]
        # Crates of our own take their licence from the workspace, and are no others'.
        if package["name"] not in NOT_LINKED and isinstance(package["license"], str):
            repository = package.get("repository", RUST)
            yield Crate(package["name"], package["version"], package["license"], repository)


def recorded(directory: Path) -> dict[str, list[Crate]]:
    """Return what `write_licences` wrote: the crates of each module."""
    index = json.loads((directory / "builtin.json").read_text("utf-8"))
    modules: dict[str, list[Crate]] = {name: [] for name in index["modules"]}
    for line in (directory / "LICENSES.md").read_text("utf-8").splitlines()[len(HEAD) :]:
        *crate, users = line.removeprefix("| ").removesuffix(" |").split(" | ")
        for name in modules if users == ALL else users.split(", "):
            modules[name].append(Crate(*crate))
    return modules


def write_licences(directory: Path, modules: dict[str, list[Crate]]) -> None:
    """Write LICENSES.md."""
    rows = []
    for crate in sorted({crate for linked in modules.values() for crate in linked}):
        users = [name for name, linked in modules.items() if crate in linked]
        shown = ALL if len(users) == len(modules) else ", ".join(users)
        rows.append("| " + " | ".join([*crate, shown]) + " |\n")
    (directory / "LICENSES.md").write_text(INTRODUCTION + "".join(rows), "utf-8")


def write_index(directory: Path, rustc: str, names: list[str]) -> None:
    """Write builtin.json."""
    modules = {}
    for name in names:
        wasm = (directory / f"{name}.wasm").read_bytes()
        modules[name] = {"sha256": hashlib.sha256(wasm).hexdigest(), "bytes": len(wasm)}
    text = json.dumps({"rustc": rustc, "modules": modules}, indent=2)
    (directory / "builtin.json").write_text(text + "\n", "utf-8")


def main() -> None:
    """Write both."""
    merge = sys.argv[1:2] == ["--merge"]
    rustc, directory_name, *messages = sys.argv[2 if merge else 1 :]
    directory = Path(directory_name)
    modules = recorded(directory) if merge else {}
    modules |= {Path(path).stem: list(crates(Path(path))) for path in messages}
    modules = dict(sorted(modules.items()))
    write_licences(directory, modules)
    write_index(directory, rustc, list(modules))


if __name__ == "__main__":
    main()
