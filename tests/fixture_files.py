"""Fixture files of tests, and the modules that they test: those of `wat`.

A puppet does what the first letter of a value says: d is dropped, x comes out twice, o is
kept once only, E is the error "bad", T traps; every other record is kept as it is.
"""

from collections.abc import Mapping
from pathlib import Path

import wat

from dataflare_cli.errors import NotFound
from dataflare_cli.model import GuestLimits, Record
from dataflare_cli.smartmodule.fixtures.parse import Fixture, TopicInput, read_fixture
from dataflare_cli.smartmodule.fixtures.runner import Bench, FileRun, Verdict
from dataflare_cli.smartmodule.registry import Registry

PUPPET = "module: puppet.wasm"

# Keeps its records if its accumulator has something in it, and gives the accumulator back.
# Behind the records: 3 bytes of no parameters, 4 of no join, 8 of time, then the accumulator.
AGGREGATE = """
    (local.set $i (i32.add (i32.add (local.get $records) (local.get $records_bytes))
                           (i32.const 15)))
    (local.set $bytes (call $u32 (local.get $i)))
    (if (i32.eqz (local.get $bytes)) (then
      (i32.store (local.get $records) (i32.const 0))
      (local.set $records_bytes (i32.const 4))))
    (local.set $at (i32.add (local.get $records) (local.get $records_bytes)))
    (i32.store8 (local.get $at) (i32.const 0))
    (memory.copy (i32.add (local.get $at) (i32.const 1)) (local.get $i)
                 (i32.add (local.get $bytes) (i32.const 4)))
    (call $copy_records (local.get $records)
      (i32.add (local.get $records_bytes) (i32.add (local.get $bytes) (i32.const 5))))
    (call $u32 (local.get $records))
"""
MODULES = {
    "puppet": wat.puppet(),
    "other": wat.puppet(kind="map", words="d"),
    "twice": wat.puppet(kind="array_map"),
    "params": wat.tells_params(),
    "fed": wat.tells_fed(),
    "aggregate": wat.module(AGGREGATE, kind="aggregate"),
    "refuses": wat.module(data=b"\0\7no good", more=wat.INIT_REFUSES.format(size=9)),
    "broken": b"\0asm\1\0\0\0",
}


def write_modules(directory: Path) -> Path:
    """Write all modules into a directory, and return it."""
    for name, wasm in MODULES.items():
        (directory / f"{name}.wasm").write_bytes(wasm)
    return directory


def fixture_of(directory: Path, text: str, name: str = "f.smtest.yaml") -> Fixture:
    """Write and read a fixture."""
    (directory / name).write_bytes(text.encode())
    return read_fixture(directory / name, name)


def verdicts_of(
    fixture: Fixture, topics: Mapping[str, list[Record]] | None = None
) -> list[Verdict]:
    """Run all tests of a fixture."""

    def read_topic(wanted: TopicInput) -> list[Record]:
        if topics is None or wanted.topic not in topics:
            raise NotFound("topic", wanted.topic)
        return topics[wanted.topic]

    run = FileRun(fixture, Bench(Registry(lambda: None), GuestLimits(time_s=5.0), read_topic))
    return [run.run(case) for case in fixture.tests]


def verdict_of(directory: Path, test: str, module: str = PUPPET, **options) -> Verdict:
    """Run one test, given as flow YAML without its name."""
    text = f"{module}\ntests:\n- {{name: t, {test}}}\n"
    (verdict,) = verdicts_of(fixture_of(directory, text), **options)
    return verdict


def problems_of(
    directory: Path, test: str, module: str = PUPPET, **options
) -> list[tuple[str, str]]:
    """Return what is wrong with one test, as (what, text)."""
    verdict = verdict_of(directory, test, module, **options)
    return [(problem.what, problem.text) for problem in verdict.problems]
