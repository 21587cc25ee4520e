"""Custom sections: read without compiling, from binaries of anybody."""

import json
from contextlib import suppress

import pytest
import wasmtime
import wat
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.smartmodule.builtin import builtin_bytes, builtin_names
from dataflare_cli.smartmodule.engine import LoadedModule
from dataflare_cli.smartmodule.sections import (
    METADATA_SECTION,
    Metadata,
    Param,
    read_metadata,
    sdk_of,
)
from dataflare_cli.wasm import Signature, wat_to_wasm
from dataflare_cli.wasm.binary import custom_sections, read_interface

PLAIN = wat.puppet(words="")
HEADER = b"\0asm\1\0\0\0"
SAID = {
    "name": "upper",
    "version": "0.1.0",
    "kind": "map",
    "summary": "Makes letters large",
    "params": [
        {"name": "by", "description": "what", "optional": True, "default": "value"},
        {"name": "field", "example": "user.id"},
    ],
    "stateless": True,
    "offsets": True,
}

sections = st.lists(st.tuples(st.text(max_size=10), st.binary(max_size=300)), max_size=5)


def test_a_module_says_what_it_is():
    """Everything of it comes back."""
    params = (
        Param("by", "what", optional=True, default="value"),
        Param("field", example="user.id"),
    )
    expected = Metadata(
        name="upper",
        version="0.1.0",
        kind="map",
        summary="Makes letters large",
        params=params,
        stateless=True,
        offsets=True,
    )

    assert expected == read_metadata(wat.with_metadata(PLAIN, SAID))


@given(sections)
def test_all_custom_sections_are_found(added):
    """Invariants: what was added is found, in its order, with its name and all its bytes."""
    wasm = PLAIN
    for name, contents in added:
        wasm = wat.with_section(wasm, name, contents)

    before = list(custom_sections(PLAIN))
    assert [*before, *added] == list(custom_sections(wasm))


@given(st.binary(max_size=60), st.integers(0, 60))
def test_no_bytes_are_too_odd(data, cut):
    """Invariants: reading ends, without an error, and says nothing that is not there."""
    wasm = HEADER + data
    half = wat.with_metadata(PLAIN, SAID)[: -1 - cut]

    assert all(contents in wasm for _, contents in custom_sections(wasm))
    assert isinstance(read_metadata(wasm), Metadata)
    assert Metadata() == read_metadata(half)


@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"params": "none"}',
        b'{"stateless": "yes"}',
        b'{"params": [{}]}',
        b'{"name": "' + b"x" * 65_536 + b'"}',
        b"[" * 60_000,
    ],
)
def test_what_can_not_be_understood_says_nothing(contents):
    """A module of a later SDK runs all the same."""
    wasm = wat.with_section(PLAIN, METADATA_SECTION, contents)

    assert Metadata() == read_metadata(wasm)
    assert not LoadedModule("m", wasm).is_stateless


def test_what_is_not_known_is_passed_over():
    """Later releases may say more."""
    more = {"name": "m", "colour": "red", "params": [{"name": "p", "unit": "ms"}]}

    assert Metadata(name="m", params=(Param("p"),)) == read_metadata(wat.with_metadata(PLAIN, more))


def test_the_first_section_that_makes_sense_counts():
    """A second one can't take back what the first one says."""
    wasm = wat.with_section(PLAIN, METADATA_SECTION, b"{")
    twice = wat.with_metadata(wat.with_metadata(wasm, {"name": "first"}), {"name": "second"})

    assert "first" == read_metadata(twice).name


def test_a_section_longer_than_the_file_ends_the_reading():
    """As does a name longer than its section, and a number that does not end."""
    assert [] == list(custom_sections(HEADER + b"\0\x05\x09name"))
    assert [] == list(custom_sections(HEADER + b"\0\xff\xff\xff\xff\xff\xff"))
    assert [("a", b"b")] == list(custom_sections(HEADER + b"\0\x03\x01ab" + b"\0\xff"))
    assert [] == list(custom_sections(HEADER + b"\0\x7f\x01ab"))


@pytest.mark.parametrize(
    ("wasm", "expected"),
    [
        (PLAIN, ""),
        (wat.with_metadata(PLAIN, {}), "dataflare-smartmodule"),
        (
            wat.module(data=b"index.crates.io-1/fluvio-smartmodule-0.7.1/src/input.rs"),
            "fluvio-smartmodule 0.7.1",
        ),
        (wat.module(data=b"fluvio_smartmodule-0.2.5/src"), "fluvio-smartmodule 0.2.5"),
        (wat.module(data=b"fluvio-smartmodule-derive-0.6.0/src"), ""),
    ],
)
def test_the_sdk_is_told_by_what_it_leaves_behind(wasm, expected):
    """Rust's panics name the file of the crate."""
    assert expected == sdk_of(wasm)


def test_metadata_is_json_in_the_section():
    """As the SDK writes it: any language can read it."""
    (contents,) = (
        each
        for name, each in custom_sections(wat.with_metadata(PLAIN, SAID))
        if name == METADATA_SECTION
    )

    assert SAID == json.loads(contents)


@pytest.mark.parametrize("name", builtin_names())
def test_what_goes_in_and_out_is_as_wasmtime_tells_it(name):
    """Of real modules: names, types and memories."""
    wasm = builtin_bytes(name)
    module = wasmtime.Module(wasmtime.Engine(), wasm)
    found = read_interface(wasm)

    def told(kind) -> Signature | None:
        if not isinstance(kind, wasmtime.FuncType):
            return None
        return Signature(tuple(map(str, kind.params)), tuple(map(str, kind.results)))

    assert [(each.module, each.name, told(each.type)) for each in module.imports] == found.imports
    assert {each.name: told(each.type) for each in module.exports} == found.exports
    limits = next(each.type.limits for each in module.exports if each.name == "memory")
    assert (limits.min, limits.max) == found.memory_pages


@pytest.mark.parametrize("memory", ["1", "2 7"])
def test_functions_and_memories_that_are_imported_come_first(memory):
    """An export names one by its number among both."""
    wasm = wat_to_wasm(f"""(module
      (type $unused (func (param f32 f64)))
      (import "a" "table" (table 1 2 funcref))
      (import "a" "global" (global (mut i64)))
      (import "a" "call" (func $in (param i64) (result f32 externref)))
      (import "a" "memory" (memory {memory}))
      (func $out (param v128 funcref))
      (global (export "g") i32 (i32.const 0))
      (export "in" (func $in)) (export "out" (func $out)) (export "memory" (memory 0)))""")
    in_, out = Signature(("i64",), ("f32", "ref")), Signature(("v128", "ref"), ())
    least, _, most = memory.partition(" ")

    found = read_interface(wasm)

    assert [None, None, in_, None] == [each.signature for each in found.imports]
    assert {"g": None, "in": in_, "out": out, "memory": None} == found.exports
    assert (int(least), int(most) if most else None) == found.memory_pages


@given(st.integers(0, len(PLAIN)), st.binary(max_size=20))
def test_binaries_that_make_no_sense_are_refused(at, noise):
    """Invariants: a mutilated binary is read, or is a ValueError or IndexError; it ends."""
    with suppress(ValueError, IndexError):
        read_interface(PLAIN[:at] + noise + PLAIN[at + len(noise) :])
