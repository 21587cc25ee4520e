"""Records that SmartModules fail at: which one it was, what becomes of it, and what is told."""

import json
import re
import select
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
import wat
from hypothesis import assume, given
from hypothesis import strategies as st

from dataflare_cli.stream import stage
from tests.harness import run, start_process

WAIT_S = 60
MODULES = {
    "puppet": wat.puppet(),
    "map": wat.puppet(kind="map", words="E"),
    "stateless": wat.with_metadata(wat.puppet(words="TLBEdx"), {"stateless": True}),
    # An SDK's array_map: it does not say which record an output was made of.
    "forgetful": wat.puppet(kind="array_map", words="x", forgets=True),
    "loop": wat.module("(loop $ever (br $ever)) (i32.const 0)"),
}
CHAIN = ("--transforms-line", '{"uses":"forgetful"}', "--transforms-line", '{"uses":"map"}')


@pytest.fixture
def stored(data_dir: Path, tmp_path: Path) -> Path:
    """A directory with modules as files, which are stored, too."""
    for name, wasm in MODULES.items():
        (tmp_path / f"{name}.wasm").write_bytes(wasm)
        created = run("smartmodule", "create", name, "--wasm-file", tmp_path / f"{name}.wasm")
        assert 0 == created.code, created.stderr
    return tmp_path


def records(topic: str) -> list[dict]:
    result = run("consume", topic, "-B", "-d", "-O", "records")
    assert 0 == result.code, result.stderr
    return [json.loads(line) for line in result.lines]


def headers(record: dict) -> dict:
    return dict(record["headers"])


# -------------------------------------------------------------------- which one it was


@pytest.mark.parametrize("command", ["transform", "produce", "consume"])
def test_the_record_behind_a_module_that_names_none(command, stored):
    """The dead letter is the record that failed, though its module saw an output of another."""
    values = ["a", "b", "E1", "c", "E2", "d"]
    stdin = "".join(f"{value}\n" for value in values).encode()
    options = (*CHAIN, "--on-error", "dead-letter=failed")
    if command == "transform":
        result = run("transform", *options, stdin=stdin)
    elif command == "produce":
        result = run("produce", "t", "--create", *options, stdin=stdin)
        assert ["a", "b", "c", "d"] == [each["value"] for each in records("t")]
    else:
        run("produce", "t", "--create", stdin=stdin)
        result = run("consume", "t", "-B", "-d", *options)

    assert 0 == result.code, result.stderr
    assert ["E1", "E2"] == [each["value"] for each in records("failed")]
    offsets = [headers(each)["dataflare-offset"] for each in records("failed")]
    assert ["2", "4"] == offsets


def test_a_consumer_goes_on_at_the_record_that_failed(stored):
    """Also where the failing module was given another one's outputs."""
    run("produce", "t", "--create", stdin=b"a\nb\nE\nc\n")
    first = run("consume", "t", "-B", "-d", "-c", "reader", *CHAIN)
    again = run("consume", "t", "-d", "-c", "reader", *CHAIN)

    assert (1, b"a\nb\n") == (first.code, first.stdout)
    assert (1, b"") == (again.code, again.stdout)
    assert "offset 2; " in again.stderr


def test_empty_stays_empty_beside_a_null(stored):
    """An output whose source is not known is not taken for a null's."""
    null = ("--null-value", "NULL")
    options = (*null, "--smartmodule-path", "forgetful.wasm")
    run("produce", "t", "--create", *options, stdin=b"NULL\n\nv\n", cwd=stored)

    assert [None, "", "v"] == [each["value"] for each in records("t")]


def test_what_one_record_became_fails_once(data_dir):
    """However many of its parts fail: one dead letter, one record in the count."""
    stdin = b'[1,"x","y"]\n[2]\n["z","z","z"]\n'
    jq = ("--jq", 'if type == "string" then error else . end')
    letters = run("transform", "--sm", "explode", *jq, "--on-error", "dead-letter=f", stdin=stdin)
    skipped = run("transform", "--sm", "explode", *jq, "--on-error", "skip", stdin=stdin)

    assert (b"1\n2\n", b"1\n2\n") == (letters.stdout, skipped.stdout)
    assert ['[1,"x","y"]', '["z","z","z"]'] == [each["value"] for each in records("f")]
    assert "2 records were sent to the topic f" in letters.stderr
    assert "error: 2 records were skipped, of 3" in skipped.stderr


