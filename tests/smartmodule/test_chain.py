"""Chains: partial results, failures, state, and what is handed on.

Invariants
- A chain over any batches gives what the reference gives record by record, however the
  records are split into batches and windows.
- In a run that stops, exactly what comes before the first failure is given.
- In a run that goes on, every record is kept, dropped, or a failure.
"""

import pytest
import wat
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import flat_run

from dataflare_cli import codec
from dataflare_cli.codec.program import Needs
from dataflare_cli.codec.smart import open_window
from dataflare_cli.errors import ModuleFailed
from dataflare_cli.model import GuestLimits, Lookback, Record
from dataflare_cli.smartmodule.chain import Chain, Step
from dataflare_cli.smartmodule.engine import LoadedModule
from dataflare_cli.stream.transform import ChainPlan, Transform

BASE_MS = 1_700_000_000_000
PUPPET = LoadedModule("puppet", wat.puppet())
OTHER = LoadedModule("other", wat.puppet(kind="map", words="Ed"))
TWICE = LoadedModule("twice", wat.puppet(kind="array_map"))
QUICK = GuestLimits(time_s=0.1, memory_bytes=50_000_000)


def record(value: str, number: int = 0) -> Record:
    return Record(
        value.encode(),
        None if number % 3 else b"k%d" % number,
        ((b"n", b"%d" % number),),
        BASE_MS + number,
    )


def run_of(values, base_offset=100, engine="kernel", batch=3):
    records = [record(value, number) for number, value in enumerate(values)]
    batches = [records[at : at + batch] for at in range(0, len(records), batch)]
    return codec.load_run(flat_run(batches, base_offset), engine=engine)


def outcome_of(values, *modules, goes_on=False, limits=QUICK, engine="kernel", **options):
    """Return (values, failures as (module, cause, offset)) of one window."""
    run = run_of(values, engine=engine)
    chain = Chain([Step(each) for each in modules], limits=limits, goes_on=goes_on, **options)
    window = open_window(run, run.start_offset, run.next_offset)
    outcome = chain.process(window)
    outputs = window.attach(outcome.raw)
    assert outputs.record_count == outcome.record_count
    failures = [(each.module, each.cause, each.offset) for each in outcome.failures]
    return [each.value.decode() for each in outputs.records()], failures


@pytest.mark.parametrize("engine", ["python", "kernel"])
def test_records_go_through_all_modules(engine):
    """What one drops, the next never sees."""
    assert (["a", "c"], []) == outcome_of(["a", "d1", "c"], PUPPET, OTHER, engine=engine)


def test_a_chain_of_nothing_keeps_everything():
    """As on Fluvio."""
    assert (["a", "d1", "E"], []) == outcome_of(["a", "d1", "E"])


def test_it_stops_at_the_first_failing_record():
    """What came before is given; the failure names module and offset."""
    expected = (["a", "b"], [("puppet", "error", 102)])

    assert expected == outcome_of(["a", "b", "E1", "c", "E2"], PUPPET)


def test_what_came_before_a_failure_goes_through_the_rest_of_the_chain():
    """Half of a chain must not pass for all of it: Fluvio would give d1 here."""
    chain = (LoadedModule("first", wat.puppet(words="E")), PUPPET)

    assert (["a"], [("first", "error", 102)]) == outcome_of(["a", "d1", "E1", "b"], *chain)


def test_the_earliest_failure_counts():
    """A later module may fail at an earlier record."""
    first = LoadedModule("first", wat.puppet(words="T"))
    second = LoadedModule("second", wat.puppet(words="E"))

    assert (["a"], [("second", "error", 101)]) == outcome_of(["a", "E", "b", "T"], first, second)


@pytest.mark.parametrize(
    ("word", "cause"), [("E", "error"), ("T", "trap"), ("L", "time"), ("B", "memory")]
)
@pytest.mark.parametrize("engine", ["python", "kernel"])
def test_every_failure_is_that_of_one_record(word, cause, engine):
    """Also where the module did not live to say which: the records before it are given."""
    values = ["a", "b", word, "c"]

    assert (["a", "b"], [("puppet", cause, 102)]) == outcome_of(values, PUPPET, engine=engine)
    expected = (["a", "b", "c"], [("puppet", cause, 102)])
    assert expected == outcome_of(values, PUPPET, goes_on=True, engine=engine)


def test_many_failures_are_passed_over():
    """In order, and nothing between them is lost."""
    values = ["E", "a", "E", "E", "b", "T", "c", "E", "d", "e"]
    kept, failures = outcome_of(values, PUPPET, goes_on=True)

    assert ["a", "b", "c", "e"] == kept
    assert [100, 102, 103, 105, 107] == [offset for _, _, offset in failures]


def test_failures_of_several_modules_come_in_the_order_of_their_records():
    """Each names its own module."""
    first = LoadedModule("first", wat.puppet(words="T"))
    kept, failures = outcome_of(["E", "T", "a", "E", "T"], first, PUPPET, goes_on=True)

    assert ["a"] == kept
    assert [("puppet", 100), ("first", 101), ("puppet", 103), ("first", 104)] == [
        (module, offset) for module, _, offset in failures
    ]


def test_equal_records_that_fail_are_told_apart():
    """The error names offset, key and value: the same text twice is two failures."""
    kept, failures = outcome_of(["E", "E", "a", "E"], PUPPET, goes_on=True)

    assert (["a"], [100, 101, 103]) == (kept, [offset for _, _, offset in failures])


