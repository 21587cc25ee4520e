"""Fixtures: read, found and run. The modules are those of `fixture_files`."""

import json

import msgspec
import pytest
import wat

from dataflare_cli.errors import ConfigError, NotFound
from dataflare_cli.model import GuestLimits, Lookback, Record
from dataflare_cli.smartmodule.fixtures.discover import find_fixtures
from dataflare_cli.smartmodule.fixtures.expect import Equals, Expect, RecordMatcher
from dataflare_cli.smartmodule.fixtures.parse import FileInput, TopicInput, parse_fixture
from dataflare_cli.smartmodule.fixtures.runner import Job, _asked_for, files_of
from dataflare_cli.smartmodule.registry import Registry
from dataflare_cli.smartmodule.transforms import FILE_BYTES_MAX, Origin
from tests.fixture_files import (
    MODULES,
    fixture_of,
    problems_of,
    verdict_of,
    verdicts_of,
    write_modules,
)

NOW_MS = 1_700_000_000_000


@pytest.fixture
def directory(tmp_path):
    """A directory with all modules, and none else."""
    path = tmp_path / "fixtures"
    path.mkdir()
    return write_modules(path)


# ------------------------------------------------------------------------ reading


ALL = """
module: regex-filter
params: {regex: error, n: [1, {b: 2, a: x}]}
lookback: {last: 10}
tests:
  - name: all of it
    params: {invert: "true", regex: warn}
    lookback: {age: 1h}
    history: [a, {value: b, timestamp: 5}]
    initial: "0"
    input:
      - text
      - {key: k, value: v, headers: [[n, v], [m, null]], timestamp: 2023-11-14T22:13:20Z}
      - {json: {level: error, n: [1, 2.5]}, offset: 7}
      - {base64: /w==}
      - {key: {base64: AA==}, value: {base64: /w==}}
      - null
    expect: {records: [text], dropped: 5}
    deterministic: false
    time_ms_max: 50
    fuel_max: 100000
  - {name: 2, input: {file: in.ndjson, format: records}}
  - {name: three, input: access@0:10}
  - {name: four, input: {topic: access, range: 1:10, partition: 2}}
"""


def test_every_key_is_read(directory):
    """Parameters are merged, offsets go on from the last one, dates and 1:10 are no numbers."""
    fixture = fixture_of(directory, ALL)
    first, second, third, fourth = fixture.tests

    assert ("regex-filter", Origin.REGISTRY) == (fixture.steps[0].uses, fixture.steps[0].origin)
    assert {"regex": "warn", "n": '[1,{"a":"x","b":2}]', "invert": "true"} == first.params
    assert Lookback(0, 3_600_000) == first.lookback
    assert (Record(b"a"), Record(b"b", timestamp_ms=5, offset=1)) == first.history
    assert (b"0", False, 50.0, 100_000) == (
        first.initial,
        first.deterministic,
        first.time_ms_max,
        first.fuel_max,
    )
    assert (
        Record(b"text"),
        Record(b"v", b"k", ((b"n", b"v"), (b"m", None)), NOW_MS, 1),
        Record(b'{"level":"error","n":[1,2.5]}', offset=7),
        Record(b"\xff", offset=8),
        Record(b"\xff", b"\0", offset=9),
        Record(None, offset=10),
    ) == first.input
    assert Expect((RecordMatcher(Equals(b"text"), shown="text"),), dropped=5) == first.expect
    assert ("2", Lookback(10), True) == (second.name, second.lookback, second.deterministic)
    assert FileInput(directory / "in.ndjson", "records") == second.input
    assert TopicInput("access", "0:10") == third.input
    assert TopicInput("access", "1:10", 2) == fourth.input
    assert [6, 22, 23, 24] == [each.line for each in fixture.tests]


def test_json_is_read_like_yaml(directory):
    """The same keys and values."""
    test = {"name": "t", "input": ["a", {"value": None}], "expect": {"records": ["a", None]}}
    data = {"module": "m.wasm", "tests": [test]}
    from_json = fixture_of(directory, json.dumps(data, indent="\t"), "f.smtest.json")
    from_yaml = fixture_of(directory, msgspec.yaml.encode(data).decode())

    assert from_yaml.steps == from_json.steps
    assert (
        from_yaml.tests[0].input
        == from_json.tests[0].input
        == (Record(b"a"), Record(None, offset=1))
    )
    assert from_json.tests[0].expect.records[0].problem(Record(b"a")) is None


