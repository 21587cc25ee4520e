"""SmartModules as they are shown: in lists, one at a time, and as events."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.render import Column, show_one, table_lines
from dataflare_cli.commands.stored import shown_time
from dataflare_cli.model import Package, SmartModule
from dataflare_cli.text.units import format_bytes

if TYPE_CHECKING:
    from dataflare_cli.smartmodule.inspection import Inspection
    from dataflare_cli.smartmodule.registry import Found


def _abi_text(row: dict[str, Any]) -> str:
    version = "without version" if row["abi_version"] is None else f"version {row['abi_version']}"
    return f"{version}, as of {row['generation']}"


def _memory_text(row: dict[str, Any]) -> str:
    most = row["memory_bytes_max"]
    limit = "no limit of its own" if most is None else f"at most {format_bytes(most)}"
    return f"{format_bytes(row['memory_bytes'])} to begin with, {limit}"


def _default_text(row: dict[str, Any]) -> str:
    if not row["optional"]:
        return "(required)"
    return "" if row["default"] is None else str(row["default"])


def used_name(row: dict[str, Any]) -> str:
    """Return what tables call a stored module: its package, unless it has a name of its own."""
    package, name = row["package"], str(row["name"])
    # As `package.store_name` names them where nobody says otherwise.
    if package is not None and name == "{name}-{group}-{version}".format_map(package):
        return str(row["shown_name"])
    return name


COLUMNS: tuple[Column, ...] = (
    ("SMARTMODULE", used_name),
    ("SIZE", lambda row: format_bytes(row["size_bytes"])),
    ("KIND", "kind"),
    ("CREATED", lambda row: shown_time(row["created_ms"])),
)
BUILTIN_COLUMNS: tuple[Column, ...] = (
    ("SMARTMODULE", "name"),
    ("KIND", "kind"),
    ("SIZE", lambda row: format_bytes(row["size_bytes"])),
    ("SUMMARY", "summary"),
)
# Not shown where nothing is known.
IF_KNOWN = ("Version", "Summary")
FIELDS: tuple[Column, ...] = (
    ("Name", "name"),
    ("Package", lambda row: row["package"] or "none"),
    ("Version", "version"),
    ("Summary", "summary"),
    ("Kind", "kind"),
    ("ABI", _abi_text),
    ("Exports", lambda row: ", ".join(row["exports"])),
    ("Imports", lambda row: ", ".join(row["imports"])),
    ("Memory", _memory_text),
    ("Stateless", "stateless"),
    ("SDK", lambda row: row["sdk"] or "unknown"),
    ("Size", lambda row: format_bytes(row["size_bytes"])),
    ("SHA-256", "sha256"),
    ("Origin", "origin"),
)
PARAM_COLUMNS: tuple[Column, ...] = (
    ("PARAMETER", "name"),
    ("DEFAULT", _default_text),
    ("DESCRIPTION", "description"),
)


def rows_of(modules: Sequence[SmartModule]) -> list[dict[str, Any]]:
    """Return stored modules as lists show them."""
    return [module_row(module) for module in modules]


def module_row(module: SmartModule) -> dict[str, Any]:
    """One stored module as -O json shows it: our fields, and Fluvio's `spec` and `status`."""
    import msgspec

    package = None if module.package is None else msgspec.to_builtins(module.package)
    return {
        "name": module.name,
        "shown_name": module.shown_name,
        "sha256": module.sha256,
        "size_bytes": module.size_bytes,
        "kind": module.kind.value,
        "created_ms": module.created_ms,
        "package": package,
        "spec": {"meta": {"package": package}, "wasm": {"size": module.size_bytes}},
        "status": None,
    }


def builtin_rows() -> list[dict[str, Any]]:
    """Return the built-in modules as lists show them."""
    import msgspec

    from dataflare_cli.smartmodule import builtin

    rows = []
    for name in builtin.builtin_names():
        metadata = msgspec.to_builtins(builtin.builtin_metadata(name))
        size = len(builtin.builtin_bytes(name))
        rows.append(
            {
                **metadata,
                "name": name,
                "size_bytes": size,
                "sha256": builtin.builtin_sha256(name),
            }
        )
    return rows


def event_row(event: str, module: SmartModule) -> dict[str, Any]:
    """Return what `watch -O json` prints of a change."""
    return {"event": event, "at_ms": time.time_ns() // 1_000_000, "smartmodule": module_row(module)}


def show_module(
    env: Environment, found: "Found", output: str, package: "Package | None" = None
) -> None:
    """Print what a module is, in the format of -O; `package` is what it was stored as."""
    from dataflare_cli.smartmodule.inspection import inspect as look

    row = _inspection_row(found, look(found.name, found.wasm), package)
    params = row["params"]
    fields = [each for each in FIELDS if each[0] not in IF_KNOWN or row[each[0].lower()]]
    show_one(env, row, fields, output, rule=bool(params), colon=": ")
    if output == "table" and params:
        width = env.width if env.stdout_is_terminal else None
        env.print("\n".join(table_lines(params, PARAM_COLUMNS, width)))


def _inspection_row(
    found: "Found", seen: "Inspection", package: "Package | None"
) -> dict[str, Any]:
    import msgspec

    from dataflare_cli.smartmodule.sections import read_metadata

    row = {
        "name": found.name,
        "origin": found.origin,
        "package": None if package is None else package.full_name,
        **msgspec.to_builtins(seen._asdict()),
    }
    # Modules of Fluvio's SDK say nothing of themselves; their package does.
    row["summary"] = row["summary"] or ("" if package is None else package.description)
    version = read_metadata(found.wasm).version if package is None else package.version
    return {**row, "version": version or None}
