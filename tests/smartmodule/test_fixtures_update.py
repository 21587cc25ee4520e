"""Fixtures: what differs, how it is written, and what --update makes of a file.

The modules are those of `fixture_files`.
"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflare_cli.errors import ConfigError, InitFailed
from dataflare_cli.model import Record
from dataflare_cli.smartmodule.fixtures.compare import Outcome, align, compare, said_by
from dataflare_cli.smartmodule.fixtures.expect import Equals, RecordMatcher
from dataflare_cli.smartmodule.fixtures.nodes import read_document
from dataflare_cli.smartmodule.fixtures.notation import show_json, show_record, show_text
from dataflare_cli.smartmodule.fixtures.parse import parse_fixture
from dataflare_cli.smartmodule.fixtures.update import (
    BY_HAND,
    NO_JSON,
    left_alone,
    rewrite,
    store,
)
from tests.fixture_files import fixture_of, verdict_of, verdicts_of, write_modules


@pytest.fixture
def directory(tmp_path):
    """A directory with all modules, and none else."""
    path = tmp_path / "fixtures"
    path.mkdir()
    return write_modules(path)


# ------------------------------------------------------------------------ comparing


def lines_of(directory, test):
    """Return the lines of the first difference."""
    return [
        (line.mark, line.text, line.note) for line in verdict_of(directory, test).problems[0].lines
    ]


def test_records_are_aligned(directory):
    """One that is missing, too much or other does not make the rest differ."""
    test = "input: [a, b, c, e, f], expect: {records: [a, c, {value: z, offset: 3}, f, g]}"

    assert [
        (" ", "a", ""),
        ("+", "b", ""),
        (" ", "c", ""),
        ("-", "{value: z, offset: 3}", ""),
        ("+", "{value: e, offset: 3}", "value differs from byte 0 on"),
        (" ", "f", ""),
        ("-", "g", ""),
    ] == lines_of(directory, test)


def test_an_error_is_shown_as_the_module_says_it(directory):
    """Beside what was expected of it."""
    assert [("-", "{equals: good}", ""), ("+", "bad", "")] == lines_of(
        directory, "input: [E], expect: {error: {equals: good}}"
    )
    assert [("+", "bad", "")] == lines_of(directory, "input: [E], expect: {count: 0}")


@given(
    st.lists(st.sampled_from("abc"), max_size=9),
    st.lists(st.sampled_from("abc"), max_size=9),
)
@settings(deadline=None)
def test_aligning(expected, found):
    """Invariants: both sides are there once, in order; a pair is a match only if it matches."""
    pairs = align(
        [RecordMatcher(Equals(each.encode())) for each in expected],
        [Record(each.encode()) for each in found],
    )

    assert list(range(len(expected))) == [p.expected for p in pairs if p.expected is not None]
    assert list(range(len(found))) == [p.found for p in pairs if p.found is not None]
    for pair in pairs:
        if pair.is_match:
            assert expected[pair.expected] == found[pair.found]
        elif pair.expected is not None and pair.found is not None:
            assert expected[pair.expected] != found[pair.found]
    if expected == found:
        assert all(pair.is_match for pair in pairs)


def test_many_records_are_compared_in_no_time():
    """What is the same at both ends is not looked at twice; too much between is paired in order."""
    expected = [RecordMatcher(Equals(b"%d" % number)) for number in range(3000)]
    found = [Record(b"%d" % (number + 1)) for number in range(3000)]
    pairs = align(expected, found)

    assert 3000 == len(pairs)
    assert not any(pair.is_match for pair in pairs)


def test_what_a_look_back_says():
    """Without where it was."""
    error = InitFailed("m", "odd\n\nSmartModule Lookback Error: \n    Offset: 0", stage="look_back")

    assert "odd" == said_by(error)


# ------------------------------------------------------------------------ notation


@given(st.text(max_size=12), st.booleans())
@settings(deadline=None)
def test_a_text_reads_as_itself(text, is_json):
    """Invariants: what is written is read as the same text, also in brackets."""
    shown = show_text(text, is_json=is_json)
    name = "f.json" if is_json else "f.yaml"

    assert "\n" not in shown
    assert [text, text] == read_document(name, f"[{shown}, {shown}]".encode()).plain()


@pytest.mark.parametrize(
    ("record", "named", "text"),
    [
        (Record(b"an error"), "", "an error"),
        (Record(b""), "", '""'),
        (Record(b"12"), "", '"12"'),
        (Record(b"yes"), "", "yes"),
        (Record(b"true"), "", '"true"'),
        (Record(b"a: b"), "", '"a: b"'),
        (Record(b"a, b"), "", '"a, b"'),
        (Record(b'{"a":1}'), "", "'{\"a\":1}'"),
        (Record(b'it\'s "x"'), "", 'it\'s "x"'),
        (Record(b"a\nb"), "", '"a\\nb"'),
        (Record("ä\x85".encode()), "", '"ä\\u0085"'),
        (Record(None), "", "null"),
        (Record(b"\xff"), "", "{base64: /w==}"),
        (Record(b"v", b"k"), "", "{key: k, value: v}"),
        (Record(b"v"), "key", "{key: null, value: v}"),
        (
            Record(b"v", None, ((b"h", None),), 5, 7),
            "headers timestamp offset",
            "{value: v, headers: [[h, null]], timestamp: 5, offset: 7}",
        ),
    ],
)
def test_records_are_written_short(record, named, text):
    """A text if nothing but a value matters, and without quotes if it needs none."""
    assert text == show_record(record, frozenset(named.split()), is_json=False)


# ------------------------------------------------------------------------ updating


def updated(directory, text, name="f.smtest.yaml"):
    """Return the text of a fixture after an update of what fails."""
    fixture = fixture_of(directory, text, name)
    wrong = [each for each in verdicts_of(fixture) if each.is_updatable]
    failed = {
        each.case.index: each.outcome
        for each in wrong
        if left_alone(each.case.expect, each.outcome) is None
    }
    new = rewrite(fixture, failed) if failed else text
    again = store(fixture, new)
    still_wrong = {each.case.index for each in verdicts_of(again) if each.is_updatable}
    assert {each.case.index for each in wrong} - failed.keys() == still_wrong
    return new


BEFORE = """\
# head
module: puppet.wasm   # the module

