"""The built-in SmartModules: their fixtures, what is shipped beside them, and Python's opinion.

Invariants
- Whatever the records are, and however they are split, a module does what a few lines of
  Python do.
- What is to be redacted is nowhere in the output.
"""

import hashlib
import json
import re
import tomllib
from functools import cache
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import flat_run

from dataflare_cli import codec
from dataflare_cli.codec.program import Needs
from dataflare_cli.model import GuestLimits, Record
from dataflare_cli.smartmodule.builtin import builtin_names
from dataflare_cli.smartmodule.chain import Step
from dataflare_cli.smartmodule.engine import LoadedModule
from dataflare_cli.smartmodule.registry import builtin_module
from dataflare_cli.stream.transform import ChainPlan, Transform
from tests.harness import run

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "smartmodules"
ARTEFACTS = ROOT / "dataflare_cli" / "wasm" / "builtin"

CrateId = tuple[str, str]  # name and version

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
    """The index has the checksum of every module, and LICENSES.md knows the same modules."""
    index = json.loads((ARTEFACTS / "builtin.json").read_text())
    found = {path.stem: path.read_bytes() for path in ARTEFACTS.glob("*.wasm")}

    assert index["modules"] == {
        name: {"sha256": hashlib.sha256(wasm).hexdigest(), "bytes": len(wasm)}
        for name, wasm in found.items()
    }
    assert {*found} == {*chain(*(users for _, _, users in licence_rows()))}


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


def table(path: Path) -> list[list[str]]:
    """Return the cells of a file's table, without its head."""
    rows = [line for line in path.read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def licence_rows() -> list[tuple[CrateId, str, list[str]]]:
    """Return each crate in LICENSES.md: name and version, licence, and the modules it is in."""
    return [
        ((name, version), licence, builtin_names() if users == "all" else users.split(", "))
        for name, version, licence, _, users in table(ARTEFACTS / "LICENSES.md")
    ]


def licensed(module: str) -> set[CrateId]:
    return {crate for crate, _, users in licence_rows() if module in users}


# Once for all modules: the standard library, which has a lock file of its own.
def of_rust() -> set[CrateId]:
    return set.intersection(*map(licensed, builtin_names()))


@cache
def locked() -> dict[str, list[tuple[str, list[str]]]]:
    """Return what Cargo.lock has by a name: versions, and what each depends on, tests included."""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for each in tomllib.loads((SOURCES / "Cargo.lock").read_text())["package"]:
        found.setdefault(each["name"], []).append((each["version"], each.get("dependencies", [])))
    return found


def resolve(dependency: str) -> tuple[CrateId, list[str]]:
    """Return what a line of Cargo.lock is about: a name, and the version if there are several."""
    name, _, wanted = dependency.partition(" ")
    (found,) = [each for each in locked()[name] if wanted in {"", each[0]}]
    return (name, found[0]), found[1]


def closure(module: str) -> set[CrateId]:
    """Return all that a module's crate can depend on: more than is linked."""
    found: set[CrateId] = set()
    left = [module]
    while left:
        crate, dependencies = resolve(left.pop())
        if crate not in found:
            found.add(crate)
            left += dependencies
    return found


def direct(crate: str) -> set[CrateId]:
    """Return what our own crates say that a module takes of others', without what tests take."""
    ours = {
        manifest["package"]["name"]: manifest
        for path in SOURCES.glob("*/Cargo.toml")
        for manifest in [tomllib.loads(path.read_text())]
    }
    lines = {line.partition(" ")[0]: line for line in resolve(crate)[1]}
    found: set[CrateId] = set()
    for name in ours[crate].get("dependencies", {}):
        found |= direct(name) if name in ours else {resolve(lines[name])[0]}
    return found


def test_licences_are_complete_rows():
    """Every crate is listed once, with a licence."""
    crates = [crate for crate, _, _ in licence_rows()]

    assert sorted(set(crates)) == crates
    assert all(licence for _, licence, _ in licence_rows())
    assert {"alloc", "core", "std"} <= {name for name, _ in of_rust()}


@pytest.mark.parametrize("name", builtin_names())
def test_licences_name_what_a_module_depends_on(name):
    """All crates that it takes itself, in the versions of Cargo.lock, and none that it cannot have.

    What lies in between is up to features and targets, which only Cargo knows.
    """
    assert direct(name) <= licensed(name)
    assert licensed(name) - of_rust() <= closure(name)


def test_readme_lists_the_modules():
    """With kind and parameters, those in bold that have to be given, in the order of the help."""
    listed = {
        name: (kinds, params)
        for names, kinds, params, _ in table(SOURCES / "README.md")
        for name in names.split(", ")
    }
    expected = {}
    for name in builtin_names():
        about = loaded(name).metadata
        kinds = [about.kind, *(["look-back"] if loaded(name).has_look_back else [])]
        shown = [each.name if each.optional else f"**{each.name}**" for each in about.params]
        expected[name] = (", ".join(kinds), ", ".join(shown))

    assert expected == listed


@pytest.mark.parametrize("name", builtin_names())
def test_what_is_said_of_it(name):
    """A summary, a version, and of every parameter what it means."""
    about = run("smartmodule", "inspect", name, "-O", "json").json
    metadata = loaded(name).metadata

    assert metadata.summary
    assert re.fullmatch(r"\d+\.\d+\.\d+", metadata.version or "")
    assert all(each.description for each in metadata.params)
    assert ["env.copy_records"] == about["imports"]
