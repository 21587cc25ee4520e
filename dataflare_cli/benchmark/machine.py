"""The machine and the versions: what a figure is worth nothing without."""

import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from dataflare_cli import __version__

LIBRARIES = ("lmdb", "wasmtime")
_UNKNOWN = "unknown"
# How the kernel writes blanks in paths.
_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")


def describe_machine(directory: Path) -> dict[str, str | int]:
    """Return cores, processor, memory, kernel, and the file system a directory is on."""
    system = os.uname()
    return {
        "cores": _core_count(),
        "cpu": _cpu_model() or platform.processor() or system.machine,
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "kernel": f"{system.sysname} {system.release} {system.machine}",
        "file_system": _file_system(directory),
    }


def describe_versions() -> dict[str, str]:
    """Return the versions of the program and of what its speed hangs on."""
    versions = {"dataflare": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _core_count() -> int:
    """Count the processors this process may run on."""
    if sys.platform != "linux":
        return os.cpu_count() or 1
    return len(os.sched_getaffinity(0))


def _cpu_model() -> str | None:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model"):
                return value.strip()
    return None


def _file_system(directory: Path) -> str:
    """Return the type of the file system; the innermost mount counts, the last one there."""
    path = directory.resolve()
    found, depth = _UNKNOWN, -1
    for mount, kind in _mounts():
        inside = mount == path or mount in path.parents
        if inside and len(mount.parts) >= depth:
            found, depth = kind, len(mount.parts)
    return found


def _mounts() -> Iterator[tuple[Path, str]]:
    """Yield (mount point, type), of /proc/self/mountinfo: … 5th field … - type …."""
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
            before, _, after = line.partition(b" - ")
            fields = before.split(b" ")
            if len(fields) > 4 and after:
                point = _OCTAL.sub(lambda match: bytes([int(match[1], 8)]), fields[4])
                yield Path(os.fsdecode(point)), os.fsdecode(after.split(b" ")[0])
