"""YAML: what is a text, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.errors import ConfigError
from dataflare_cli.text.yamltext import read_yaml


def read(text: str) -> object:
    return read_yaml(f"a: {text}", "f.yaml", hint="")["a"]


@pytest.mark.parametrize(
    "text",
    [
        *("on", "off", "yes", "No", "y", "n", "truE"),
        *("2026-11-01", "2026-11-01T00:00:00Z", "1:30", "190:20:30.15"),
        *("010", "0o17", "0b11", "1_000", "1.2.3", "1e", "e5", "+", "."),
    ],
)
def test_texts(text):
    """What YAML 1.1 takes for something else, and 1.2 does not."""
    assert text == read(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("true", True), ("False", False), ("null", None), ("~", None), ("", None)),
        *(("0", 0), ("-12", -12), ("+3", 3), ("0xfF", 255)),
        *(("1e5", 1e5), ("-1.5E-3", -0.0015), (".5", 0.5), ("1.", 1.0), ("-.inf", -math.inf)),
    ],
)
def test_values(text, value):
    """The core schema's own."""
    assert (type(value), value) == (type(read(text)), read(text))


@given(st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none())
def test_json_values_are_themselves(value):
    """Invariants: numbers and the rest read as what JSON has them be."""
    text = {True: "true", False: "false", None: "null"}.get(value, repr(value))
    if isinstance(value, float) and math.isinf(value):
        text = ".inf" if value > 0 else "-.inf"

    assert value == read(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3", "a is given twice"),
        ("a: {b: 1, c: 2, b: 1}", "b is given twice"),
        ("a: [{b: 1, 'b': 2}]", "b is given twice"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        ("- a", "expected names and values"),
        ("a: [", "not YAML: "),
    ],
)
def test_what_is_refused(text, problem):
    """A name that stands twice is a mistake, of which one half would be lost silently."""
    with pytest.raises(ConfigError) as caught:
        read_yaml(text, "f.yaml", hint="")

    assert problem in caught.value.message


def test_merges_may_have_names_of_their_own():
    """Also one that the merged mapping has, and in a mapping that is merged itself."""
    text = "a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3}\nc: {<<: *b, z: 4}\nd: *b"
    found = read_yaml(text, "f.yaml", hint="")

    assert {"x": 1, "y": 3} == found["b"] == found["d"]
    assert 4 == found["c"]["z"]
