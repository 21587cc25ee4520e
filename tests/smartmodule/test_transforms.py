"""Transforms: YAML, and JSON a step at a time, as people write them."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.errors import ConfigError, UsageError
from dataflare_cli.model import LOOKBACK_LAST_MAX, Lookback
from dataflare_cli.smartmodule.transforms import (
    STEPS_MAX,
    Origin,
    StepSpec,
    parse_transform_line,
    parse_transforms,
)

EXAMPLE = b"""\
transforms:
  - uses: infinyon/jolt@0.4.1
    lookback: { last: 1, age: 1w }
    with:
      key: text
      spec:
        - operation: shift
          spec: { "b": [1, 2.5, true, null], "a": "\xc3\xa4" }
  - uses: regex-filter
    with:
      regex: '"'
  - uses: last
"""

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=10)
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
parameters = st.one_of(
    texts, st.lists(documents, max_size=3), st.dictionaries(texts, documents, max_size=3)
)
lookbacks = st.fixed_dictionaries(
    {}, optional={"last": st.integers(0, LOOKBACK_LAST_MAX), "age": st.sampled_from(["1w", "5ms"])}
)
steps = st.fixed_dictionaries(
    {"uses": texts.filter(bool)},
    optional={"with": st.dictionaries(texts, parameters, max_size=3), "lookback": lookbacks},
)


def refusal_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_transforms(text.encode(), "chain.yaml")
    assert 2 == caught.value.exit_code
    return str(caught.value)


def of_step(more: str) -> str:
    """Return what is wrong with the one step of a file."""
    text = refusal_of(f"transforms:\n- uses: a\n  {more}")
    assert text.startswith("chain.yaml: step 1: ")
    return text.removeprefix("chain.yaml: step 1: ")


def test_a_file_in_fluvios_format():
    """Texts as they are; lists and mappings as compact JSON, names sorted."""
    assert [
        StepSpec(
            "infinyon/jolt@0.4.1",
            {
                "key": "text",
                "spec": '[{"operation":"shift","spec":{"a":"ä","b":[1,2.5,true,null]}}]',
            },
            Lookback(1, 7 * 24 * 3600 * 1000),
        ),
        StepSpec("regex-filter", {"regex": '"'}),
        StepSpec("last", {}),
    ] == parse_transforms(EXAMPLE, "chain.yaml")


@given(steps)
def test_yaml_and_json_of_a_step_agree(step):
    """Invariants: the same step means the same in both; lists and mappings survive as JSON."""
    line = parse_transform_line(json.dumps(step))
    document = yaml.safe_dump({"transforms": [step, step]}, allow_unicode=True).encode()

    assert [line, line] == parse_transforms(document, "chain.yaml")
    assert Origin.REGISTRY is line.origin
    for name, value in step.get("with", {}).items():
        found = line.params[name]
        assert value == (found if isinstance(value, str) else json.loads(found))


@given(documents)
def test_a_parameter_reads_the_same_however_its_names_were_ordered(document):
    """Invariants: a mapping's text depends on what is in it, not on the order it was written in."""
    there = {"a": document, "b": 1, "c": {"y": document, "x": document}}
    back = {"c": {"x": document, "y": document}, "b": 1, "a": document}
    first, second = (
        parse_transform_line(json.dumps({"uses": "m", "with": {"spec": each}}))
        for each in (there, back)
    )

    assert first == second


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("with: {a: 1}", "the parameter 'a' is 1, not a text, a list or a mapping"),
        ("with: {a: true}", "the parameter 'a' is true, not a text"),
        ("with: {a: }", "the parameter 'a' is null, not a text"),
        ("with: {1: a}", "the parameter's name 1 is not a text"),
        ("with: [a]", "`with` is not a mapping of parameters"),
        ("with: {a: [!!binary aGk=]}", "the parameter 'a' can't be JSON: Object of type bytes"),
        ("with: {a: [.nan]}", "the parameter 'a' can't be JSON: Out of range float"),
        ("with: {a: {b: -.inf}}", "the parameter 'a' can't be JSON: Out of range float"),
        ("with: {a: {1: b, x: c}}", "the parameter 'a' can't be JSON"),
        ("with: {a: &a [*a]}", "the parameter 'a' can't be JSON: Circular reference"),
        ('with: {a: "\\ud800"}', "the parameter 'a' has half of a surrogate pair in it"),
        ('with: {a: ["\\ud800"]}', "the parameter 'a' has half of a surrogate pair in it"),
        ('with: {"\\ud800": a}', "the parameter's name '\\ud800' has half of a surrogate pair"),
        ("lookback: 1", "`lookback` has `last` (a number) and `age` (a duration)"),
        ("lookback: {first: 1}", "`lookback` has `last` (a number) and `age` (a duration)"),
        ("lookback: {last: -1}", "`lookback.last` is -1, not 0 to 4294967295"),
        ("lookback: {last: 4294967296}", "`lookback.last` is 4294967296, not 0 to 4294967295"),
        ("lookback: {last: true}", "`lookback.last` is True"),
        ("lookback: {last: 1.0}", "`lookback.last` is 1.0"),
        ("lookback: {last: '1'}", "`lookback.last` is '1'"),
        ("lookback: {age: 5}", "`lookback.age`: Invalid argument: not a duration: '5'"),
        ("lookback: {age: -1s}", "`lookback.age`: Invalid argument: not a duration: '-1s'"),
        ("lookback: {age: [1s]}", "`lookback.age`: Invalid argument: not a duration"),
        ("when: always", "unknown key 'when'"),
    ],
)
def test_a_step_that_makes_no_sense(more, problem):
    """Its number and what is wrong with it; YAML would not say which text a number was."""
    assert of_step(more).startswith(problem)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("7", 'write quotes around it: limit: "7"'),
        ("1.5", 'write quotes around it: limit: "1.5"'),
        ("true", 'write quotes around it: limit: "true"'),
        ("False", 'write quotes around it: limit: "false"'),
        ("null", 'leave it out, or write limit: "" if it is to be empty'),
        ("!!binary aGk=", None),
    ],
)
def test_what_is_no_text_is_answered_with_what_to_write(value, hint):
    """The next step is one that can be copied, and that a module understands."""
    with pytest.raises(ConfigError) as caught:
        parse_transforms(f"transforms:\n- uses: a\n  with: {{limit: {value}}}".encode(), "c.yaml")

    assert hint == caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "transforms:\n- uses: a\n  with: {a: 1",
            "chain.yaml:3:14: not YAML: expected ',' or '}', but got '<stream end>'",
        ),
        (
            "transforms:\n- uses: a\n  uses: b",
            "chain.yaml:3:3: not YAML: uses is given twice",
        ),
        (
            "transforms:\n- uses: \x07",
            "chain.yaml:2:9: not YAML: the character U+0007 is not allowed",
        ),
    ],
)
def test_what_is_no_yaml_has_its_place(text, message):
    """In the one form that editors can jump to, on one line."""
    assert message == refusal_of(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected names and values"),
        ("- uses: a", "expected names and values"),
        ("transforms: []", "`transforms` is not a list of steps"),
        ("transforms: {uses: a}", "`transforms` is not a list of steps"),
        ("transforms:", "`transforms` is not a list of steps"),
        ("transforms:\n- uses: a\ntopic: t", "unknown key 'topic'"),
        ("transforms:\n- uses: a\n- with: {}", "step 2: `uses` is missing"),
        ("transforms:\n- uses: ''", "step 1: `uses` is missing"),
        ("transforms:\n- uses: 1", "step 1: `uses` is missing"),
        ("transforms:\n- a", "step 1: `uses` is missing"),
        ('transforms:\n- uses: "\\udfff"', "step 1: `uses` has half of a surrogate pair"),
        ("transforms: " + "[" * 3000, "not YAML"),
    ],
)
def test_a_file_that_makes_no_sense(text, problem):
    """Said with the file's name, before any module is looked for."""
    assert refusal_of(text).startswith(f"chain.yaml: {problem}")


