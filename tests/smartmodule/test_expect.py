"""Matchers: each holds for what it is meant for, and says why where it does not."""

import base64
import re
from pathlib import Path

import pytest
import yaml

from dataflare_cli.errors import ConfigError
from dataflare_cli.model import Record
from dataflare_cli.smartmodule.fixtures.expect import (
    EXPECT_KEYS,
    MATCHERS,
    Expect,
    RecordMatcher,
    read_expect,
)
from dataflare_cli.smartmodule.fixtures.nodes import read_document
from dataflare_cli.smartmodule.fixtures.parse import TEST_KEYS

HANDBOOK = Path(__file__).parents[2] / "smartmodules" / "FIXTURES.md"


def expecting(text: str, base: Path = Path()) -> Expect:
    """Return what a YAML text expects."""
    return read_expect(read_document("f.yaml", text.encode()), base, [])


def matcher(text: str, base: Path = Path()) -> RecordMatcher:
    """Return the matcher of one record."""
    (found,) = expecting(f"records: [{text}]", base).records or ()
    return found


def problem(text: str, record: Record | bytes | None) -> str | None:
    """Say why a record (or one with such a value) does not match."""
    if not isinstance(record, Record):
        record = Record(record)
    return matcher(text).problem(record)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("an error", b"an error"),
        ('""', b""),
        ("ä€", "ä€".encode()),
        ("null", None),
        ("{equals: x}", b"x"),
        ("{equals: null}", None),
        ("{equals: {base64: /w==}}", b"\xff"),
        ("{base64: /w==}", b"\xff"),
        ("{value: x}", b"x"),
        ("{value: {equals: x}}", b"x"),
        ("{json: {a: 1, b: [x, null, true]}}", b'{"b": ["x", null, true], "a": 1.0}'),
        ("{json: 2026-11-01}", b'"2026-11-01"'),
        ("{json: null}", b"null"),
        ("{subset: {a: {b: 1}}}", b'{"a": {"b": 1, "c": 2}, "d": 3}'),
        ("{subset: [{a: 1}, x]}", b'["y", "x", {"a": 1, "b": 2}]'),
        ("{subset: {}}", b'{"a": 1}'),
        ("{regex: 'b+c'}", b"abbcd"),
        ("{regex: '^.$'}", b"\xff"),
    ],
)
def test_what_matches(text, value):
    """Texts, null, bytes, JSON, a part of JSON, an expression found somewhere."""
    assert problem(text, value) is None


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("an error", b"an errors", "value differs from byte 8 on"),
        ("an error", b"a error", "value differs from byte 1 on"),
        ("x", None, "value is null"),
        ("null", b"", "value is not null"),
        ("{equals: {base64: /w==}}", b"\xfe", "value differs from byte 0 on"),
        ("{json: {a: 1}}", b'{"a": 2}', "value at $.a: 2, not 1"),
        ("{json: {a: 1}}", b'{"a": true}', "value at $.a: true, not 1"),
        ("{json: [1, 2]}", b"[1]", "value at $: 1 items, not 2"),
        ("{json: [1, {a: [x]}]}", b'[1, {"a": ["y"]}]', 'value at $[1].a[0]: "y", not "x"'),
        ("{json: {a: 1}}", b"{}", 'value at $: "a" is missing'),
        ("{json: {}}", b'{"a": 1}', 'value at $: "a" is too much'),
        ("{json: {}}", b"[]", "value at $: [], not {}"),
        ("{json: {}}", None, "value is null, not JSON"),
        ("{json: {}}", b"", "value is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("{json: {}}", b"NaN", "value is not JSON: NaN is no value"),
        ("{subset: {a: {b: 1}}}", b'{"a": {"c": 1}}', 'value at $.a: "b" is missing'),
        ("{subset: {a: 1}}", b'{"a": 2}', "value at $.a: 2, not 1"),
        ("{subset: [1, 4]}", b"[3, 1]", "value at $: no item contains 4"),
        ("{subset: {a: 1}}", b"x", "value is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("{regex: '^b'}", b"ab", "value has no match of ^b"),
        ("{regex: x}", None, "value is null"),
    ],
)
def test_what_does_not_match(text, value, expected):
    """The problem says where: a byte, a path in JSON."""
    assert expected == problem(text, value)


RECORD = Record(b"v", b"k", ((b"a", b"1"), (b"b", None)), timestamp_ms=1_700_000_000_123, offset=7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{key: k}", None),
        ("{key: {regex: .}, value: v, offset: 7}", None),
        ("{timestamp: 1700000000123}", None),
        ("{timestamp: 2023-11-14T22:13:20.123Z}", None),
        ('{timestamp: "2023-11-14T23:13:20.123+01:00"}', None),
        ("{headers: [[a, '1'], [b, null]]}", None),
        ("{headers: [[a, {regex: .}], [b, {equals: null}]]}", None),
        ("{key: x}", "key differs from byte 0 on"),
        ("{key: null}", "key is not null"),
        ("{value: w, key: k}", "value differs from byte 0 on"),
        ("{offset: 8}", "offset is 7, not 8"),
        ("{timestamp: 5}", "timestamp is 1700000000123, not 5"),
        ("{headers: []}", "headers are a, b"),
        ("{headers: [[b, null], [a, '1']]}", "headers are a, b"),
        ("{headers: [[a, '2'], [b, null]]}", "header a differs from byte 0 on"),
    ],
)
def test_what_is_named_has_to_hold(text, expected):
    """The rest of a record may be anything."""
    assert expected == problem(text, RECORD)


