"""kcat's and rpk's templates."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.errors import UsageError
from dataflare_cli.model import Record, TimestampType
from dataflare_cli.text.template import Template
from dataflare_cli.text.verbs import parse_verbs

MS = 1_672_628_645_678
RECORD = Record(
    value=b"value",
    key=b"\x00\x2a",
    headers=((b"a", b"1"), (b"b", None)),
    timestamp_ms=MS,
    offset=258,
    timestamp_type=TimestampType.APPEND,
)
BARE = Record(value=None)


def template_of(verbs, null=b""):
    return Template(parse_verbs(verbs, "topic-1", null=null))


@pytest.mark.parametrize(
    ("verbs", "full", "bare"),
    [
        ("%t", b"topic-1", b"topic-1"),
        ("%p", b"3", b"3"),
        ("%o", b"258", b"0"),
        ("%k", b"\x00\x2a", b""),
        ("%K", b"2", b"-1"),
        ("%v", b"value", b""),
        ("%s", b"value", b""),
        ("%V", b"5", b"-1"),
        ("%S", b"5", b"-1"),
        ("%T", b"1672628645678", b"-1"),
        ("%d", b"1672628645678", b"-1"),
        ("%H", b"2", b"0"),
        ("%v{hex}", b"76616c7565", b""),
        ("%v{base64}", b"dmFsdWU=", b""),
        ("%v{json}", b'"value"', b"null"),
        ("%v{}", b"value", b""),
        ("%t{hex}", b"746f7069632d31", b"746f7069632d31"),
        ("%t{base64raw}", b"dG9waWMtMQ", b"dG9waWMtMQ"),
        ("%o{ascii} %o{number}", b"258 258", b"0 0"),
        ("%% %{%}", b"% {}", b"% {}"),
        (r"\n\t\r\0\\\x41\xfF\%\{", b"\n\t\r\0\\A\xff%{", b"\n\t\r\0\\A\xff%{"),
        ('{"v": %V}', b'{"v": 5}', b'{"v": -1}'),
        ("%k%s%%%o}", b"\x00\x2avalue%258}", b"%0}"),
    ],
)
def test_verbs_for_the_codec(verbs, full, bare):
    """These are rendered in bulk; a null is nothing, and its length -1."""
    template = template_of(verbs)

    assert template.program is not None
    assert full == template.format(RECORD, 3)
    assert bare == template.format(BARE, 3)


@pytest.mark.parametrize(
    ("verbs", "full", "bare"),
    [
        ("%R", b"\0\0\0\x05", b"\xff\xff\xff\xff"),
        ("%h", b"a=1,b=", b""),
        ("%h{ %k=%v }", b" a=1  b= ", b""),
        ("%h{%K:%V;}", b"1:1;1:-1;", b""),
        ('[%h{{"%k":%v{json}}%}}]', b'[{"a":"1"}}{"b":null}}]', b"[]"),
        (r"%h{\{%v{hex}\n}", b"{31\n{\n", b""),
        ("%v{base64raw}", b"dmFsdWU", b""),
        ("%k{unpack[>h]}", b"42", b""),
        ("%k{unpack{{<H$}}}", b"10752", b""),
        ("%k{unpack##bB##}", b"042", b""),
        ("%o{hex}", b"102", b"0"),
        ("%o{hex4}%o{hex8}%o{hex16}", b"2020102", b"0000000"),
        ("%o{big16}%o{little32}%o{byte}", b"\1\2\2\1\0\0\2", b"\0" * 7),
        ("%V{hex64} %p{bool} %H{bool}", b"0000000000000005 true true", b"f" * 16 + b" true false"),
        (
            "%T{hex} %d{big64}",
            b"%x " % MS + MS.to_bytes(8, "big"),
            b"f" * 16 + b" " + b"\xff" * 8,
        ),
        ("%d{strftime[%F %T]}", b"2023-01-02 03:04:05", b"NA"),
        ("%T{go[2006-01-02T15:04:05.000Z07:00]}", b"2023-01-02T03:04:05.678Z", b"NA"),
        ("%a{timestamp-type}%a{timestamp-type;hex8}", b"101", b"000"),
        ("%i %i{hex8}", b"1 01", b"2 02"),
    ],
)
def test_verbs_for_python(verbs, full, bare):
    """These need Python for each record."""
    template = template_of(verbs)

    assert template.program is None
    assert full == template.format(RECORD, 3)
    assert bare == template.format(BARE, 3)


def test_a_null_may_be_shown():
    """A null is written as asked; a length is still -1 and JSON still null."""
    template = template_of("%k %v{hex} %v{unpack[s]} %V %v{json} %h", b"NULL")

    assert b"NULL NULL NULL -1 null " == template.format(BARE, 0)
    assert b"a=1,b=NULL" == template_of("%h", b"NULL").format(RECORD, 0)


@pytest.mark.parametrize(
    ("verbs", "problem"),
    [
        ("%", "a letter behind %"),
        ("%q", "%q is not a verb"),
        ("%ö", "%ö is not a verb"),
        ("%e", "the leader epoch is not kept"),
        ("%[", "the partition's start"),
        ("%a", "timestamp-type"),
        ("%a{compression}", "timestamp-type"),
        ("%v{big16}", "{big16} can't be used for a text: hex, "),
        ("%v{unpack}", "can't be used for a text"),
        ("%v{unpack[z]}", "unpack: 'z'"),
        ("%v{unpack[s<b]}", "nothing may follow s"),
        ("%v{unpack[b}", "[ is not closed by ]"),
        ("%v{hex", "} behind a modifier"),
        ("%v{hex[x]y", "a modifier is not closed"),
        ("%o{hex5}", "{hex5} can't be used for a number: ascii, "),
        ("%o{hex[1]}", "can't be used for a number"),
        ("%o{ascii[1]}", "can't be used for a number"),
        ("%o{[1]}", "can't be used for a number"),
        ("%R{hex}", "%R takes no modifier"),
        ("%v{[1]}", "can't be used for a text"),
        ("%d{strftime}", "needs a layout, as in {strftime[…]}"),
        ("%d{go}", "needs a layout, as in {go[…]}"),
        ("%h{%k", "%h{ is not closed by }"),
        ("%h{%o}", "%o can't be used in %h"),
        ("%h{%h{%k}}", "%h can't be used in %h"),
        ("\\", "a character behind \\"),
        (r"\x4", "two hexadecimal digits"),
        (r"\q", r"\q is not an escape"),
    ],
)
def test_what_can_not_be_read_is_refused(verbs, problem):
    """The error says what is wrong, where, and which verbs there are."""
    with pytest.raises(UsageError, match=re.escape(problem)) as caught:
        parse_verbs(verbs, "t")

    assert "(character " in caught.value.message
    assert "%h" in (caught.value.hint or "")


@given(st.binary(max_size=30))
def test_escapes_can_write_any_bytes(data):
    r"""Invariants: \xNN for every byte writes exactly these bytes, in bulk."""
    template = template_of("".join(f"\\x{byte:02x}" for byte in data))

    assert template.program is not None
    assert data == template.format(BARE, 0)


@given(st.text())
def test_anything_is_read_or_refused(verbs):
    """Invariants: any text is a template or a UsageError, never another error."""
    try:
        template = template_of(verbs)
    except UsageError:
        return
    assert isinstance(template.format(RECORD, 0), bytes)


@given(st.lists(st.sampled_from(["%k", "%v{hex}", "%h{%k}", r"\n", "text", "%R", "%d{go[15]}"])))
def test_a_template_is_the_sum_of_its_parts(pieces):
    """Invariants: verbs and text come out in their order, nothing between them."""
    alone = [template_of(each).format(RECORD, 3) for each in pieces]

    assert b"".join(alone) == template_of("".join(pieces)).format(RECORD, 3)
