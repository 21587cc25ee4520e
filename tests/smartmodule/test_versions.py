"""Versions, and what asks for one: against a reading of the rules that tries every version."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.errors import UsageError
from dataflare_cli.smartmodule.versions import best, parse_version

NUMBERS = range(4)
ALL = {".".join(map(str, each)): each for each in itertools.product(NUMBERS, repeat=3)}

numbers = st.lists(st.integers(0, max(NUMBERS)), min_size=1, max_size=3)
signs = st.sampled_from(["", "=", "^", "~", ">", ">=", "<", "<="])
parts = st.lists(st.tuples(signs, numbers), min_size=1, max_size=3)


def takes(sign: str, wanted: list[int], version: tuple[int, ...]) -> bool:
    """Tell whether a version is taken, by the numbers that were written and no others."""
    count = len(wanted)
    begin = list(version[:count])
    match sign:
        case "" | "=":
            return begin == wanted
        case ">":
            return begin > wanted
        case ">=":
            return begin >= wanted
        case "<":
            return begin < wanted
        case "<=":
            return begin <= wanted
        case "~":
            return begin[:2] == wanted[:2] and begin >= wanted
    # ^: the first number that is not 0, and all before it, stay.
    fixed = next((place + 1 for place, each in enumerate(wanted) if each), count)
    return begin[:fixed] == wanted[:fixed] and begin >= wanted


@given(wanted=parts, stored=st.lists(st.sampled_from(sorted(ALL)), max_size=12))
def test_the_best_is_the_highest_that_all_parts_take(wanted, stored):
    """Invariants: what is chosen is taken by every part, and nothing that is taken is higher."""
    requirement = ",".join(sign + ".".join(map(str, each)) for sign, each in wanted)
    taken = [text for text in stored if all(takes(*each, ALL[text]) for each in wanted)]

    assert max(taken, key=ALL.__getitem__, default=None) == best(requirement, stored)


@pytest.mark.parametrize("sign", ["", "=", "^", "~", ">", ">=", "<", "<="])
def test_every_version_is_taken_or_not(sign):
    """One requirement, one version: all that there are of small numbers."""
    for count in (1, 2, 3):
        for wanted in itertools.product(NUMBERS[:3], repeat=count):
            requirement = sign + ".".join(map(str, wanted))
            taken = {text for text in ALL if best(requirement, [text]) is not None}
            expected = {text for text, each in ALL.items() if takes(sign, list(wanted), each)}
            assert expected == taken, requirement


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("*", "2.0.0"),
        ("0.*", "0.10.0"),
        ("0.9.x", "0.9.1"),
        ("0.X", "0.10.0"),
        ("0", "0.10.0"),
        ("v0.9", "0.9.1"),
        ("^0.9", "0.9.1"),
        ("^0", "0.10.0"),
        ("~0.9.0", "0.9.1"),
        (" >= 0.9 , < 2 ", "1.0.0"),
        (">0.9", "2.0.0"),
        ("<1", "0.10.0"),
        ("1.0.1", None),
        ("<0.9", None),
        (">2", None),
    ],
)
def test_requirements(requirement, expected):
    """Numbers count as numbers: 0.10 is above 0.9."""
    assert expected == best(requirement, ["0.9.0", "2.0.0", "0.10.0", "1.0.0", "0.9.1"])


EARLY = ["1.0.0", "1.1.0-rc.2", "1.1.0-rc.10", "1.2.0-alpha", "2.0.0-alpha"]


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("*", "1.0.0"),
        ("1", "1.0.0"),
        (">=1.0.0", "1.0.0"),
        ("1.1.0-rc.2", "1.1.0-rc.2"),
        ("^1.1.0-rc.1", "1.1.0-rc.10"),
        ("~1.1.0-rc.3", "1.1.0-rc.10"),
        (">1.1.0-rc.1,<1.1.0-rc.9", "1.1.0-rc.2"),
        ("^1.0.0-alpha", "1.0.0"),
        ("^2.0.0-alpha", "2.0.0-alpha"),
        ("1.1", None),
        ("1.1.0", None),
    ],
)
def test_a_pre_release_is_met_by_who_asks_for_one_of_its_numbers(requirement, expected):
    """^1.1.0-rc.1 means neither 1.2.0-alpha nor 2.0.0-alpha."""
    assert expected == best(requirement, EARLY)


def test_where_there_are_pre_releases_only_a_bare_name_means_the_highest():
    """A name without a version asks for `*`, and something is better than nothing."""
    assert "1.1.0-rc.10" == best("*", EARLY[1:3])
    assert None is best(">=1", EARLY[1:3])


def test_what_was_built_does_not_count():
    """Build metadata has no order; the text that was stored is given back."""
    assert "1.0.0+b" == best("1.0.0+other-build", ["1.0.0+b"])
    assert None is best(">=1.0.0+a-b", ["1.1.0-rc.1"])
    assert None is best("*", [])


@pytest.mark.parametrize(
    "requirement",
    [
        *("", " ", ",", "1,", "a", "1.2.3.4", "1.", ".1", "==1", "^^1", "1 2", "-1", "1.2-rc.1"),
        *("1.*.3", "*.2", "1.2.x-rc.1", "1.2.3-", "1.2.3-01", "latest"),
        *("\u0661", "9" * 21, "9" * 5000),
    ],
)
def test_what_is_no_requirement_is_refused(requirement):
    """With the ways to write one, whatever is stored."""
    with pytest.raises(UsageError, match="is not a version") as caught:
        best(requirement, ["1.0.0"])

    assert "0.1.0" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", "1.0.0"), ("1.2", "1.2.0"), ("1.2.3-rc.1+b7", "1.2.3-rc.1+b7"), ("0.0.0", "0.0.0")],
)
def test_a_version_with_fewer_numbers_is_filled_up(text, expected):
    """As in a SmartModule.toml that says version = "1.2"."""
    assert expected == str(parse_version(text))


@pytest.mark.parametrize("text", ["", "v1", "1.02.3", "1.2.3.4", "^1", "x", "9" * 5000])
def test_what_is_no_version_is_refused(text):
    """Also one with more digits than Python reads."""
    with pytest.raises(UsageError, match="is not a version"):
        parse_version(text)
