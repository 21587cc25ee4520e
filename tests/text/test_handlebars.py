"""Fluvio's templates."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.errors import UsageError
from dataflare_cli.model import Record, TimestampType
from dataflare_cli.text.handlebars import FIELDS, parse_template
from dataflare_cli.text.template import Template

RECORD = Record(
    value=b"v\xff",
    key=b"k",
    headers=((b"h", None),),
    timestamp_ms=1_672_628_645_678,
    offset=12,
    timestamp_type=TimestampType.APPEND,
)
BARE = Record(value=None)


def written(template, record=RECORD):
    return Template(parse_template(template, "topic-1")).format(record, 3)


@pytest.mark.parametrize(
    ("field", "full", "bare"),
    [
        ("key", b"k", b"null"),
        ("value", b"v\xff", b"null"),
        ("offset", b"12", b"0"),
        ("partition", b"3", b"3"),
        ("time", b"2023-01-02T03:04:05.678Z", b"NA"),
        ("topic", b"topic-1", b"topic-1"),
        ("timestamp", b"1672628645678", b"-1"),
        ("timestamp_type", b"append", b"create"),
        ("headers", b'[["h",null]]', b"[]"),
        ("key_size", b"1", b"-1"),
        ("value_size", b"2", b"-1"),
    ],
)
def test_fields(field, full, bare):
    """Each field is written in full, in any of the three kinds of braces."""
    assert full == written("{{" + field + "}}")
    assert bare == written("{{" + field + "}}", BARE)
    assert b"<" + full + full + b">" == written("<{{{ key }}}{{& key}}>".replace("key", field))


def test_all_fields_are_tested():
    """The table above has the fields there are."""
    marks = test_fields.pytestmark[0].args[1]

    assert sorted(FIELDS) == sorted(row[0] for row in marks)


def test_all_fields_but_headers_are_rendered_in_bulk():
    """Only `{{headers}}` needs Python for each record."""
    assert ["headers"] == [
        field
        for field in FIELDS
        if Template(parse_template("{{" + field + "}}", "t")).program is None
    ]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("", b""),
        ("plain } }} { \\n", b"plain } }} { \\n"),
        ("[{{key}}]: {{value}}", b"[k]: v\xff"),
        ("{{! a comment }}{{!-- with }} --}}{{key}}", b"k"),
        (r"\{{key}}", b"{{key}}"),
        (r"\\{{key}}", rb"\k"),
        ("caf\udce9", b"caf\xe9"),
        ("größe\n", "größe\n".encode()),
    ],
)
def test_what_is_around_the_fields(template, expected):
    """Comments vanish, escaped braces are braces, everything else is written as it stands."""
    assert expected == written(template)


@pytest.mark.parametrize(
    "template",
    ["{{", "{{key", "a {{key} b", "{{{key}}", "{{}}", "{{#if key}}", "{{/if}}", "{{a b}}"],
)
def test_what_can_not_be_read_is_refused(template):
    """Open braces and blocks are errors that show the template."""
    with pytest.raises(UsageError, match=re.escape(repr(template))):
        parse_template(template, "t")


def test_an_unknown_field_is_refused():
    """The error offers a close match and names the fields there are."""
    with pytest.raises(UsageError, match="unknown field 'vaule'") as caught:
        parse_template("{{key}} {{vaule}}", "t")

    assert 'did you mean "value"? ' in (caught.value.hint or "")
    assert all(field in (caught.value.hint or "") for field in FIELDS)


@given(st.lists(st.sampled_from(FIELDS) | st.text("ab }\n").map(lambda text: (text,)), max_size=6))
def test_a_template_is_the_sum_of_its_parts(pieces):
    """Invariants: fields and text come out in their order, nothing between them."""
    template = "".join(each[0] if isinstance(each, tuple) else f"{{{{{each}}}}}" for each in pieces)
    expected = [
        each[0].encode() if isinstance(each, tuple) else written("{{" + each + "}}")
        for each in pieces
    ]

    assert b"".join(expected) == written(template)
