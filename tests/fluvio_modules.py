"""SmartModules made with Fluvio's own SDK crates, of several years, for tests.

Hides cargo: the sources are in tests/fluvio, one package per generation of the SDK, and
every example of a package is a module. What is built stays in tests/fluvio/target.

A test file that builds says `pytestmark = pytest.mark.timeout(BUILD_S_MAX)`: in a fresh
checkout it is the first of its tests, whichever that is, that waits for everything.
"""

import fcntl
import functools
import os
import pwd
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "fluvio"
TARGET = SOURCES / "target"
BUILD_S_MAX = 1200

# (what has to be there, the Debian package that has it)
TOOLS = (
    ("/usr/bin/rustc", "rustc-web"),
    ("/usr/bin/cargo", "cargo-web"),
    ("/usr/lib/rustlib/src/rust/library/std", "rust-web-src"),
    ("/usr/bin/wasm-ld-19", "lld-19"),
    ("/usr/lib/wasm32-wasi/libc.a", "wasi-libc"),
)
# Examples of the package `current` that are built for WASI, too; as wasi_….
WASI_MODULES = ("aggregate", "filter", "hostile", "map")

# Of the variables that steer cargo, those about where crates come from are left alone.
OUR_BUSINESS = ("CARGO", "RUST")
NOT_OURS = ("CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_")


@functools.cache
def build() -> dict[str, Path]:
    """Build what isn't up to date and return all modules, by name.

    Raises:
        RuntimeError: a tool is missing, or something does not compile.
    """
    missing = [package for path, package in TOOLS if not Path(path).exists()]
    if missing:
        message = f"Fluvio's SDK cannot be built: install Debian's {' '.join(missing)}"
        raise RuntimeError(message)
    wasi = [word for name in WASI_MODULES for word in ("--example", name)]
    with _locked():
        _cargo("--workspace", "--examples", "--target=wasm32-unknown-unknown")
        _cargo("--package=current", *wasi, "--target=wasm32-wasip1")
    modules = {name: _built("wasm32-unknown-unknown", name) for name in _examples()}
    modules |= {f"wasi_{name}": _built("wasm32-wasip1", name) for name in WASI_MODULES}
    return modules


@contextmanager
def _locked() -> Iterator[None]:
    """Let one process at a time build: the others wait, and find everything done."""
    # (Cargo.lock would not do: cargo itself locks it.)
    with Path(__file__).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _cargo(*args: str) -> None:
    command = ["/usr/bin/cargo", "build", "--quiet", "--locked", "--release", *args]
    done = subprocess.run(
        command, cwd=SOURCES, env=_environ(), capture_output=True, text=True, errors="replace"
    )
    if done.returncode != 0:
        message = f"{' '.join(command)} in {SOURCES} failed:\n{done.stderr}"
        raise RuntimeError(message)


def _environ() -> dict[str, str]:
    environ = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(NOT_OURS) or not name.startswith(OUR_BUSINESS)
    }
    # HOME is a temporary one in a test, and crates are not to be fetched anew for each.
    environ.setdefault("CARGO_HOME", f"{pwd.getpwuid(os.getuid()).pw_dir}/.cargo")
    # Unstable options on a stable compiler: there is no other way to a standard library.
    environ["RUSTC_BOOTSTRAP"] = "1"
    return environ


def _examples() -> Iterator[str]:
    workspace = tomllib.loads((SOURCES / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]
    for member in workspace["members"]:
        manifest = (SOURCES / member / "Cargo.toml").read_text(encoding="utf-8")
        yield from (each["name"] for each in tomllib.loads(manifest)["example"])


def _built(target: str, name: str) -> Path:
    path = TARGET / target / "release" / "examples" / f"{name}.wasm"
    assert path.is_file(), path
    return path
