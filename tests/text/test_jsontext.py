"""JSON read and written again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.errors import DataError
from dataflare_cli.text.jsontext import compact, decode, pretty

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "-0",
        "1.0",
        "1.50",
        "-0.0",
        "1E5",
        "1e400",
        "0.1000000000000000055511151231257827",
        "18446744073709551616",
        "-9223372036854775809",
        "1" + "0" * 5000,
    ],
)
def test_numbers_stay_as_they_are_written(number):
    """No digit is added, rounded or lost, whatever the size."""
    assert number == compact(decode(number.encode()))
    assert (
        f'{{\n  "a": [\n    {number}\n  ]\n}}'
        == pretty(decode(f'{{"a":[{number}]}}'.encode())).decode()
    )


def test_pretty_json_is_sorted_and_readable():
    """Names are sorted at every level, text is not escaped, the last of equal names counts."""
    data = '{"b": [], "a": {"z": "größe", "y": {}}, "b": [1, 2]}'.encode()
    expected = '{\n  "a": {\n    "y": {},\n    "z": "größe"\n  },\n  "b": [\n    1,\n    2\n  ]\n}'

    assert expected == pretty(decode(data)).decode()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "expecting value at line 1 column 1"),
        (b"text", "expecting value at line 1 column 1"),
        (b'{"a":\n}', "expecting value at line 2 column 1"),
        (b"1 2", "extra data at line 1 column 3"),
        (b"NaN", "NaN is not JSON"),
        (b"-Infinity", "-Infinity is not JSON"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b'"\\ud800"', "half of a surrogate pair in a string"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_json_is_told(data, problem):
    """The error says what is wrong and where."""
    with pytest.raises(DataError) as caught:
        decode(data)

    assert problem == caught.value.message


@given(VALUES, st.booleans())
def test_json_round_trip(value, ascii_only):
    """Invariants: the same value after compact and after pretty; pretty is stable."""
    data = json.dumps(value, ensure_ascii=ascii_only).encode()

    assert value == json.loads(compact(decode(data)))
    assert value == json.loads(pretty(decode(data)))
    assert pretty(decode(data)) == pretty(decode(pretty(decode(data))))
