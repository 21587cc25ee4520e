"""The built-in SmartModules: shipped as WASM, each with the checksum it was built with.

They are packages of the group `dataflare`, found by their name where nothing stored has it.
"""

import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any

from dataflare_cli.errors import Corruption
from dataflare_cli.smartmodule.sections import Metadata, read_metadata

GROUP = "dataflare"
_DIRECTORY = resources.files("dataflare_cli.wasm") / "builtin"


@cache
def _index() -> dict[str, dict[str, Any]]:
    content: dict[str, Any] = json.loads((_DIRECTORY / "builtin.json").read_text("utf-8"))
    modules: dict[str, dict[str, Any]] = content["modules"]
    return modules


def builtin_names() -> list[str]:
    """Return the names of all built-in modules, sorted."""
    return sorted(_index())


def builtin_sha256(name: str) -> str:
    """Return what a built-in module's bytes have to hash to."""
    return str(_index()[name]["sha256"])


def builtin_bytes(name: str) -> bytes:
    """Return a built-in module.

    Raises:
        Corruption: the installed file is not the one that was shipped.
    """
    wasm = (_DIRECTORY / f"{name}.wasm").read_bytes()
    expected, found = builtin_sha256(name), hashlib.sha256(wasm).hexdigest()
    if found != expected:
        raise Corruption(
            f"the built-in SmartModule {name}",
            expected=f"SHA-256 {expected}",
            found=found,
            hint="install dataflare again",
        )
    return wasm


@cache
def builtin_metadata(name: str) -> Metadata:
    """Return what a built-in module says of itself."""
    return read_metadata(builtin_bytes(name))