TEST = "module: m.wasm\ntests: [{name: t, "


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("[]", "1:1", "is a list, not a mapping: `module: NAME`, and `tests:`"),
        ("tests: []", "1:1", "no module"),
        ("module: m\npackage: .\ntests: []", "1:1", "has `module` and `package`"),
        ("module: m", "1:1", "`tests` is missing"),
        ("module: m\ntests: {}", "2:8", "is a mapping, not a list of tests"),
        ("module: 5\ntests: []", "1:9", "is 5, not a module's name"),
        ("module: m\nmodule: n\ntests: []", "2:1", '"module" is given twice'),
        ("1: m\ntests: []", "1:1", "is 1, not a name"),
        ("transforms: []\ntests: []", "1:13", "0 steps: a chain has 1 to 64"),
        ("transforms: [{with: {}}]\ntests: []", "1:14", "`uses` is missing"),
        ("transforms: not/there\ntests: []", "1:13", "File not found: not/there"),
        ("transforms: [{uses: a}]\nparams: {a: b}\ntests: []", "2:9", "a chain has parameters"),
        ("module: m\nparams: [a]\ntests: []", "2:9", "`params` is not a mapping"),
        ("module: m\nparams: {a: 5}\ntests: []", "2:9", "the parameter 'a' is 5, not a text"),
        ("module: m\nlookback: 5\ntests: []", "2:11", "`lookback` has `last`"),
        ("module: m\ntests: [{input: []}]", "2:9", "`name` is missing: what the test is to show"),
        (TEST + "imput: []}]", "2:19", 'unknown key "imput"'),
        (TEST + "expect: {count: 1}}]", "2:9", "`input` is missing"),
        (TEST + "history: [a], input: []}]", "2:28", "nobody asks for it"),
        (TEST + "input: 5}]", "2:26", "is 5, not a list of records, a file or a topic"),
        (TEST + "input: access}]", "2:26", "'access' is not TOPIC@RANGE"),
        (TEST + "input: access@5:3}]", "2:26", 'invalid offset "5:3"'),
        (TEST + "input: {topic: t, range: x}}]", "2:44", 'invalid offset "x"'),
        (TEST + "input: {}}]", "2:26", "has one of `file` and `topic`"),
        (TEST + "input: {file: f, topic: t}}]", "2:26", "has one of `file` and `topic`"),
        (TEST + "input: {file: f, range: 1}}]", "2:43", "`range` makes no sense beside `file`"),
        (TEST + "input: {file: f, format: x}}]", "2:44", "unknown format 'x'"),
        (TEST + "input: [5]}]", "2:27", "is 5, not a text"),
        (TEST + "input: [{key: k}]}]", "2:27", "has no value"),
        (TEST + "input: [{value: v, json: 1}]}]", "2:27", "has value and json"),
        (TEST + "input: [{value: {base: x}}]}]", "2:36", 'unknown key "base"'),
        (TEST + "input: [{value: {}}]}]", "2:35", "has one of base64 and json"),
        (TEST + "input: [a, b, {value: v, offset: 1}]}]", "2:52", "offset 1: the next one is 2"),
        (TEST + "deterministic: maybe}]", "2:34", "is maybe, not true or false"),
        (TEST + "time_ms_max: 0}]", "2:32", "is not a time in milliseconds"),
        (TEST + "fuel_max: 1.5}]", "2:29", "is 1.5, not a number"),
    ],
)
def test_what_is_malformed(text, place, message, tmp_path):
    """The error names the file and the place in it."""
    with pytest.raises(ConfigError) as caught:
        parse_fixture(tmp_path / "f.yaml", "f.yaml", text.encode())

    assert f"f.yaml:{place}" == caught.value.where
    assert caught.value.problem.startswith(message)


def test_unknown_keys_offer_a_close_one(tmp_path):
    """Else all there are."""
    with pytest.raises(ConfigError) as caught:
        parse_fixture(tmp_path / "f", "f", b"modul: m\ntests: []")
    assert 'did you mean "module"?' == caught.value.hint
    with pytest.raises(ConfigError) as caught:
        parse_fixture(tmp_path / "f", "f", b"zzz: m\ntests: []")
    assert "keys: module, package, transforms, params, lookback, tests" == caught.value.hint


