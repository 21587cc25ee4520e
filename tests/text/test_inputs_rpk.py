"""rpk's and kcl's JSON, as their sources write it."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import cuts, imported, records, run_importer

from dataflare_cli.model import Record
from dataflare_cli.text.inputs import BadInput

# The shapes of rpk's and kcl's own writers.
PRETTY = b"""{
  "topic": "t",
  "key": "k",
  "value": "{\\"a\\":\\u003c1}",
  "headers": [
    {
      "key": "h",
      "value": "1"
    },
    {
      "key": "h",
      "value": ""
    }
  ],
  "timestamp": 1700000000000,
  "partition": 3,
  "offset": 7
}
{
  "topic": "t",
  "timestamp": 1700000000001,
  "partition": 3,
  "offset": 8
}
"""


def kcl_content(name: str, content: bytes | None) -> dict[str, object]:
    """Return the fields of one key, value or header value: text, null, or base64."""
    if content is None:
        return {name: None}
    try:
        return {name: content.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(content).decode()}


@given(
    written=st.lists(st.tuples(records, st.integers(0, 2**31 - 1)), max_size=4),
    indent=st.sampled_from([None, 2]),
    sizes=cuts,
)
def test_what_kcl_writes_is_read_back(written, indent, sizes):
    """Invariants: bytes, null and empty are exact; objects may be on one line or many."""
    lines = []
    for record, partition in written:
        shown = {"topic": "t", "partition": partition, "offset": record.offset}
        shown |= {"timestamp": record.timestamp_ms, "leader_epoch": 0}
        shown |= kcl_content("key", record.key) | kcl_content("value", record.value)
        if record.headers:
            shown["headers"] = [
                {"key": name.decode()} | kcl_content("value", value)
                for name, value in record.headers
            ]
        lines.append(json.dumps(shown, indent=indent, ensure_ascii=False))
    items = run_importer("rpk", "\n".join(lines).encode(), sizes)
    assert [
        Record(r.value, r.key, r.headers, r.timestamp_ms, r.offset) for r, _ in written
    ] == imported(items)
    assert [partition for _, partition in written] == [each.partition for each in items]


@pytest.mark.parametrize("sizes", [(), [1] * 400, [150, 90]])
def test_rpk_leaves_out_what_is_null(sizes):
    """Its objects span lines; Go escapes `<`; a tombstone has no value."""
    items = run_importer("rpk", PRETTY, sizes)
    headers = ((b"h", b"1"), (b"h", b""))
    assert [
        Record(b'{"a":<1}', b"k", headers, 1_700_000_000_000, 7),
        Record(None, None, (), 1_700_000_000_001, 8),
    ] == imported(items)
    assert [(1, 3), (19, 3)] == [(each.line, each.partition) for each in items]


def test_decoded_values_stay_json():
    """With a schema registry, kcl embeds what it has decoded."""
    data = b'{"topic":"t","partition":0,"offset":0,"key":5,"value":{"a": [1, 2.50]}}'
    assert [Record(b'{"a":[1,2.50]}', b"5")] == imported(run_importer("rpk", data))


@pytest.mark.parametrize(
    ("text", "problem"),
    {
        b'{"a":1}': "missing required field `topic`",
        b'{"topic":"t","partition":0,"offset":0,"timestamp":0,"value_size":5}': "--meta-only",
        b'{"topic":"t","partition":0,"offset":0,"value_base64":"x"}': "Invalid base64",
        b'{"topic":"t","partition":0,"offset":0,"headers":[["a","b"]]}': "`$.headers[0]`",
        b'{"topic":"t","partition":-1,"offset":0}': "`$.partition`",
        b'{"topic":"t",]': "",
        b"ERR: topic t partition 0: {": "expected a JSON object",
        b"[1]": "expected a JSON object",
    }.items(),
)
def test_what_is_no_record_is_told_and_the_next_is_read(text, problem):
    """Any other JSON must not become a record of nulls."""
    good = b'{"topic":"t","partition":0,"offset":0,"value":"v"}'
    *bad, item = run_importer("rpk", text + b"\n" + good)
    assert Record(b"v") == item.record
    assert 2 == item.line
    assert [1] == [each.line for each in bad]
    assert isinstance(bad[0], BadInput)
    assert problem in bad[0].problem


def test_an_object_that_is_never_closed_is_told():
    """Such as the last one of a killed process."""
    first, last = run_importer("rpk", PRETTY[:-4])
    assert 1 == first.line
    assert BadInput(19, "the object that begins here is never closed") == last
    assert [BadInput(1, "expected a JSON object")] == run_importer("rpk", b"\xef")