tests:
  - name: records   # one
    input: [a, b, {key: k, value: c}, x]
    expect:   # all
      records:   # of these
        - a   # first
        # before the second
        - {value: other}   # second
        - gone   # gone
        - {key: {regex: k}}   # kept
      # tail
      dropped: 7   # seven
    deterministic: true   # so it is

  - name: errors
    input: [a, E]
    expect:
      count: 5
      # last

  - {name: flow, input: [d, a], expect: {records: [z], dropped: [3]}}   # flow
  - name: no error any more
    input: [a]
    expect:
      error: bad   # bad
      error_offset: 3
      count: 1
  - name: another error
    expect: {error: {equals: x}, records: [], error_offset: 9}
    input: [a, E]
  - name: fine
    input: [a]
    expect: {records: [  a  ]}
  - name: nothing yet
    input: [a]
  - name: null yet
    expect:
    input: [d]
"""
AFTER = """\
# head
module: puppet.wasm   # the module

tests:
  - name: records   # one
    input: [a, b, {key: k, value: c}, x]
    expect:   # all
      records:   # of these
        - a   # first
        # before the second
        - b   # second
        - {key: {regex: k}}   # kept
        - x
        - x
      # tail
      dropped: 0   # seven
    deterministic: true   # so it is

  - name: errors
    input: [a, E]
    expect:
      count: 1
      error: bad
      error_offset: 1
      # last

  - {name: flow, input: [d, a], expect: {records: [a], dropped: [0]}}   # flow
  - name: no error any more
    input: [a]
    expect:
      count: 1
  - name: another error
    expect: {error: {equals: bad}, records: [a], error_offset: 1}
    input: [a, E]
  - name: fine
    input: [a]
    expect: {records: [  a  ]}
  - name: nothing yet
    input: [a]
    expect:
      records:
        - a
  - name: null yet
    expect:
      records: []
    input: [d]
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_update_leaves_everything_else(newline, directory):
    """Comments, order, quotes and what holds stay, byte for byte; then all pass."""
    before, after = (text.replace("\n", newline) for text in (BEFORE, AFTER))

    assert after == updated(directory, before)
    assert after == updated(directory, after)
    assert after == (directory / "f.smtest.yaml").read_bytes().decode()