# ------------------------------------------------------------------------ discovering


def test_fixtures_are_found_below_directories(directory, monkeypatch):
    """By their endings, sorted, without what was built, installed or hidden, each once."""
    for name in (
        *("b.smtest.yaml", "a/z.smtest.json", "a/b/c.smtest.yaml", "odd.txt", "x.yaml"),
        *("target/t.smtest.yaml", "a/node_modules/n.smtest.yaml", ".git/g.smtest.yaml"),
        ".hidden.smtest.yaml",
    ):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).touch()
    (directory / "loop").symlink_to(directory)

    def names(*paths):
        return [name for _, name in find_fixtures([directory / each for each in paths], directory)]

    assert ["b.smtest.yaml", "a/z.smtest.json", "a/b/c.smtest.yaml"] == names("")
    assert ["odd.txt", "target/t.smtest.yaml"] == names("odd.txt", "target/t.smtest.yaml")
    assert ["b.smtest.yaml"] == names("b.smtest.yaml", "./b.smtest.yaml", "loop/b.smtest.yaml")
    with pytest.raises(NotFound, match="none"):
        names("none")


# ------------------------------------------------------------------------ running


WHOLE = "{key: k, value: v, headers: [[h, x]], timestamp: 5, offset: 9}"
GAPS = "{value: a, offset: 3}, d, {value: d, offset: 9}, b"


def at(timestamp_ms):
    return f"{{value: a, timestamp: {timestamp_ms}}}"


@pytest.mark.parametrize(
    "test",
    [
        "input: [a, d, b], expect: {records: [a, b], dropped: 1}",
        "input: [a, d, b], expect: {count: 2, dropped: [1]}",
        "input: [a, x, b], expect: {records: [a, x, x, b], dropped: 0}",
        "input: [o1, a, o2], expect: {records: [o1, a], dropped: [2]}",
        "input: [], expect: {records: []}",
        "input: [null, ''], expect: {records: [null, '']}",
        f"input: [{WHOLE}], expect: {{records: [{WHOLE}]}}",
        f"input: [{GAPS}], expect: {{records: [{{offset: 3}}, {{offset: 10}}], dropped: [4, 9]}}",
        f"input: [a, a], expect: {{records: [{at(NOW_MS)}, {at(NOW_MS + 1)}]}}",
        # Further apart than one call of a module can have them.
        f"input: [{at(0)}, {at(9 * 10**12)}], expect: {{records: [{at(0)}, {at(9 * 10**12)}]}}",
        "input: [a, E1, b], expect: {records: [a], error: bad, error_offset: 1}",
        "input: [a, d, E1, b], expect: {error: {equals: bad}, dropped: [1]}",
        "input: [a, T], expect: {error: unreachable, error_offset: 1}",
        "input: [a], expect: {records: [a]}, fuel_max: 1000000, time_ms_max: 4000",
        "input: [a, E], expect: {error: bad}, fuel_max: 1000000",
    ],
)
def test_what_passes(test, directory):
    """Records, drops, errors, offsets, times and limits, as they are."""
    assert [] == problems_of(directory, test)


@pytest.mark.parametrize(
    ("test", "what", "text"),
    [
        ("input: [a]", "expect", "nothing is expected yet: --update writes what came out"),
        ("input: [a], expect: {records: [b]}", "records", "1 record expected, 1 found"),
        ("input: [a, b], expect: {records: [b, a]}", "records", "2 records expected, 2 found"),
        ("input: [a], expect: {count: 2}", "count", "2 records expected, 1 found"),
        ("input: [a, d], expect: {dropped: 0}", "dropped", "0 expected, 1 found: offset 1"),
        (
            "input: [d, a, d], expect: {dropped: [1]}",
            "dropped",
            "offset 1 expected, offsets 0, 2 found",
        ),
        (
            "input: [a, E], expect: {records: [a]}",
            "error",
            "none was expected, one found at offset 1",
        ),
        ("input: [a], expect: {error: bad}", "error", "one was expected, none found"),
        ("input: [E], expect: {error: good}", "error", "another was expected at offset 0"),
        (
            "input: [E], expect: {error: bad, error_offset: 1}",
            "error_offset",
            "1 expected, 0 found",
        ),
        ("input: [a], expect: {count: 1}, fuel_max: 1", "fuel_max", ", more than 1"),
        ("input: [E], expect: {error: bad}, fuel_max: 1", "fuel_max", ", more than 1"),
        ("input: [a], expect: {count: 1}, time_ms_max: 0.000001", "time_ms_max", " ms, more than"),
        ("input: {file: none}, expect: {count: 1}", "input", "File not found: "),
        ("input: t@0:1, expect: {count: 1}", "input", "Topic not found: t"),
        (
            "lookback: {last: 1}, history: [a], input: [a], expect: {count: 1}",
            "history",
            "no module has a look_back that it could be fed to",
        ),
    ],
)
def test_what_fails(test, what, text, directory):
    """One problem, with the key that says what was expected, and what was found."""
    ((found, found_text),) = problems_of(directory, test)

    assert what == found
    assert text in found_text