def test_a_chain_has_a_limit():
    """Each step is a memory of its own."""
    step = "- uses: a\n"

    assert STEPS_MAX == len(parse_transforms(b"transforms:\n" + STEPS_MAX * step.encode(), "f"))
    assert "65 steps: a chain has 64 at most" in refusal_of("transforms:\n" + 65 * step)


def test_a_few_lines_that_stand_for_gigabytes():
    """Refused as soon as it is more than a parameter may have."""
    lines = ["transforms:", "- uses: a", "  with:", "    spec:", "    - &a0 [x, x, x, x, x]"]
    lines += [f"    - &a{n} [{', '.join([f'*a{n - 1}'] * 20)}]" for n in range(1, 12)]

    assert "the parameter 'spec' can't be JSON: it is longer than the 32767 bytes" in (
        refusal_of("\n".join(lines))
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "Expecting value"),
        ("regex-filter", "Expecting value"),
        ("[]", "`uses` is missing"),
        ('{"uses": "a"} x', "Extra data"),
        ('{"with": {}}', "`uses` is missing"),
        ('{"uses": "a", "with": {"n": 1}}', "the parameter 'n' is 1, not a text"),
        ('{"uses": "a", "with": {"n": [NaN]}}', "the parameter 'n' can't be JSON"),
        ('{"uses": "a", "with": {"n": "\\ud800"}}', "the parameter 'n' has half of a surrogate"),
        ('{"uses": "a", "lookback": {"age": "soon"}}', "`lookback.age`: Invalid argument"),
        ('{"uses": "a", "else": 1}', "unknown key 'else'"),
        ("[" * 100_000, "maximum recursion depth exceeded"),
        ('{"uses": "a", "with": {"n": [' + "9" * 5000 + "]}}", "Exceeds the limit"),
    ],
)
def test_a_line_that_makes_no_sense(line, problem):
    """Fluvio's words, then ours."""
    with pytest.raises(UsageError) as caught:
        parse_transform_line(line)

    words = "Invalid argument: unable to parse `transform` argument: "
    assert str(caught.value).startswith(words + problem)


def test_bytes_that_are_not_utf8_reach_the_module():
    """The shell hands them over as surrogates, which go out as the bytes they were."""
    line = b'{"uses": "a", "with": {"key": "\xff"}}'.decode("utf-8", "surrogateescape")

    assert {"key": "\udcff"} == parse_transform_line(line).params
