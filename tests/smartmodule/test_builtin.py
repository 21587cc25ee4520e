"""The built-in SmartModules: their fixtures, what is shipped beside them, and Python's opinion.

Invariants
- Whatever the records are, and however they are split, a module does what a few lines of
  Python do.
- What is to be redacted is nowhere in the output.
"""

import json
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import flat_run

from dataflare_cli import codec
from dataflare_cli.model import GuestLimits, Record
from dataflare_cli.smartmodule.builtin import builtin_names
from dataflare_cli.smartmodule.chain import Step
from dataflare_cli.smartmodule.engine import LoadedModule
from dataflare_cli.smartmodule.registry import builtin_module
from dataflare_cli.stream.transform import ChainPlan, Needs, Transform
from tests.harness import run

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "smartmodules"
ARTEFACTS = ROOT / "dataflare_cli" / "wasm" / "builtin"

words = st.sampled_from(["", "error", "warn", "an error", "erro r", "é", '"', "\\", "\0", "a,b"])
numbers = st.integers(-(2**40), 2**40)
scalars = words | numbers | st.booleans() | st.none()
documents = st.fixed_dictionaries(
    {"n": numbers}, optional={"level": scalars, "inner": st.fixed_dictionaries({"x": scalars})}
)
batch_sizes = st.integers(1, 9)


def test_every_fixture():
    """As `smartmodule test` runs them: each twice, and with its records one by one."""
    found = run("smartmodule", "test", SOURCES, "-O", "json").json
    failed = [(each["file"], each["name"]) for each in found["tests"] if not each["passed"]]
    tested = {Path(each["file"]).parent.name for each in found["tests"]}

    assert [] == failed
    assert set(builtin_names()) == tested


def test_what_is_shipped():
    """Modules, their checksums, and the licences of all crates in them, however few."""
    index = json.loads((ARTEFACTS / "builtin.json").read_text())
    licences = (ARTEFACTS / "LICENSES.md").read_text()
    lock = (SOURCES / "Cargo.lock").read_text()
    linked = set(re.findall(r"^\| ([\w-]+) \|", licences, re.MULTILINE)) - {"crate"}
    crates = set(re.findall(r'^name = "(.+)"$', lock, re.MULTILINE))

    assert {path.stem for path in ARTEFACTS.glob("*.wasm")} == set(index["modules"])
    # The standard library's are not in the lock file.
    assert {"jaq-core", "regex-automata", "serde_json", "sha2"} <= linked & crates
    assert "| core |" in licences


@cache
def loaded(name: str) -> LoadedModule:
    return LoadedModule(name, builtin_module(name).wasm)


def through(name: str, values: list[bytes], size: int, **params: str) -> list[Record]:
    """Return what a module makes of values that lie in batches of a size."""
    records = [Record(value) for value in values]
    batches = [records[at : at + size] for at in range(0, len(records), size)]
    given_names = {key.replace("_", "-"): value for key, value in params.items()}
    plan = ChainPlan([Step(loaded(name), given_names)], GuestLimits())
    if not batches:
        return []
    stored = codec.load_run(flat_run(batches), engine="kernel")
    transform = Transform(plan, plan.start(), Needs(offsets=True))
    outputs: list[Record] = []
    # In two parts, so that something may be kept from call to call.
    middle = (stored.start_offset + stored.next_offset) // 2
    for start, stop in ((stored.start_offset, middle), (middle, stored.next_offset)):
        for made in transform.windows(stored, start, stop):
            assert not made.failures
            outputs += made.outputs.records()
    return outputs


def values_of(records: list[Record]) -> list[bytes | None]:
    return [each.value for each in records]


def encoded(items: list[dict[str, object]]) -> list[bytes]:
    return [json.dumps(each).encode() for each in items]


PATTERNS = ["error", "^error$", "(?i)ERR", "e.*r", "[aé]", "x*", r"\bwarn", "error|,", ""]


@settings(deadline=None)
@given(st.lists(words | st.text(max_size=5)), st.sampled_from(PATTERNS), batch_sizes)
def test_regex_filter_keeps_what_python_finds(texts, pattern, size):
    """Invariants: as `re.search`, also with what has no literal in it."""
    values = [text.encode() for text in texts]
    kept = [text.encode() for text in texts if re.search(pattern, text)]

    assert kept == values_of(through("regex-filter", values, size, regex=pattern))


@settings(deadline=None)
@given(st.lists(documents), scalars, batch_sizes)
def test_json_filter_keeps_what_is_equal(items, wanted, size):
    """Invariants: values are compared by what they mean, whatever stands around them."""
    values = encoded(items)
    kept = [
        value
        for item, value in zip(items, values, strict=True)
        if "level" in item and json.dumps(item["level"]) == json.dumps(wanted)
    ]
    found = through("json-filter", values, size, field="level", equals=json.dumps(wanted))

    assert kept == values_of(found)