def test_parameters_reach_the_module(directory):
    """Those of the file under those of the test."""
    module = "module: params.wasm\nparams: {a: '1', b: '2'}"
    expected = bytes.fromhex("0002 000161 000131 000162 000133 00 00000000".replace(" ", ""))
    verdict = verdict_of(directory, "params: {b: '3'}, input: [x], expect: {count: 1}", module)

    assert verdict.passed
    assert verdict.outcome.records[0].value.startswith(expected)


@pytest.mark.parametrize(
    ("lookback", "fed"),
    [
        ("{last: 2}", 2),
        ("{last: 10}", 4),
        ("{last: 0}", 0),
        ("{age: 1h}", 3),
        ("{last: 2, age: 1h}", 2),
        ("{last: 3, age: 1m}", 2),
    ],
)
def test_history_is_what_look_back_asks_for(lookback, fed, directory):
    """The last so many, and no older ones; without a time, they are of now."""
    history = f"[{{value: a, timestamp: 5}}, {{value: b, timestamp: {NOW_MS - 120_000}}}, c, d]"
    test = f"lookback: {lookback}, history: {history}, input: [x], expect: {{count: 1}}"
    verdict = verdict_of(directory, test, "module: fed.wasm")

    assert ([], fed.to_bytes(4, "big")) == (
        list(verdict.problems),
        verdict.outcome.records[0].value,
    )


def test_history_is_of_now():
    """Where it has no time; records of the input follow each other by a millisecond."""
    job = Job((), GuestLimits(), history=[Record(b"a"), Record(b"b", offset=1)])
    (window,) = _asked_for(job, Lookback(2))

    assert (NOW_MS, True, 2) == (
        window.base_timestamp_ms,
        window.is_uniform,
        window.record_count,
    )


def test_an_aggregate_begins_with_initial(directory):
    """Without it, with nothing."""
    module = "module: aggregate.wasm"

    assert [] == problems_of(directory, "initial: '0', input: [a], expect: {records: [a]}", module)
    assert [] == problems_of(directory, "input: [a], expect: {records: [], dropped: 1}", module)


def test_a_chain(directory):
    """Steps have parameters and look-back of their own; .wasm is a file here, too."""
    module = "transforms:\n- {uses: puppet.wasm}\n- {uses: fed.wasm, lookback: {last: 2}}"
    test = "history: [a, b, c], input: [a], expect: {count: 1}"
    verdict = verdict_of(directory, test, module)

    assert (True, b"\0\0\0\2") == (verdict.passed, verdict.outcome.records[0].value)


def test_a_chain_in_a_file(directory):
    """It means what it means to --transforms: `uses` is the name of a module, never a path."""
    chain = "transforms:\n- {uses: regex-filter, with: {regex: a}}\n"
    (directory / "chain.yaml").write_text(chain)
    test = "input: [a, b], expect: {records: [a], dropped: 1}"

    assert [] == problems_of(directory, test, "transforms: chain.yaml")
    (directory / "chain.yaml").write_text(f"{chain}- {{uses: puppet.wasm}}\n")
    with pytest.raises(NotFound) as caught:
        Registry(lambda: None).resolve("puppet.wasm")
    ((what, text),) = problems_of(directory, test, "transforms: chain.yaml")
    assert "module" == what
    assert text.startswith(caught.value.message)