HEAD = "module: puppet.wasm\ntests:\n"
TEST = "- name: t\n  input: "
RECORDS = "\n  expect:\n    records:"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Lists of lines that become empty, or stop being so.
        (f"{TEST}[d]{RECORDS}\n    - a\n    - b\n", f"{TEST}[d]{RECORDS} []\n"),
        (f"{TEST}[d]{RECORDS}   # c\n      - a\n", f"{TEST}[d]{RECORDS} []   # c\n"),
        (
            f"{TEST}[a, b]{RECORDS} []   # c\n    dropped: 0\n",
            f"{TEST}[a, b]{RECORDS}   # c\n      - a\n      - b\n    dropped: 0\n",
        ),
        # Brackets stay brackets.
        (
            f"{TEST}[a, b, c]\n  expect: {{records: [a, {{value: c}}]}}\n",
            f"{TEST}[a, b, c]\n  expect: {{records: [a, b, {{value: c}}]}}\n",
        ),
        (
            f"{TEST}[E]\n  expect: {{records: [a]}}\n",
            f"{TEST}[E]\n  expect: {{records: [], error: bad, error_offset: 0}}\n",
        ),
        ("- {name: t, input: [a]}\n", "- {name: t, input: [a], expect: {records: [a]}}\n"),
        # What comes from elsewhere stays there.
        (
            "- {name: t, input: [a], expect: {<<: &e {count: 5}}}\n",
            "- {name: t, input: [a], expect: {<<: &e {count: 5}, count: 1}}\n",
        ),
        # Values over several lines.
        (
            f"{TEST}[a]{RECORDS}\n    - |\n      x\n      y\n\n    - key: k\n      value: v\n",
            f"{TEST}[a]{RECORDS}\n    - a\n\n",
        ),
        (
            f"{TEST}[a, b]{RECORDS}\n    -\n      key: k\n      value: v\n    # c\n    - b\n",
            f"{TEST}[a, b]{RECORDS}\n    -\n      {{key: null, value: a}}\n    # c\n    - b\n",
        ),
        # The end of a file without a newline.
        (f"{TEST}[a]", f"{TEST}[a]{RECORDS}\n      - a"),
        (
            f"{TEST}[E]\n  expect:\n    count: 0",
            f"{TEST}[E]\n  expect:\n    count: 0\n    error: bad\n    error_offset: 0",
        ),
        (f"{TEST}[a]\n  expect:\n    error: bad", f"{TEST}[a]{RECORDS}\n      - a"),
    ],
)
def test_places_of_updates(before, after, directory):
    """Whatever the style, at whichever end."""
    assert HEAD + after == updated(directory, HEAD + before)


def test_an_update_of_json(directory):
    """It stays JSON, with a line an item where it had them."""
    before = """{
\t"module": "puppet.wasm",
\t"tests": [
\t\t{
\t\t\t"name": "t",
\t\t\t"input": ["a", "ä\\"", "E"],
\t\t\t"expect": {
\t\t\t\t"records": [
\t\t\t\t\t"a"
\t\t\t\t]
\t\t\t}
\t\t},
\t\t{"name": "u", "input": ["a"]}
\t]
}
"""
    after = """{
\t"module": "puppet.wasm",
\t"tests": [
\t\t{
\t\t\t"name": "t",
\t\t\t"input": ["a", "ä\\"", "E"],
\t\t\t"expect": {
\t\t\t\t"records": [
\t\t\t\t\t"a",
\t\t\t\t\t"ä\\""
\t\t\t\t],
\t\t\t\t"error": "bad",
\t\t\t\t"error_offset": 2
\t\t\t}
\t\t},
\t\t{"name": "u", "input": ["a"], "expect": {"records": ["a"]}}
\t]
}
"""

    assert after == updated(directory, before, "f.smtest.json")


