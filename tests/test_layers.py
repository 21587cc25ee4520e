"""What import-linter can't say: what is loaded, not what could be.

Start-up is light because heavy libraries are imported late. Each case runs an
interpreter of its own with `-X importtime` and looks at what it loaded.
"""

import re
import subprocess
import sys

import pytest

NETWORK = {"aiokafka", "asyncio", "fluvio", "ssl"}
TERMINAL = {"click", "rich", "typer"}
# Loads in more than 2 ms, and is needed only by what a short command doesn't do.
HEAVY = {"cramjam", "google_crc32c", "wasmtime", "yaml"}


def loaded_by(*arguments: str, path_of_home: str) -> set[str]:
    """Return the top-level names that an interpreter with these arguments imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        capture_output=True,
        text=True,
        env={"HOME": path_of_home, "PYTHONPATH": ":".join(filter(None, sys.path))},
        timeout=60,
    )
    names = re.findall(r"^import time:.*\| +([\w.]+)$", done.stderr, re.MULTILINE)
    assert 0 == done.returncode, re.sub(r"(?m)^import time:.*\n", "", done.stderr)
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("model", NETWORK | TERMINAL | HEAVY | {"lmdb"}),
        ("errors", NETWORK | TERMINAL | HEAVY | {"lmdb", "msgspec"}),
        ("codec", NETWORK | TERMINAL | HEAVY | {"lmdb"}),
        ("store", NETWORK | TERMINAL | HEAVY),
        ("catalog", NETWORK | TERMINAL | HEAVY),
        ("log", NETWORK | TERMINAL | HEAVY),
        ("text", NETWORK | TERMINAL | HEAVY | {"lmdb"}),
        ("config", NETWORK | TERMINAL | HEAVY | {"lmdb"}),
        ("stream", NETWORK | TERMINAL | HEAVY),
    ],
)
def test_a_layer_loads_nothing_heavy(module, unwanted, tmp_path):
    """Importing a layer loads its own libraries and none of those that cost start-up time."""
    loaded = loaded_by("-c", f"import dataflare_cli.{module}", path_of_home=str(tmp_path))

    assert set() == loaded & unwanted


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["produce", "--help"], ["version"], ["topic", "list"]],
    ids=" ".join,
)
def test_a_short_command_loads_nothing_heavy(arguments, tmp_path):
    """Help and catalog commands start without wasmtime, codecs, YAML, rich or a network's parts."""
    loaded = loaded_by("-m", "dataflare_cli", *arguments, path_of_home=str(tmp_path))

    assert set() == loaded & (NETWORK | HEAVY | {"rich"})