def test_a_chain_in_a_file_has_its_limit(directory):
    """A larger one would be refused by --transforms."""
    (directory / "chain.yaml").write_bytes(b"#" * (FILE_BYTES_MAX + 1))
    with pytest.raises(ConfigError, match=r"chain\.yaml: is larger"):
        fixture_of(directory, "transforms: chain.yaml\ntests: []")


def test_an_init_that_refuses(directory):
    """Needs no input; what it says itself is enough for `equals`."""
    module = "module: refuses.wasm"

    assert [] == problems_of(directory, "expect: {error: {equals: no good}}", module)
    assert [] == problems_of(directory, "expect: {error: SmartModule init error no good}", module)
    assert [("error", "another was expected")] == problems_of(
        directory, "expect: {error: fine}", module
    )
    assert [("error_offset", "0 expected, none found")] == problems_of(
        directory, "expect: {error: good, error_offset: 0}", module
    )


def test_a_budget_holds_for_what_fails(directory):
    """A trap costs what was done before it, and a look_back that refuses what it has done."""
    trap = "input: [T], expect: {error: unreachable}, fuel_max: "
    ((what, text),) = problems_of(directory, f"{trap}1")
    assert "fuel_max" == what
    cost = int(text.partition(",")[0])
    assert cost > 1
    assert [] == problems_of(directory, f"{trap}{cost}")

    refuses = wat.module(more=wat.LOOK_BACK.replace("const 0", "const -1"))
    (directory / "forgets.wasm").write_bytes(refuses)
    test = "lookback: {last: 1}, expect: {error: SmartModule look_back error}, fuel_max: 1"
    ((what, _),) = problems_of(directory, test, "module: forgets.wasm")
    assert "fuel_max" == what


def test_paths_in_messages_are_tidy(directory):
    """Without `..`, and with what a link before it leads to: it is a path to that file."""
    real = directory / "real" / "deep"
    real.mkdir(parents=True)
    (directory / "link").symlink_to(real)
    modules = {
        "module: link/../gone.wasm": "real/gone.wasm",
        "package: link/../gone": "real/gone/SmartModule.toml",
    }
    for module, path in modules.items():
        ((_, text),) = problems_of(directory, "input: [], expect: {}", module)
        assert f"{directory.resolve()}/{path}" in text
        assert ".." not in text
    ((_, text),) = problems_of(directory, "input: {file: link/../gone}, expect: {}")
    assert f"File not found: {directory.resolve()}/real/gone" == text


def test_a_module_that_is_none(directory):
    """It can be expected; else all tests of the file fail, and those of others don't."""
    assert [] == problems_of(
        directory, "expect: {error: No valid smartmodule found}", "module: broken.wasm"
    )
    ((what, text),) = problems_of(directory, "input: [], expect: {}", "module: gone.wasm")
    assert "module" == what
    assert text.endswith("gone.wasm: No such file or directory")
    ((what, text),) = problems_of(directory, "input: [], expect: {}", "module: regex-filtr")
    assert text.startswith('SmartModule regex-filtr was not found (did you mean "regex-filter"')
    ((what, text),) = problems_of(directory, "input: [], expect: {}", "package: pkg")
    assert ("module", True) == (what, "SmartModule.toml" in text)


def test_a_package(directory):
    """What was built of it last; whoever watches looks at that, or where it will be."""
    package = directory / "pkg"
    built = package / "target" / "wasm32-unknown-unknown" / "release" / "my_puppet.wasm"
    built.parent.mkdir(parents=True)
    toml = '[package]\nname = "my-puppet"\ngroup = "g"\nversion = "0.1.0"\n'
    (package / "SmartModule.toml").write_text(toml)
    fixture = fixture_of(
        directory, "package: pkg\ntests: [{name: t, input: [a], expect: {count: 1}}]"
    )

    assert built in files_of(fixture)
    ((problem,),) = [each.problems for each in verdicts_of(fixture)]
    assert "dataflare smartmodule build" in problem.text
    built.write_bytes(MODULES["puppet"])
    assert [()] == [each.problems for each in verdicts_of(fixture)]
    assert built in files_of(fixture)