TWO = """'{"a": [1.5, "x y", true, null], "b: c": {}}'"""
NEW = '{a: [1.5, x y, true, null], "b: c": {}}'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # A line, brackets, a part of a record, names below each other.
        (f"{RECORDS}\n    - {{json: {{a: 1}}}}  # c\n", f"{RECORDS}\n    - {{json: {NEW}}}  # c\n"),
        (
            "\n  expect: {records: [{json: {a: 1}}]}\n",
            f"\n  expect: {{records: [{{json: {NEW}}}]}}\n",
        ),
        (
            "\n  expect: {records: [{json: {a: 1}}, gone]}\n",
            f"\n  expect: {{records: [{{json: {NEW}}}]}}\n",
        ),
        (
            f"{RECORDS}\n    - {{key: null, value: {{json: 1}}, offset: 7}}\n",
            f"{RECORDS}\n    - {{key: null, value: {{json: {NEW}}}, offset: 0}}\n",
        ),
        (
            f"{RECORDS}\n    - value:\n        json:\n          a: 1\n          b: 2\n      key:\n",
            f"{RECORDS}\n    - value:\n        json: {NEW}\n      key:\n",
        ),
        (
            f"{RECORDS}\n    - json:  # so:\n        a: 1\n",
            f"{RECORDS}\n    - json:  # so:\n        {NEW}\n",
        ),
        # What holds stays, also if it is no literal.
        (
            f"{RECORDS}\n    - {{value: {{subset: {{'b: c': {{}}}}}}, key: k, offset: 5}}\n",
            f"{RECORDS}\n    - {{value: {{subset: {{'b: c': {{}}}}}}, key: null, offset: 0}}\n",
        ),
    ],
)
def test_json_stays_json(before, after, directory):
    """Only what fails is written, as the matcher has it, in the style of the file."""
    head = f"{HEAD}{TEST}[{TWO}]"

    assert head + after == updated(directory, head + before)


def test_json_in_a_file_of_json(directory):
    """Names and texts have their quotes there."""
    before = (
        '{"module": "puppet.wasm", "tests": [{"name": "t", "input": ["{\\"a\\": \\"b\\"}"],'
        ' "expect": {"records": [{"json": {"a": 1}}]}}]}'
    )
    after = before.replace('{"a": 1}', '{"a": "b"}')

    assert after == updated(directory, before, "f.smtest.json")


def test_headers_that_are_json(directory):
    """Each value for itself, where the names are the same; else all if none means more."""
    record = "{value: v, headers: [[h, '{\"a\": 1}'], [n, x]]}"
    head = f"{HEAD}{TEST}[{record}]{RECORDS}\n    - "

    assert f"{head}{{headers: [[h, {{json: {{a: 1}}}}], [n, x]]}}\n" == updated(
        directory, f"{head}{{headers: [[h, {{json: {{a: 2}}}}], [n, y]]}}\n"
    )
    # The value is an expression that holds: it stays.
    assert f"{head}{{value: {{regex: v}}, headers: [[h, '{{\"a\": 1}}'], [n, x]]}}\n" == updated(
        directory, f"{head}{{value: {{regex: v}}, headers: []}}\n"
    )
    left = f"{head}{{headers: [[n, {{regex: x}}]]}}\n"
    assert left == updated(directory, left)


@pytest.mark.parametrize(
    ("expect", "reason"),
    [
        ("{records: [{subset: {a: 2}}]}", BY_HAND),
        ("{records: [{value: {subset: {a: 2}}, key: k}], dropped: 7}", BY_HAND),
        ("{records: [{regex: '^x'}]}", BY_HAND),
        ("{records: [{schema: {type: array}}]}", BY_HAND),
        ("{records: [{key: {regex: x}}]}", BY_HAND),
        ("{records: [{key: {json: 1}}]}", NO_JSON),
        ("{records: [{headers: [[h, {regex: x}]]}]}", BY_HAND),
    ],
)
def test_what_only_a_person_can_change(expect, reason, directory):
    """A test with such a matcher stays as it is, all of it, and goes on to fail."""
    text = f"{HEAD}{TEST}['{{\"a\": 1}}']\n  expect: {expect}\n"
    (verdict,) = verdicts_of(fixture_of(directory, text))

    assert reason == left_alone(verdict.case.expect, verdict.outcome).text
    assert text == updated(directory, text)