@pytest.mark.parametrize("others", [b"", b"[4]\n" * 50])
def test_limits_are_of_each_record(others, data_dir):
    """A record that becomes too many does so whatever comes with it."""
    options = ("--sm", "explode", "--sm-records-out", "2", "--on-error", "skip")
    result = run("transform", *options, stdin=others + b"[1,2,3]\n" + others)

    assert (5, others.replace(b"[4]", b"4") * 2) == (result.code, result.stdout)
    assert "it made 3 records of one record" in result.stderr


# ------------------------------------------------------------------- several partitions


FORMS = {
    "keys": ("--key-separator", ":"),
    "round-robin": (),
    "records": ("--input", "records"),
    "kept": ("--input", "records", "--keep-partitions"),
}


def lines_of(form: str, values: list[str]) -> bytes:
    """Return values as an input; keys and partitions depend on their numbers."""
    lines = []
    for number, value in enumerate(values):
        if form == "keys":
            lines.append(f"k{number * 7 % 11}:{value}")
        elif form == "round-robin":
            lines.append(value)
        else:
            record = {"key": f"k{number * 5 % 13}", "value": value, "partition": number * 3 % 4}
            lines.append(json.dumps(record))
    return "".join(f"{line}\n" for line in lines).encode()


@pytest.mark.parametrize("module", ["puppet", "stateless", "forgetful"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("count", "bad"),
    [(8, [7]), (8, [1]), (8, [0]), (40, [13, 14, 22]), (1000, [600])],
)
def test_what_came_before_is_stored_whatever_its_partition(count, bad, form, module, stored):
    """And nothing that came after; --tee passes on just that."""
    values = [("xda"[number % 3]) + str(number) for number in range(count)]
    if module == "forgetful":
        values = [value.replace("d", "a") for value in values]
    for number in bad:
        values[number] = "E"
    chain = CHAIN if module == "forgetful" else ("--smartmodule-path", f"{module}.wasm")
    stdin = lines_of(form, values)
    run("topic", "create", "t", "-p", "4")
    result = run("produce", "t", *FORMS[form], *chain, "--tee", stdin=stdin, cwd=stored)
    expected = [
        value for value in values[: bad[0]] for _ in range({"x": 2, "d": 0, "a": 1}[value[0]])
    ]

    assert 1 == result.code, result.stderr
    assert sorted(expected) == sorted(each["value"] for each in records("t"))
    if form in ("keys", "round-robin"):
        assert b"".join(stdin.splitlines(keepends=True)[: bad[0]]) == result.stdout


def test_what_came_before_is_stored_of_many_windows(stored):
    """One of them is cut in the middle."""
    values = [f"a{number}" for number in range(60_000)]
    values[50_001] = values[59_999] = "E"
    run("topic", "create", "t", "-p", "4")
    words = ("produce", "t", "--key-separator", ":", "--smartmodule-path", "stateless.wasm")
    result = run(*words, stdin=lines_of("keys", values), cwd=stored)

    assert 1 == result.code, result.stderr
    assert sorted(values[:50_001]) == sorted(each["value"] for each in records("t"))


@given(st.lists(st.integers(0, 3), max_size=30), st.data())
def test_the_first_failure_of_several_partitions(order, data):
    """Invariants: it is the first in the order; what is counted is what comes before it."""
    failing = data.draw(st.sets(st.integers(0, len(order) - 1), min_size=1)) if order else set()
    assume(failing)
    places = {}
    for number in sorted(failing):
        places.setdefault(order[number], order[:number].count(order[number]))
    partition, count, counts = stage.first_of(order, places)

    assert (order[min(failing)], min(failing)) == (partition, count)
    assert Counter(order[:count]) == counts


# ------------------------------------------------------------------------ dead letters


def test_dead_letters_come_before_what_is_behind_them(stored):
    """When they can't be stored, nothing that came with their records is acknowledged."""
    words = ("produce", "t", "--create", "--smartmodule-path", "puppet.wasm", "--tee")
    with start_process(*words, "--on-error", "dead-letter=failed", cwd=stored) as producer:
        producer.stdin.write(b"a\nE1\n")
        producer.stdin.flush()
        assert b"a\n" == producer.stdout.readline()
        assert b"E1\n" == producer.stdout.readline()
        assert 0 == run("topic", "delete", "failed").code
        stdout, stderr = producer.communicate(b"b\nE2\nc\n", timeout=WAIT_S)

    assert (1, b"") == (producer.returncode, stdout), stderr
    assert ["a"] == [each["value"] for each in records("t")]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_killed_producers_lose_no_dead_letter(number, stored):
    """What was acknowledged is in one of both topics, and nothing before it is missing."""
    lines = [("E" if n % 20 == 7 else "a") + str(n) for n in range(40_000)]
    words = ("produce", "t", "--create", "--smartmodule-path", "puppet.wasm", "--tee")
    with start_process(*words, "--on-error", "dead-letter=failed", cwd=stored) as producer:
        for begin in range(0, len(lines), 50):
            try:
                producer.stdin.write("".join(f"{x}\n" for x in lines[begin : begin + 50]).encode())
                producer.stdin.flush()
            except BrokenPipeError:
                break
            if begin == 5_000:
                select.select([producer.stdout], [], [])
                producer.send_signal(number)
        acknowledged, _ = producer.communicate(timeout=WAIT_S)
    told = acknowledged.decode().rpartition("\n")[0].split("\n")
    kept = {each["value"] for each in records("t")}
    letters = {each["value"] for each in records("failed")}
    last = max(int(each[1:]) for each in kept)

    assert set(told) <= kept | letters
    assert {each for each in lines[:last] if each[0] == "E"} <= letters


def test_a_topic_without_duplicates_takes_no_dead_letters(stored):
    """Equal records that failed would be lost."""
    run("topic", "create", "unique", "--dedup", "--dedup-count", "9", "--dedup-age", "1h")
    options = ("--smartmodule-path", "puppet.wasm", "--on-error", "dead-letter=unique")
    result = run("transform", *options, stdin=b"E\nE\n", cwd=stored)

    assert (2, b"") == (result.code, result.stdout)
    assert "the topic unique leaves out duplicates" in result.stderr


def test_dead_letters_do_not_feed_themselves(stored):
    """A regex that the topic of dead letters matches is refused, also before there is one."""
    run("produce", "t", "--create", stdin=b"E\n")
    options = ("--smartmodule-path", "puppet.wasm", "--on-error", "dead-letter=t-failed")
    refused = run("consume", "-r", "t.*", "-B", "-d", *options, cwd=stored)
    taken = run("consume", "-r", "t|u", "-B", "-d", *options, cwd=stored)

    assert (2, 0) == (refused.code, taken.code)
    assert "dead letters can't go to t-failed" in refused.stderr


def test_bad_lines_hide_no_dead_letters(stored):
    """Both are told at the end."""
    options = ("--input", "records", "--smartmodule-path", "puppet.wasm")
    stdin = b'{"key":null,"value":"E"}\nnonsense\n{"key":null,"value":"a"}\n'
    letters = run("transform", *options, "--on-error", "dead-letter=f", stdin=stdin, cwd=stored)
    words = ("produce", "t", "--create", *options)
    skipped = run(*words, "--on-error", "skip", stdin=stdin, cwd=stored)

    assert (5, 5) == (letters.code, skipped.code)
    assert "1 record was sent to the topic f\n" in letters.stderr
    assert "1 of 3 records could not be read" in letters.stderr
    assert "1 record was skipped, too" in skipped.stderr
    assert "1 of 3 records were not stored" in skipped.stderr


def test_a_module_whose_name_is_no_text(stored):
    """Its dead letters name it as well as can be."""
    name = "bad\udcff.wasm"
    (stored / name).write_bytes(MODULES["puppet"])
    options = ("--smartmodule-path", name, "--on-error", "dead-letter=f")
    result = run("transform", *options, stdin=b"E\n", cwd=stored)

    assert 0 == result.code
    assert "bad?.wasm" == headers(records("f")[0])["dataflare-module"]


# --------------------------------------------------------------------------- redaction


@pytest.mark.parametrize("policy", ["stop", "skip", "dead-letter=f"])
def test_what_is_to_be_redacted_is_not_told(policy, data_dir):
    """A record that --redact can't read is in no message; its dead letter is as it came."""
    stdin = b'{"ssn":"123-45-6789"} x\n'
    result = run("transform", "--redact", "ssn", "--on-error", policy, stdin=stdin)

    assert b"" == result.stdout
    assert "123-45" not in result.stderr
    if policy == "dead-letter=f":
        assert "dead letters are stored as they came, not redacted: in f\n" in result.stderr
        assert stdin.decode() == records("f")[0]["value"] + "\n"


# ------------------------------------------------------------------------------- topics


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--sm", "json-filter"), 1),
        (("--jq", ".a|"), 1),
        (("-f", "nowhere"), 3),
        (("-p", "3"), 1),
        (("--smartmodule-path", "loop.wasm", "-p", "1"), 1),
    ],
)
def test_a_producer_that_is_bound_to_fail_makes_no_topic(options, code, stored):
    """What is wrong is found before."""
    result = run("produce", "fresh", "--create", *options, stdin=b"1\n", cwd=stored)

    assert code == result.code
    assert "fresh" not in {topic["name"] for topic in run("topic", "list", "-O", "json").json}