def test_a_failure_reads_as_fluvios():
    """Hint, then what it is about."""
    run = run_of(["a", "E2"])
    chain = Chain([Step(PUPPET)], limits=QUICK)
    (failure,) = chain.process(open_window(run, 100, 102)).failures

    assert str(failure.error()) == (
        "SmartModule transform error bad\n\nSmartModule Info: \n    Type: Filter\n"
        "    Offset: 101\n    Key: NULL\n    Value: E2"
    )


def test_a_module_that_remembers_is_not_tried_again():
    """It would remember records twice: the run ends, also where it should go on."""
    module = LoadedModule("remembers", wat.puppet(more=wat.LOOK_BACK))
    with pytest.raises(ModuleFailed, match="one of 100 to 103") as caught:
        outcome_of(["a", "b", "T", "c"], module, goes_on=True)
    assert "it has look_back" in str(caught.value.hint)
    # What it says itself is another matter.
    assert (["a", "b"], [("remembers", "error", 101)]) == outcome_of(
        ["a", "E", "b"], module, goes_on=True
    )


def test_what_a_module_keeps_lives_from_window_to_window():
    """One instance is used for all of them."""
    run = run_of(["o1", "a", "o2", "o3", "b", "o4"])
    chain = Chain([Step(PUPPET)], limits=QUICK)
    kept = []
    for start in range(100, 106, 2):
        window = open_window(run, start, start + 2)
        kept += window.attach(chain.process(window).raw).records()

    assert [b"o1", b"a", b"b"] == [each.value for each in kept]


def test_too_many_records_out():
    """The limit is per record that went in, and named."""
    limits = GuestLimits(records_out=1)
    kept, failures = outcome_of(["a", "x", "b"], TWICE, limits=limits, goes_on=True)

    assert (["a", "b"], [("twice", "output", 101)]) == (kept, failures)


def test_too_many_bytes_out():
    """Likewise for bytes."""
    limits = GuestLimits(bytes_out=40)
    kept, failures = outcome_of(["a", "b" * 200, "c"], PUPPET, limits=limits, goes_on=True)

    assert (["a", "c"], [("puppet", "output", 101)]) == (kept, failures)


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"\0\0\0",
        b"\0\0\0\1",
        b"\0\0\0\1\x0e\0\0\x7f\0\2x\0\0\0",
        b"\0\0\0\0",
        b"\0\0\0\0\2",
        b"\0\0\0\0\1\0\5bad",
        b"\x7f\xff\xff\xff" + bytes(100),
    ],
)
def test_output_that_is_not_records(output):
    """It is the module's failure, at the record it was given."""
    module = LoadedModule("liar", wat.giving(output))

    assert ([], [("liar", "output", 100)]) == outcome_of(["a"], module)


def test_an_error_that_names_another_record():
    """A module may lie about where it failed: it is asked again, record by record."""
    elsewhere = (
        b"\0\0\0\0\1\0\3bad" + (7).to_bytes(8, "big") + b"\0\0\2z"  # offset 7, value z
    )
    module = LoadedModule("liar", wat.giving(elsewhere))
    kept, failures = outcome_of(["a", "b"], module, goes_on=True)

    assert ([], [("liar", "error", 100), ("liar", "error", 101)]) == (kept, failures)


def test_look_back_is_fed_in_order_before_the_records():
    """Modules that have it and were told to are fed; others are not."""
    asked = []
    module = LoadedModule("remembers", wat.puppet(more=wat.LOOK_BACK))
    chain = Chain(
        [Step(PUPPET, {}, Lookback(1)), Step(module), Step(module, {}, Lookback(2))],
        limits=QUICK,
    )
    chain.look_back(lambda lookback: asked.append(lookback) or [])

    assert [Lookback(2)] == asked


# ------------------------------------------------------------------- against a reference

values = st.lists(
    st.sampled_from(["a", "bb", "d", "x", "E", "", "äö", "k" * 70]), min_size=1, max_size=12
)


def expected_of(items, *, goes_on, twice):
    """Return what the puppet makes of values, told record by record."""
    kept, failed = [], []
    for offset, value in enumerate(items, 100):
        word = value[:1]
        if word == "E":
            failed.append(offset)
            if not goes_on:
                break
        elif word != "d":
            kept += [value] * (2 if word == "x" and twice else 1)
    return kept, failed


@given(
    values,
    st.booleans(),
    st.sampled_from(["filter", "map", "filter_map", "array_map"]),
    st.sampled_from(["python", "kernel"]),
    st.integers(1, 5),
    st.sampled_from([1, 2, 3, 1000]),
)
@settings(deadline=None, max_examples=150)
def test_however_records_are_split(items, goes_on, kind, engine, batch, window_records):
    """Invariants: batches, windows and engines make no difference to what a chain gives."""
    module = LoadedModule(kind, wat.puppet(kind=kind))
    plan = ChainPlan([Step(module), Step(OTHER)], QUICK, goes_on=goes_on)
    transform = Transform(plan, plan.start(), Needs())
    transform._records_max = window_records
    run = run_of(items, engine=engine, batch=batch)
    kept, failed = [], []
    for made in transform.windows(run, run.start_offset, run.next_offset):
        kept += made.outputs.records()
        failed += [failure.offset for failure in made.failures]

    assert expected_of(items, goes_on=goes_on, twice=True) == (
        [each.value.decode() for each in kept],
        failed,
    )
    stored = {each.offset: each for each in run.records()}
    for each in kept:
        assert each == stored[each.offset]