def test_an_expression_of_an_error(directory):
    """One that fails stays; one that holds is no reason to leave the rest."""
    fails = f"{HEAD}{TEST}[E]\n  expect: {{error: {{regex: x}}, count: 5}}\n"
    holds = f"{HEAD}{TEST}[E]\n  expect: {{error: {{regex: b.d}}, count: 5}}\n"

    assert fails == updated(directory, fails)
    assert holds.replace("5", "0") == updated(directory, holds)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.just("<<"), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(json_values, st.booleans())
@settings(deadline=None)
def test_a_json_value_reads_as_itself(value, is_json):
    """Invariants: what is written for `json` is that value again, whatever its names are."""
    shown = show_json(value, is_json=is_json)
    node = read_document("f.json" if is_json else "f.yaml", f"[{shown}]".encode())

    assert [value] == node.json()


@pytest.mark.parametrize(
    ("tests", "place"),
    [
        (
            "- {name: t, input: [a], expect: &e {count: 1}}\n- {name: u, input: [], expect: *e}\n",
            "3:33",
        ),
        ("- &t {name: t, input: [a]}\n- *t\n", "3:3"),
        (
            "- {name: t, input: [x], expect: {records: [&a x, b, *a]}}\n",
            "3:44",
        ),
    ],
)
def test_what_stands_elsewhere_is_not_updated(tests, place, directory):
    """A reference may be meant for others: the error says where."""
    text = HEAD + tests
    with pytest.raises(ConfigError) as caught:
        updated(directory, text)

    assert text == (directory / "f.smtest.yaml").read_text()
    assert f"f.smtest.yaml:{place}" == caught.value.where


def test_what_would_not_be_right_is_not_written(directory):
    """Where the text is stranger than splicing can know, it stays as it is."""
    text = f"{HEAD}{TEST}[d]{RECORDS} &r\n    - a\n"
    with pytest.raises(ConfigError) as caught:
        updated(directory, text)

    assert ("f.smtest.yaml", "can't be updated in place") == (
        caught.value.where,
        caught.value.problem,
    )
    assert text == (directory / "f.smtest.yaml").read_text()


def test_chance_is_not_written_down(directory):
    """A test whose runs differ is not updated."""
    text = "module: params.wasm\ntests:\n- {name: t, input: [a, b], expect: {count: 5}}\n"

    assert text == updated(directory, text)


records = st.lists(
    st.builds(
        Record,
        value=st.none() | st.binary(max_size=4) | st.text(max_size=6).map(str.encode),
        key=st.none() | st.sampled_from([b"k", b"\xfe"]),
    ),
    max_size=5,
)


@given(records, records, st.sampled_from(["flow", "lines", "json"]), st.booleans())
@settings(deadline=None)
def test_any_records_can_be_written(expected, found, style, fails):
    """Invariants: an update expects what came out, keeps the comments, and is stable."""
    shown = [show_record(each, is_json=style == "json") for each in expected]
    flat = ", ".join(shown)
    if style == "lines" and shown:
        lines = "".join(f"\n      # c{at}\n      - {each} # d" for at, each in enumerate(shown))
        text = (
            f"module: m\ntests:\n  - name: t\n    input: []\n    expect:\n      records:{lines}\n"
        )
    elif style == "json":
        test = f'{{"name": "t", "input": [], "expect": {{"records": [{flat}]}}}}'
        text = f'{{"module": "m", "tests": [{test}]}}'
    else:
        test = f"{{name: t, input: [], expect: {{records: [{flat}]}}}}"
        text = f"module: m\ntests: [{test}] # e\n"
    name = "f.json" if style == "json" else "f.yaml"
    fixture = parse_fixture(Path(name), name, text.encode())
    error = InitFailed("m", "bad: 'news'\n\tof \"all\"") if fails else None
    outcome = Outcome(found, [], error, None, 0.0, 0, [])
    new = rewrite(fixture, {0: outcome})
    again = parse_fixture(Path(name), name, new.encode())

    assert [] == compare(again.tests[0].expect, outcome)
    assert new == rewrite(again, {0: outcome})
    if style == "flow":
        assert new.endswith("# e\n")