def test_a_pipe_is_opened_once(stored, tmp_path):
    """Looking whether an input is there takes nothing of it."""
    pipe = tmp_path / "pipe"
    subprocess.run(["mkfifo", pipe], check=True)
    with start_process("produce", "fresh", "--create", "-f", pipe) as producer:
        pipe.write_bytes(b"a\nb\n")
        _, stderr = producer.communicate(timeout=WAIT_S)

    assert (0, b"") == (producer.returncode, stderr)
    assert ["a", "b"] == [each["value"] for each in records("fresh")]


def test_a_filter_that_a_topic_needs_stays_one(stored):
    """A map in its place would make every append fail."""
    (stored / "t.yaml").write_text(
        "meta: {name: unique}\ndeduplication:\n  bounds: {count: 9, age: 1h}\n"
        "  filter: {transform: {uses: puppet}}\n"
    )
    assert 0 == run("topic", "create", "-c", stored / "t.yaml").code
    refused = run("smartmodule", "create", "puppet", "--wasm-file", stored / "map.wasm")
    taken = run("smartmodule", "create", "puppet", "--wasm-file", stored / "puppet.wasm")

    assert (1, 0) == (refused.code, taken.code)
    assert 'smartmodule "puppet" is the deduplication of the topic unique' in refused.stderr