@settings(deadline=None)
@given(st.lists(documents), numbers, numbers, batch_sizes)
def test_json_filter_keeps_ranges(items, low, high, size):
    """Invariants: bounds are in, or out, as they say."""
    values = encoded(items)
    pairs = list(zip(items, values, strict=True))
    closed = through("json-filter", values, size, field="n", min=str(low), max=str(high))
    open_ = through("json-filter", values, size, field="n", above=str(low), below=str(high))

    assert [value for item, value in pairs if low <= item["n"] <= high] == values_of(closed)
    assert [value for item, value in pairs if low < item["n"] < high] == values_of(open_)


@settings(deadline=None)
@given(st.lists(documents), batch_sizes)
def test_jq_reads_and_writes_what_json_does(items, size):
    """Invariants: `.` is the same document, and a filter by it keeps what Python would."""
    values = encoded(items)
    same = through("jq", values, size, filter=".")
    kept = through("jq-filter", values, size, filter='.level == "error" or .n > 5')
    wanted = [each for each in items if each.get("level") == "error" or each["n"] > 5]

    assert items == [json.loads(each.value or b"") for each in same]
    assert wanted == [json.loads(each.value or b"") for each in kept]


@settings(deadline=None)
@given(
    st.lists(documents),
    st.text('abc é"\\\n', min_size=1, max_size=6).map(lambda text: f"hunter2{text}"),
    batch_sizes,
)
def test_redact_leaves_nothing_of_it(items, secret, size):
    """Invariants: a masked field's text is nowhere, and all other fields are as they were."""
    holding = [{**each, "pin": secret, "deep": {"pin": [secret]}} for each in items]
    found = through("redact", encoded(holding), size, fields="pin,deep.pin[*]")

    assert b"hunter2" not in b"".join(each.value or b"" for each in found)
    masked = [{**each, "pin": "***", "deep": {"pin": ["***"]}} for each in items]
    assert masked == [json.loads(each.value or b"") for each in found]


@settings(deadline=None)
@given(st.lists(words), st.integers(1, 4), batch_sizes)
def test_dedup_drops_what_was_among_the_last_ones(texts, count, size):
    """Invariants: a value passes if and only if it is not among the last that passed."""
    kept: list[bytes] = []
    for text in texts:
        if text.encode() not in kept[-count:]:
            kept.append(text.encode())

    found = through("dedup", [text.encode() for text in texts], size, count=str(count))
    assert kept == values_of(found)


@settings(deadline=None)
@given(st.lists(documents, min_size=1), batch_sizes)
def test_folds(items, size):
    """Invariants: every output is the fold of all records so far."""
    values = encoded(items)
    seen = [[each["n"] for each in items[: end + 1]] for end in range(len(items))]
    folds = {"sum": sum, "min": min, "max": max}
    for name, fold in folds.items():
        found = through(name, values, size, field="n")
        assert [str(fold(each)).encode() for each in seen] == values_of(found)

    counted = through("count", values, size)
    assert [str(len(each)).encode() for each in seen] == values_of(counted)


@settings(deadline=None)
@given(st.lists(documents), batch_sizes)
def test_csv_and_back(items, size):
    """Invariants: what goes out as a row comes back as the same texts."""
    texts = [
        {"a": str(each["n"]), "b": text if isinstance(text := each.get("level"), str) else "b"}
        for each in items
    ]
    rows = through("json-to-csv", encoded(texts), size, columns="a,b")
    lines = [each.value or b"" for each in rows]
    back = through("csv-to-json", lines, size, columns="a,b", types="string")

    assert texts == [json.loads(each.value or b"") for each in back]


def test_licences_name_every_crate_that_is_linked():
    """A crate is in the list with version, licence and modules."""
    rows = [
        line.strip("| \n").split(" | ")
        for line in (ARTEFACTS / "LICENSES.md").read_text().splitlines()
        if line.startswith("| ")
    ]

    assert {5} == {len(row) for row in rows}
    assert all(row[2] for row in rows)


@pytest.mark.parametrize("name", builtin_names())
def test_what_is_said_of_it(name):
    """A summary, a version, and of every parameter what it means."""
    about = run("smartmodule", "inspect", name, "-O", "json").json
    metadata = loaded(name).metadata

    assert metadata.summary
    assert re.fullmatch(r"\d+\.\d+\.\d+", metadata.version or "")
    assert all(each.description for each in metadata.params)
    assert ["env.copy_records"] == about["imports"]
