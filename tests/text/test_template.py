"""Templates: what is a program, and what a terminal is spared."""

from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.codec.program import Encoding, Instruction, Op, render
from dataflare_cli.model import Record, TimestampType
from dataflare_cli.text.template import Template, headers_json, literal

RECORD = Record(
    value=b"\x1b[2Jvalue\xff",
    key=None,
    headers=((b"name", "\x9bhostile".encode()),),
    timestamp_ms=5,
    offset=7,
)

RECORDS = st.builds(
    Record,
    value=st.binary(max_size=9) | st.none(),
    key=st.binary(max_size=9) | st.none(),
    headers=st.lists(
        st.tuples(st.text(max_size=3).map(str.encode), st.binary(max_size=3) | st.none()),
        max_size=2,
    ).map(tuple),
    timestamp_ms=st.integers(-1, 2**63 - 1),
    offset=st.integers(0, 2**63 - 1),
    timestamp_type=st.sampled_from(TimestampType),
)
INSTRUCTIONS = st.builds(
    Instruction,
    op=st.sampled_from(Op),
    encoding=st.sampled_from(Encoding),
    literal=st.binary(max_size=3),
    null=st.binary(max_size=3),
)


def test_literals_are_joined():
    """Neighbouring literals become one instruction, empty ones none."""
    template = Template([literal(""), literal("a"), literal(b"\xff"), Instruction(Op.OFFSET)])

    assert (
        Instruction(Op.LITERAL, literal=b"a\xff"),
        Instruction(Op.OFFSET),
    ) == template.program
    assert b"a\xff7" == template.format(RECORD, 0)
    assert b"" == Template([]).format(RECORD, 0)


def test_a_function_makes_it_slow():
    """A template with a function has no program, and writes all its parts in order."""
    template = Template([literal("["), headers_json, literal("]"), Instruction(Op.OFFSET)])

    assert template.program is None
    assert '[[["name","\x9bhostile"]]]7'.encode() == template.format(RECORD, 0)


def test_a_terminal_is_spared_what_the_data_says():
    """On a terminal only the template's own text may act; JSON stays JSON."""
    parts = [
        literal("\x1b[1m"),
        Instruction(Op.VALUE),
        literal("\x1b[0m"),
        Instruction(Op.HEADERS_JSON),
        lambda *_: b"\x07",
    ]
    template = Template(parts, terminal=True)

    assert template.program is None
    assert (
        "\x1b[1m" + r"\x1b[2Jvalue" + "\ufffd\x1b[0m" + r',"headers":[["name","\u009bhostile"]]\x07'
    ).encode() == template.format(RECORD, 0)


def test_headers_are_an_array():
    """Without headers the array is empty."""
    assert b"[]" == headers_json(Record(value=b""), 0)


@given(st.lists(INSTRUCTIONS, max_size=6), RECORDS, st.integers(0, 9))
def test_a_program_writes_what_the_template_does(instructions, record, partition):
    """Invariants: format == render(program) == every instruction on its own, joined."""
    template = Template(instructions)
    alone = b"".join(render((each,), record, partition) for each in instructions)

    assert template.program is not None
    assert alone == render(template.program, record, partition)
    assert alone == template.format(record, partition)