# ------------------------------------------------------------------------------ options


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--match", "a", "--match", "b"), "--match"),
        (("--jq", ".a", "--jq=.b"), "--jq"),
        (("--sm", "a", "--smartmodule", "b"), "--smartmodule"),
        (("-t", "a", "--transforms", "b"), "-t|--transforms"),
    ],
)
def test_what_would_be_dropped_is_refused(options, named, data_dir):
    """With clap's words; what may be repeated is."""
    result = run("transform", *options, stdin=b"a\n")

    assert 2 == result.code
    assert re.search(f"the argument '({named})' cannot be used multiple times", result.stderr)
    assert 0 == run("transform", "--redact", "a", "--redact", "b", stdin=b"{}\n").code


@pytest.mark.parametrize("given", ["61min", "30d", "0s"])
def test_the_time_of_a_call_has_limits(given, data_dir):
    """A signal has to end it at once."""
    result = run("transform", "--jq", ".", "--sm-time", given, stdin=b"1\n")

    assert 2 == result.code
    assert f"--sm-time: {given} is out of its limits (up to 1h)" in result.stderr


def test_a_signal_ends_a_call_of_an_hour(stored):
    """Though that is many ticks of the clock."""
    words = ("transform", "--smartmodule-path", "loop.wasm", "--sm-time", "1h")
    with start_process(*words, cwd=stored) as process:
        process.stdin.write(b"a\n")
        process.stdin.close()
        while not Path(f"/proc/{process.pid}/task").exists() or not _is_looping(process.pid):
            assert process.poll() is None
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(WAIT_S)

    assert 130 == process.returncode
    assert time.monotonic() - began < 5


def _is_looping(pid: int) -> bool:
    """Tell whether a process has used the processor for two seconds: longer than it starts."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) > 200


def test_a_table_formats_module_runs_beside_sugar(stored):
    """--match, --jq and --redact add to it; another module takes its place."""
    (stored / "f.yaml").write_text(
        "name: f\ninputFormat: JSON\nsmartmodule: explode\ncolumns: [{keyPath: a}]\n"
    )
    assert 0 == run("table-format", "create", "--config", stored / "f.yaml").code
    options = ("--table-format", "f", "-O", "table")
    stdin = b'[{"a":1},{"a":2}]\n'
    run("produce", "t", "--create", stdin=stdin)
    plain = run("transform", *options, stdin=stdin)
    both = run("transform", *options, "--match", "a", stdin=stdin)
    consumed = run("consume", "t", "-B", "-d", *options, "--match", "a")

    assert 3 == len(plain.lines)
    assert plain.stdout == both.stdout == consumed.stdout