def test_a_text_looks_at_the_value_only():
    """Whatever key and headers are."""
    assert problem("v", RECORD) is None


@pytest.mark.parametrize(
    ("text", "holds", "does_not"),
    [
        ("bad", "SmartModule transform error bad, so", "good"),
        ("{equals: bad}", "SmartModule transform error bad", "bad apples"),
        ("{regex: '^b.d$'}", "bad", "abad"),
    ],
)
def test_errors(text, holds, does_not):
    """An error contains a text, equals it (what the module itself says, too), or matches."""
    found = expecting(f"error: {text}").error
    assert found is not None

    assert found.holds(holds, holds.removeprefix("SmartModule transform error "))
    assert not found.holds(does_not, does_not)


def test_all_of_expect():
    """Every key; what is left out is None."""
    found = expecting("{count: 3, dropped: [1, 4], error: x, error_offset: 2}")

    assert (None, 3, (1, 4), 2) == (
        found.records,
        found.count,
        found.dropped,
        found.error_offset,
    )
    assert 5 == expecting("dropped: 5").dropped
    assert () == expecting("records: []").records
    assert expecting("null").is_nothing
    assert not expecting("records: []").is_nothing


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("[]", "1:1", "is a list, not a mapping: what comes out"),
        ("record: []", "1:1", 'unknown key "record"'),
        ("{records: [], count: 1}", "1:22", "stands beside `records`, which says it already"),
        ("error_offset: 1", "1:15", "needs `error` beside it"),
        ("count: -1", "1:8", "is -1, not a number of records"),
        ("count: true", "1:8", "is true, not a number of records"),
        ("dropped: x", "1:10", "is x, not a number of records, or a list of their offsets"),
        ("records: x", "1:10", "is x, not a list of records"),
        ("records: [5]", "1:11", "is 5, not a text"),
        ("records: [[a]]", "1:11", "is a list, not a text"),
        ("records: [{val: a}]", "1:12", 'unknown key "val"'),
        ("records: [{json: 1, regex: a}]", "1:18", "`json` stands beside regex"),
        ("records: [{key: a, json: 1}]", "1:26", "`json` stands beside key"),
        ("records: [{value: {}}]", "1:19", "a matcher has one of equals, base64, json, subset"),
        ("records: [{value: {like: a}}]", "1:20", 'unknown key "like"'),
        ("records: [{regex: '('}]", "1:19", "not a regular expression: "),
        ("records: [{base64: '*'}]", "1:20", "is no base64: "),
        ("records: [{json: .nan}]", "1:18", "can't be JSON: "),
        ("records: [{json: !!binary eA==}]", "1:18", "can't be JSON: "),
        ("records: [{timestamp: noon}]", "1:23", "is noon, not a moment"),
        ("records: [{headers: [a]}]", "1:22", "is a, not a header: [name, value]"),
        ("records: [{headers: [[a]]}]", "1:22", "a header is [name, value]"),
        ("error: {}", "1:8", "has one of equals and regex"),
        ("error: null", "1:8", "is nothing, not a text that it contains"),
    ],
)
def test_what_is_malformed(text, place, message):
    """The error says where, and what was wanted there."""
    with pytest.raises(ConfigError) as caught:
        expecting(text)

    assert f"f.yaml:{place}" == caught.value.where
    assert caught.value.problem.startswith(message)


def test_close_names_are_offered():
    """An unknown key is mostly one that was misspelt."""
    with pytest.raises(ConfigError) as caught:
        expecting("eror: x")
    assert 'did you mean "error"?' == caught.value.hint
    with pytest.raises(ConfigError) as caught:
        expecting("zzz: x")
    assert "keys: records, count, dropped, error, error_offset" == caught.value.hint


# --------------------------------------------------------------------- JSON Schema


@pytest.mark.parametrize(
    "text", ["{schema: {$ref: '#/$defs/x', $defs: {x: %s}}}", "{schema: s.yaml}"]
)
def test_a_schema(text, tmp_path):
    """Given in the fixture, or as a file beside it."""
    schema = "{properties: {inner: {items: {required: [a]}}}}"
    (tmp_path / "s.yaml").write_text(schema)
    found = matcher(text.replace("%s", schema), tmp_path)

    assert found.problem(Record(b'{"inner": [{"a": 1}]}')) is None
    problem = 'value at $.inner[0]: "a" is a required property'
    assert problem == found.problem(Record(b'{"inner": [{}]}'))
    assert str(found.problem(Record(b"{"))).startswith("value is not JSON")


