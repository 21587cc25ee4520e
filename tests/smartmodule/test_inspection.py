"""Inspection: what can be told of a module's bytes."""

import hashlib

import pytest
import wat

from dataflare_cli.errors import InvalidModule
from dataflare_cli.model import SmartModuleKind
from dataflare_cli.smartmodule.inspection import Inspection, inspect
from dataflare_cli.smartmodule.sections import Param

ECHO_TAIL = """
    (call $copy_records (i32.const 1024) (i32.const {size}))
    (i32.const 0)
"""


def look(wasm: bytes) -> Inspection:
    return inspect("m", wasm)


def test_everything_that_is_told():
    """Of a plain filter."""
    wasm = wat.puppet()

    assert look(wasm) == Inspection(
        kind="filter",
        generation="2021-11 or later",
        abi_version=22,
        has_init=False,
        has_look_back=False,
        stateless=False,
        imports=["env.copy_records"],
        exports=["alloc", "dealloc", "filter", "memory"],
        memory_bytes=96 * 65_536,
        memory_bytes_max=None,
        params=[],
        summary="",
        size_bytes=len(wasm),
        sha256=hashlib.sha256(wasm).hexdigest(),
        sdk="",
        output_freed="by the size of the output",
    )


@pytest.mark.parametrize("kind", SmartModuleKind)
def test_kinds(kind):
    """By the export's name."""
    assert kind.value == look(wat.module(kind=kind.value)).kind


def test_what_a_module_says_of_itself():
    """Its parameters, and that it keeps nothing: believed, unless it has look_back."""
    said = {"stateless": True, "summary": "Keeps all", "params": [{"name": "key"}]}
    found = look(wat.with_metadata(wat.puppet(), said))

    assert (True, "Keeps all", [Param("key")]) == (found.stateless, found.summary, found.params)
    assert "dataflare-smartmodule" == found.sdk
    assert not look(wat.with_metadata(wat.puppet(more=wat.LOOK_BACK), said)).stateless
    assert not look(wat.with_metadata(wat.module(kind="aggregate"), said)).stateless


def test_memory_has_the_limits_of_the_module():
    """In bytes."""
    found = look(wat.module(pages="17 20"))

    assert (17 * 65_536, 20 * 65_536) == (found.memory_bytes, found.memory_bytes_max)


INIT = '(func (export "init") (param i32 i32 i32) (result i32) (i32.const 0))'


@pytest.mark.parametrize(
    ("wasm", "expected"),
    [
        (wat.module(), ("2021-11 or later", 22, False, False)),
        (wat.module(more=INIT), ("2022-09 or later", 22, True, False)),
        (wat.module(more=wat.LOOK_BACK), ("2023-06 or later", 22, False, True)),
        (wat.module(more=INIT + wat.LOOK_BACK), ("2023-06 or later", 22, True, True)),
        # Gives no accumulator back: one of before 2022-09.
        (wat.module(kind="aggregate"), ("2021-11 to 2023-02", 17, False, False)),
    ],
)
def test_generations(wasm, expected):
    """What is exported, and what an aggregate makes of an accumulator, tells how old it may be."""
    found = look(wasm)

    assert expected == (
        found.generation,
        found.abi_version,
        found.has_init,
        found.has_look_back,
    )


@pytest.mark.parametrize(
    ("size", "generation"), [(5, "2021-08 to 2021-11"), (4, "2021-04 to 2021-07")]
)
def test_generations_of_2021(size, generation):
    """Two arguments; with an error in the output, or not yet. They take no version."""
    wasm = wat.module(ECHO_TAIL.format(size=size), has_version=False, data=bytes(5))
    found = look(wasm)

    assert (generation, None) == (found.generation, found.abi_version)


def test_what_is_none_is_refused():
    """By its name."""
    with pytest.raises(InvalidModule, match="SmartModule m is invalid: it is empty"):
        look(b"")
