"""Processes that a damaged page, or something else, ends: what they say and answer."""

import subprocess
import sys

import pytest

PRELUDE = """
import os, sys
from pathlib import Path
from dataflare_cli.store.faults import end_as_corrupt
end_as_corrupt(Path("/there"))
"""
# wasmtime's Python package aborts where it is asked for this function's type.
IN_WASMTIME = """
import wasmtime
text = '(module (func (export "f") (param v128)))'
module = wasmtime.Module(wasmtime.Engine(), wasmtime.wat2wasm(text))
str(module.exports[0].type.params[0])
"""


@pytest.mark.parametrize(
    ("code", "expected", "said"),
    [
        ("os.abort()", 7, "error: /there/data.mdb is damaged: "),
        ("import ctypes; ctypes.string_at(8)", 7, "error: /there/data.mdb is damaged: "),
        (IN_WASMTIME, 3, "error: wasmtime has ended the process: "),
    ],
)
def test_who_is_to_blame(code, expected, said):
    """Nobody is told to throw a store away for what another library did."""
    words = [sys.executable, "-c", PRELUDE + code]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)

    assert expected == ended.returncode, ended.stderr
    assert said in ended.stderr
