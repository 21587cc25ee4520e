"""Documents: the text of their bytes, and errors with a place that editors can jump to."""

import codecs

import pytest

from dataflare_cli.errors import ConfigError
from dataflare_cli.text.yamlloader import load_yaml


@pytest.mark.parametrize(
    "data",
    [
        "a: ä",
        "a: ä".encode(),
        codecs.BOM_UTF8 + "a: ä".encode(),
        "a: ä".encode("utf-16"),
        codecs.BOM_UTF16_BE + "a: ä".encode("utf-16-be"),
    ],
)
def test_the_text_of_bytes(data):
    """UTF-8, or UTF-16 with its mark, which is what a Windows shell writes into files."""
    assert {"a": "ä"} == load_yaml(data, "f.yaml")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: [", "f.yaml:1:5: not YAML: expected the node content, but found '<stream end>'"),
        (b"a: 1\n b: 2", "f.yaml:2:3: not YAML: mapping values are not allowed here"),
        (b"a: 1\nb: 2\na: 3", "f.yaml:3:1: not YAML: a is given twice"),
        (
            b"a:\n  !x 1",
            "f.yaml:2:3: not YAML: could not determine a constructor for the tag '!x'",
        ),
        (b"\n\xc3\xa4: \x1b", "f.yaml:2:4: not YAML: the character U+001B is not allowed"),
        (b"a: \xff", "f.yaml: not YAML: no UTF-8 at byte 3"),
        (codecs.BOM_UTF16_LE + b"x", "f.yaml: not YAML: no UTF-16 at byte 2"),
        (b"[" * 5000, "f.yaml: not YAML: too many lists or mappings in each other"),
    ],
)
def test_what_is_no_yaml(data, message):
    """FILE:LINE:COLUMN, then one line, without a word of Python."""
    with pytest.raises(ConfigError) as caught:
        load_yaml(data, "f.yaml")

    assert message == str(caught.value)
