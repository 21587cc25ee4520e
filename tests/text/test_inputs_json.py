"""JSON arrays: element by element, whatever their layout."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import cuts, imported, run_importer

from dataflare_cli.text.inputs import BadInput, Imported, make_importer

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    arrays=st.lists(st.lists(values, max_size=4), max_size=3),
    indent=st.sampled_from([None, 0, 1, 2]),
    ascii_only=st.booleans(),
    sizes=cuts,
)
def test_each_element_is_a_record(arrays, indent, ascii_only, sizes):
    """Invariants: any layout, several arrays in a row; values are the elements' compact JSON."""
    data = "\n".join(json.dumps(a, indent=indent, ensure_ascii=ascii_only) for a in arrays)
    records = imported(run_importer("json-array", data.encode(), sizes))
    expected = [
        json.dumps(each, separators=(",", ":"), ensure_ascii=ascii_only).encode()
        for array in arrays
        for each in array
    ]
    assert expected == [each.value for each in records]
    assert all(each.key is None and each.headers == () for each in records)


def test_numbers_and_escapes_stay_as_they_were():
    """Nothing is decoded on the way, so nothing is rounded or respelt."""
    data = b'[ 1.50e3 , 12345678901234567890123,"\\u00e9" , {"a" : [ 1 , -0 ] } ]'
    assert [b"1.50e3", b"12345678901234567890123", b'"\\u00e9"', b'{"a":[1,-0]}'] == [
        each.value for each in imported(run_importer("json-array", data))
    ]


def test_brackets_and_quotes_inside_strings_are_text():
    """Only what is outside of strings ends an element."""
    elements = ['"]"', '"a,b"', '"\\\\"', '"\\""', '"\\\\\\"["', '{"}":"{"}']
    data = ("[" + ",".join(elements) + "]").encode()
    for sizes in ((), [1] * len(data)):
        records = imported(run_importer("json-array", data, sizes))
        assert elements == [each.value.decode() for each in records]


def test_lines_are_those_on_which_elements_begin():
    """Also for elements of many lines."""
    data = b'\n[\n\n1,\n{\n"a":\n2\n}\n, 3,4]\n[5\n]'
    items = run_importer("json-array", data)
    assert [4, 5, 9, 9, 10] == [each.line for each in items]
    assert [b"1", b'{"a":2}', b"3", b"4", b"5"] == [each.record.value for each in items]


def test_a_null_value_is_null_when_asked_for():
    """Without being asked, the JSON null is four letters like any other value."""
    assert [b"null", b'"x"'] == [
        e.value for e in imported(run_importer("json-array", b'[null,"x"]'))
    ]
    records = imported(run_importer("json-array", b'[null,"x"]', null_value=b"null"))
    assert [None, b'"x"'] == [each.value for each in records]


@pytest.mark.parametrize(
    ("data", "expected"),
    {
        b"[1,tru,2]": ([b"1", b"2"], [(1, "truncated")]),
        b"[1,\n2 3,\n4]": ([b"1", b"4"], [(2, "trailing characters")]),
        b'[{"a":1}\n{"b":2},3]': ([b"3"], [(1, "trailing characters")]),
        b"[1,\n]": ([b"1"], [(2, "missing")]),
        b"[,\n1,,2]": ([b"1", b"2"], [(1, "missing"), (2, "missing")]),
        b"[1}, 2]": ([b"2"], [(1, "trailing characters")]),
        b'[{"a": ]}, 2]': ([b"2"], [(1, "malformed")]),
        b'["\xff",1]': ([b"1"], [(1, "not UTF-8")]),
        b'["\\ud800",1]': ([b"1"], [(1, "truncated")]),
        b"[" + b"[" * 9999 + b"]" * 9999 + b",1]": ([b"1"], [(1, "nested too deeply")]),
        # Not closed: whole elements are kept.
        b"[": ([], [(1, "never closed")]),
        b"[1,\n": ([b"1"], [(1, "never closed")]),
        b'\n[1,\n{"a":1}\n': ([b"1", b'{"a":1}'], [(2, "never closed")]),
        b'[1,\n"a"': ([b"1", b'"a"'], [(1, "never closed")]),
        b"[1,\n23": ([b"1"], [(2, "ends inside")]),
        b'[1,\n{"a":1': ([b"1"], [(2, "ends inside")]),
        b'[1,\n"a\\"': ([b"1"], [(2, "ends inside")]),
        b'[1,\n"': ([b"1"], [(2, "ends inside")]),
        # Not an array.
        b'\n {"a":1}': ([], [(2, "not a JSON array")]),
        b"[1]\n]\n[2]": ([b"1"], [(2, "not a JSON array")]),
        b"\xef\xbb": ([], [(1, "not a JSON array")]),
    }.items(),
    ids=lambda each: repr(each)[:40],
)
def test_what_is_not_json_is_told_and_the_rest_is_read(data, expected):
    """The next comma or bracket begins anew; a text that is no array at all is not followed."""
    good, bad = expected
    items = run_importer("json-array", data)
    found = [each for each in items if isinstance(each, BadInput)]
    assert good == [each.record.value for each in items if isinstance(each, Imported)]
    assert [line for line, _ in bad] == [each.line for each in found]
    for (_, problem), each in zip(bad, found, strict=True):
        assert problem in each.problem


def test_an_importer_that_is_lost_says_so():
    """The caller may stop reading; more input has no effect."""
    importer = make_importer("json-array")
    assert not importer.broken
    assert 1 == len(list(importer.feed(b'{"a":1}')))
    assert importer.broken
    assert [] == [*importer.feed(b"[1]"), *importer.finish()]


def test_an_element_above_the_limit_is_skipped_to_its_end():
    """Its brackets are still counted, so the next element is found."""
    big = b'{"a":["' + b"],}" * 400_000 + b'"]}'
    data = b"[1,\n" + big + b",\n2]"
    for sizes in ((), [10_000] * 200):
        first, bad, second = run_importer("json-array", data, sizes, record_bytes_max=100)
        assert (b"1", b"2") == (first.record.value, second.record.value)
        assert 2 == bad.line
        assert "longer than" in bad.problem