def test_a_schema_fetches_nothing(tmp_path):
    """A fixture of somebody else's must not make this machine talk to another one."""
    (tmp_path / "near.json").write_text("{}")
    for uri in ("http://x.example/", (tmp_path / "near.json").as_uri()):
        with pytest.raises(ConfigError, match="would have to be fetched"):
            matcher(f'{{schema: {{"$ref": "{uri}"}}}}')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{schema: [1]}", "f.yaml:1:20: not a JSON Schema: "),
        ("{schema: {type: strange}}", "f.yaml:1:20: not a JSON Schema: "),
        ("{schema: none.json}", "File not found: none.json"),
        ("{schema: bad.json}", "bad.json:1:2: not JSON: "),
    ],
)
def test_a_schema_that_is_none(text, message, tmp_path):
    """It is found out when the fixture is read."""
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ConfigError) as caught:
        matcher(text, tmp_path)

    assert message in str(caught.value)


# --------------------------------------------------------------------- documents


@pytest.mark.parametrize(
    "data",
    [
        b'{"json": {"a": [1e5, -0.5, "\\u0000\\/\\ud83d\\ude00", null]}}',
        b'{\t"json":\t{"a":[1e5,-0.5,"\\u0000/\\ud83d\\ude00",null]}}',
    ],
)
def test_json_is_read_as_json(data):
    """Where YAML 1.1 sees a text (1e5), an error (a tab) or two halves of a character."""
    node = read_document("f.json", data).fields(("json",), "")["json"]

    assert {"a": [100_000, -0.5, "\0/😀", None]} == node.json()


def test_references_and_merges():
    """Each value stands where it is referred to."""
    text = "a: &x {b: 1}\nc: {<<: *x, d: true}\ne: *x\n"
    node = read_document("f.yaml", text.encode())

    assert yaml.safe_load(text) == node.plain()
    assert ["b", "d"] == list(node.fields("acef", "")["c"].fields("bd", ""))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("f.yaml", b"", "f.yaml: is empty"),
        ("f.yaml", b"a: b: c", "f.yaml:1:5: not YAML: "),
        ("f.yaml", b"a: \xff", "f.yaml: not UTF-8 at byte 3"),
        ("f.yaml", b"a: 1\nb: \x07", "f.yaml:2:4: not YAML: the character U+0007 is not allowed"),
        ("f.yaml", b"a: 1\n---\nb: 2", "f.yaml:2:1: not YAML: "),
        ("f.yaml", b"[" * 5000, "f.yaml: not YAML: too many lists or mappings in each other"),
        ("f.json", b'{"a": 1', "f.json:1:8: not JSON: "),
        ("f.json", b'{"a": NaN}', "f.json: not JSON: NaN"),
        ("f.json", b"a: 1", "f.json:1:1: not JSON: "),
    ],
)
def test_what_is_no_document(name, data, message):
    """The error says where it ends to be one."""
    with pytest.raises(ConfigError) as caught:
        read_document(name, data)

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [*x]", "f.yaml:1:4: can't be read: found unconstructable recursive node"),
        ('a: "\\ud83d"', "f.yaml:1:4: half of a surrogate pair in a text"),
        (
            "\n".join(
                ["a: ", "  - &x0 [a, b, c, d, e, f, g, h]"]
                + [f"  - &x{n} [{', '.join([f'*x{n - 1}'] * 8)}]" for n in range(1, 9)]
            ),
            "f.yaml:2:3: can't be read: more than 1000000 values",
        ),
    ],
)
def test_values_that_can_not_be_had(text, message):
    """What contains itself, is no text, or would not fit into the memory."""
    node = read_document("f.yaml", text.encode()).fields("a", "")["a"]
    with pytest.raises(ConfigError) as caught:
        node.compact()

    assert message == str(caught.value)


def test_bytes_are_written_in_base64():
    """Those that are no text."""
    data = bytes(range(256))

    assert problem(f"{{base64: {base64.b64encode(data).decode()}}}", data) is None


# --------------------------------------------------------------------- the handbook


def table_of(head: str) -> list[str]:
    """Return the first columns of the handbook's table with a head."""
    _, found, rest = HANDBOOK.read_text().partition(f"\n{head}\n")
    assert found, f"no table begins with {head}"
    rows = rest.partition("\n\n")[0].splitlines()[1:]
    return [row.split("|")[1] for row in rows]


def test_the_handbook_has_every_matcher():
    """And none that there is not."""
    named = re.findall(r"\{(\w+):", " ".join(table_of("| matcher | holds for |")))

    assert set(MATCHERS) == set(named)


def test_the_handbook_has_every_key():
    """Of a test, and of what it expects."""
    tables = re.findall(r"\| key \| means \|\n\|---\|---\|\n((?:\|.*\n)+)", HANDBOOK.read_text())
    _, of_tests, of_expect = (re.findall(r"^\| `(\w+)", each, re.MULTILINE) for each in tables)

    assert set(TEST_KEYS) == set(of_tests)
    assert set(EXPECT_KEYS) == set(of_expect)