def test_which_files_matter(directory):
    """The fixture, its modules, its inputs."""
    text = (
        "transforms: [{uses: puppet.wasm}, {uses: some-name}]\n"
        "tests: [{name: t, input: {file: in.csv, format: csv}}]"
    )

    (directory / "chain.yaml").write_text("transforms: [{uses: puppet.wasm}]")
    of_file = "transforms: chain.yaml\ntests: []"

    for wanted, given in (
        ({directory / "puppet.wasm", directory / "in.csv"}, text),
        ({directory / "chain.yaml"}, of_file),
    ):
        fixture = fixture_of(directory, given)
        assert {fixture.path, *wanted} == files_of(fixture)


# ------------------------------------------------------------------------ inputs


@pytest.mark.parametrize(
    ("form", "data", "records"),
    [
        ("lines", b"a\n\nb", "[a, '', b]"),
        ("lines", b"a\n", "[a]"),
        ("lines", b"", "[]"),
        ("csv", b"n,v\n1,x\n", '[{json: {n: "1", v: x}}]'),
        ("json-array", b'[{"a": 1}, 2]', "[{json: {a: 1}}, '2']"),
        (
            "records",
            b'{"key":"k","value":null,"offset":7,"headers":[["h","v"]]}\n',
            "[{key: k, value: null, headers: [[h, v]], offset: 0}]",
        ),
    ],
)
def test_input_from_a_file(form, data, records, directory):
    """As produce reads it; it lies beside the fixture, and offsets are counted from 0."""
    (directory / "in").write_bytes(data)
    test = f"input: {{file: in, format: {form}}}, expect: {{records: {records}}}"

    assert [] == problems_of(directory, test)


def test_an_input_file_that_can_not_be_read(directory):
    """The test fails, and says which line is to blame."""
    (directory / "in").write_bytes(b'{"value": 5}\n')
    ((what, text),) = problems_of(directory, "input: {file: in, format: records}")

    assert ("input", True) == (what, "in, line 1: " in text)


def test_input_from_a_topic(directory):
    """Whoever runs the tests reads it; offsets and times are those of the log."""
    topics = {"t": [Record(b"a", offset=5, timestamp_ms=7), Record(b"d", offset=6)]}
    test = "input: t@5:7, expect: {records: [{value: a, offset: 5, timestamp: 7}], dropped: [6]}"

    assert [] == problems_of(directory, test, topics=topics)


# ------------------------------------------------------------------------ the same again


def test_what_depends_on_the_call_is_not_deterministic(directory):
    """A module that makes one record a call gives more of them when it gets one at a time."""
    test = "input: [a, b], expect: {count: 1}"
    ((what, text),) = problems_of(directory, test, "module: params.wasm")

    assert ("deterministic", "a run with the records one by one gave something else") == (
        what,
        text,
    )
    assert [] == problems_of(directory, f"deterministic: false, {test}", "module: params.wasm")


def test_what_depends_on_chance_is_not_deterministic(directory):
    """Two instances with other random numbers, or another time, differ."""
    body = """
    (drop (call $random (i32.const 1038) (i32.const 8)))
    (if (i32.eqz (call $u32 (local.get $records))) (then
      (call $copy_records (i32.const 1024) (i32.const 5)) (return (i32.const 0))))
    (call $copy_records (i32.const 1028) (i32.const 20))
    (i32.const 1)
"""
    imports = (
        '(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))'
    )
    data = bytes.fromhex("00000000 00000001 1c00000000 10 0000000000000000 00 00")
    wasm = wat.module(body, kind="map", imports=imports, data=data)
    (directory / "dice.wasm").write_bytes(wasm)
    ((what, text),) = problems_of(directory, "input: [a], expect: {count: 1}", "module: dice.wasm")

    assert ("deterministic", "a second run with fresh instances gave something else") == (
        what,
        text,
    )


def test_an_array_map_knows_its_sources(directory):
    """It is given one record at a time, as it may not say which one it has taken apart."""
    (directory / "silent.wasm").write_bytes(wat.tells_params(kind="array_map"))
    test = "input: [a, b], expect: {records: [{offset: 0}, {offset: 1}], dropped: 0}"
    module = "module: silent.wasm"

    assert [] == problems_of(directory, f"deterministic: false, {test}", module)
    assert [("deterministic", "a run with all records at once gave something else")] == problems_of(
        directory, test, module
    )
    test = "input: [a, x, d, b], expect: {records: [{offset: 0}, {offset: 1}, x, {offset: 3}]"
    assert [] == problems_of(directory, f"{test}, dropped: [2]}}", "module: twice.wasm")
