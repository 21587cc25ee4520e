"""What this program is: its version, and the machine's. Imports nothing that takes time."""

import os
import sys

from dataflare_cli import __version__


def version_line() -> str:
    """Return what --version prints."""
    return f"dataflare {__version__}"


def facts() -> dict[str, str]:
    """Return what `version` prints, in its order."""
    machine = os.uname()
    return {
        "Dataflare CLI": __version__,
        "Dataflare CLI Arch": f"{machine.machine}-{machine.sysname.lower()}",
        "Python": ".".join(str(part) for part in sys.version_info[:3]),
        "OS Details": f"{machine.sysname} {machine.release}",
    }


def version_text() -> str:
    """Return what `version` prints: a name and a value a line."""
    return "\n".join(f"{name:<20} : {value}" for name, value in facts().items())
