"""The benchmark: small sizes, real processes; what is printed, never how fast it was."""

import csv
import io
import signal

import pexpect
import pytest
from harness import command_line, process_environ, run

from dataflare_cli.benchmark.report import Report, summarise
from dataflare_cli.commands.benchmark_report import to_lines

FIGURE_KEYS = {
    *("name", "unit", "samples", "best", "p50", "p95", "p99", "max"),
    *("records_per_s_best", "records_per_s", "bytes_per_s", "beside", "ratio", "difference"),
}
MACHINE = {"cores": 2, "cpu": "x", "memory_bytes": 1, "kernel": "x", "file_system": "x"}
SMALL = ("--records", "300", "--samples", "2")


@pytest.fixture
def place(tmp_path):
    """The directory that benchmarks work below."""
    path = tmp_path / "place"
    path.mkdir()
    return path


def report_of(place, *words):
    """Run a benchmark, and return its report; nothing is left behind."""
    done = run("benchmark", *words, "--directory", place, "-O", "json")
    assert (0, "") == (done.code, done.stderr)
    assert [] == list(place.iterdir())
    report = done.json
    assert {"machine", "versions", "workload", "figures", "notes"} < set(report)
    assert ("dataflare.benchmark/v1", words[0]) == (report["schema"], report["benchmark"])
    for figure in report["figures"]:
        check_figure(figure)
    return report


def check_figure(figure):
    """Whatever was measured: its samples are in order, and took something.

    Start-up, taken off, may leave nothing of so small an input, and an idle process is idle.
    """
    assert FIGURE_KEYS == set(figure)
    ordered = [figure[name] for name in ("best", "p50", "p95", "p99", "max")]
    assert sorted(ordered) == ordered
    assert ordered[0] >= 0
    may_be_nothing = (
        figure["unit"] == "%" or "produce" in figure["name"] or "-B -d" in figure["name"]
    )
    assert ordered[-1] > 0 or may_be_nothing
    assert figure["samples"] >= 1


def names_of(report):
    return [figure["name"] for figure in report["figures"]]


def test_a_report_says_what_it_was_measured_on(place):
    """Machine, versions, sizes, batch and durability stand beside the figures."""
    report = report_of(place, "produce", *SMALL, "--durability", "relaxed", "--record-size", "200")

    assert {"cores", "cpu", "memory_bytes", "kernel", "file_system"} == set(report["machine"])
    assert {"dataflare", "python", "lmdb", "wasmtime"} == set(report["versions"])
    expected = {"records": 300, "record_bytes": 200, "batch_bytes": 1_000_000, "samples": 2}
    assert expected.items() <= report["workload"].items()
    assert "relaxed" == report["workload"]["durability"]
    assert 300 * 160 < report["workload"]["input_bytes"] < 300 * 240
    assert 0 < report["machine"]["cores"] < report["machine"]["memory_bytes"]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ([], "produce -f FILE"),
        (["--pipe"], "cat FILE | produce"),
        (["--key-separator", ":", "--partitions", "4"], "produce -f FILE"),
        (["--compression", "zstd", "--batch-size", "20000"], "produce -f FILE"),
        (["--compression", "lz4"], "produce -f FILE"),
    ],
)
def test_produce(options, name, place):
    """Each way in stands beside a copy of the same bytes; start-up and memory are rows apart."""
    report = report_of(place, "produce", *SMALL, *options)

    rows = [name, "cp + fsync", "start-up (empty input)", f"CPU of {name}", f"memory of {name}"]
    assert rows == names_of(report)
    assert ["s", "s", "ms", "s", "MB"] == [figure["unit"] for figure in report["figures"]]
    made, copy, *_ = report["figures"]
    assert "cp + fsync" == made["beside"]
    assert made["ratio"] >= 0
    assert copy["bytes_per_s"] > copy["records_per_s"] > 0


def test_records_one_by_one(place):
    """Every append is a sample, beside lines synced to a plain file."""
    append, line, whole = report_of(place, "produce", "--one-by-one", "--records", "40")["figures"]

    assert (40, 40, 1) == (append["samples"], line["samples"], whole["samples"])
    assert "write + fsync of each line" == append["beside"] == line["name"]
    assert whole["records_per_s"] > 0


def test_consume_in_several_formats(place):
    """All formats are measured on one topic, beside cat of its input."""
    template = "{{key}} {{value}} {{offset}}"
    report = report_of(
        place, "consume", *SMALL, "--as", "text", "--as", "records", "-F", template, "--as", "text"
    )

    formats = [f"consume -B -d {each}" for each in ("-O text", "-O records", f"-F {template}")]
    costs = [f"{cost} of {each}" for each in formats for cost in ("CPU", "memory")]
    assert [*formats, "cat", "start-up (empty topic)", *costs] == names_of(report)
    assert {"cat"} == {figure["beside"] for figure in report["figures"][:3]}


@pytest.mark.parametrize(
    "options",
    [["--one-by-one"], ["--key-separator", ":", "--partitions", "4"], ["--compression", "lz4"]],
)
def test_consume_of_other_topics(options, place):
    """What is in the topic, and how it came there, can be chosen."""
    report = report_of(place, "consume", "--records", "300", "--samples", "1", *options)

    assert "consume -B -d -O text" == report["figures"][0]["name"]


def test_latency(place):
    """A follower is measured while records come, idle, and beside another topic's commits."""
    report = report_of(place, "latency", "--rate", "100", "--seconds", "0.5", "--noise", "40")

    assert [
        "commit to line",
        "append called to line",
        "append",
        "follower's CPU at 100 records/s",
        "follower's CPU, idle",
        "follower's CPU beside 40 commits/s",
    ] == names_of(report)
    after, whole, append = report["figures"][:3]
    assert 50 == after["samples"] == whole["samples"] >= append["samples"]
    assert whole["max"] >= after["max"]
    assert ["bench:", "noise:"] == [note.split()[0] for note in report["notes"]]


def test_startup(place):
    """Commands are compared with the interpreter that does nothing."""
    report = report_of(place, "startup", "--samples", "2")

    bare, *others = report["figures"]
    assert "python -c pass" == bare["name"]
    assert {"python -c pass"} == {figure["beside"] for figure in others}
    assert {"dataflare --version", "dataflare topic list"} < set(names_of(report))
    assert {2} == {figure["samples"] for figure in report["figures"]}


def test_text(place):
    """A person gets facts, a table and notes; `bench` is the same command."""
    done = run("bench", "produce", *SMALL, "--directory", place)

    assert 0 == done.code
    facts, table, *_ = done.text.split("\n\n")[1:]
    begun = [line.split()[0] for line in facts.splitlines() if line[2] != " "]
    assert ["machine", "versions", "workload"] == begun
    header, first, *_ = table.splitlines()
    assert "FIGURE" == header.split()[0]
    assert "produce -f FILE" in first
    assert "without its start-up" in " ".join(done.lines[-2:])
    workload = done.text.partition("  workload")[2].partition("FIGURE")[0]
    assert ("durability full" in workload, "pipe" in workload) == (True, False)
    piped = run("bench", "produce", "--pipe", *SMALL, "--directory", place).text
    assert "· pipe ·" in " ".join(piped.partition("  workload")[2].split())


@pytest.mark.parametrize("width", ["80", "200"])
def test_text_fits_its_terminal(width, place):
    """One table where there is room for it, else one each of costs, rates and comparisons."""
    words = ("smartmodule", "--records", "300", "--samples", "1", "--directory", place)
    done = run("benchmark", *words, env={"COLUMNS": width})
    headers = [line.split() for line in done.lines if line.startswith("  FIGURE")]

    assert 0 == done.code
    assert int(width) >= max(map(len, done.lines))
    costs = ["FIGURE", "UNIT", "BEST", "P50", "MAX", "N"]
    rates = ["BEST", "RECORDS/S", "RECORDS/S", "BYTES/S"]
    compared = ["RATIO", "DIFFERENCE", "BESIDE"]
    assert headers == (
        [costs, ["FIGURE", *rates], ["FIGURE", *compared]]
        if width == "80"
        else [[*costs, *rates, *compared]]
    )


def test_progress_of_smartmodules(place):
    """The first run of each only warms up, and says so."""
    options = ("--records", "300", "--samples", "1", "--directory", place)
    command, *words = command_line("benchmark", "smartmodule", *options)
    with pexpect.spawn(command, words, env=process_environ(), timeout=120) as process:
        process.expect("warming up: consume -B -d, 1 core")
        assert b"sample 0" not in process.before
        process.expect("sample 1 of 1: consume -B -d, 1 core")
        assert b"sample 0" not in process.before
        process.sendintr()
        process.expect(pexpect.EOF)


@pytest.mark.parametrize("samples", [3, 30])
def test_percentiles_that_say_nothing_are_left_out(samples):
    """Of a few samples they are the largest one."""
    figure = summarise("x", "s", [float(each) for each in range(samples)])
    report = Report(benchmark="x", machine=MACHINE, versions={}, workload={}, figures=[figure])
    (header,) = (line for line in to_lines(report, 80) if "FIGURE" in line)

    assert (samples == 30) == ("P95" in header)
    assert "P99" not in header


def test_csv(place):
    """Each row says everything, so that files of many machines can be put together."""
    words = ("--one-by-one", "--records", "10", "--directory", place, "-O", "csv")
    rows = list(csv.DictReader(io.StringIO(run("benchmark", "produce", *words).text)))

    assert 3 == len(rows)
    assert {"produce"} == {row["benchmark"] for row in rows}
    assert {"10"} == {row["workload_records"] for row in rows}
    assert all(row["machine_cpu"] and row["version_lmdb"] for row in rows)
    assert float(rows[0]["p99"]) > 0


@pytest.mark.parametrize("other", [["--pipe"], ["--partitions", "2"], ["--compression", "gzip"]])
def test_one_by_one_is_on_its_own(other, place):
    """Records of one commit each are not produced by the program."""
    done = run("benchmark", "produce", "--one-by-one", *other, "--directory", place)

    assert 2 == done.code
    assert f"--one-by-one, {other[0]} can't be used together" in done.stderr


def test_a_directory_that_is_not_there(tmp_path):
    """The next step is named."""
    done = run("benchmark", "startup", "--directory", tmp_path / "nowhere")

    assert 3 == done.code
    assert "choose another --directory" in done.stderr


def test_too_little_space(place):
    """What would fill the disk is not begun."""
    done = run("benchmark", "produce", "--records", str(10**15), "--directory", place)

    assert 3 == done.code
    assert "bytes are needed" in done.stderr
    assert [] == list(place.iterdir())


def test_ctrl_c_cleans_up(place):
    """Interrupted, it leaves neither files nor processes; a terminal sees what it was doing."""
    command, *words = command_line("benchmark", "produce", "--samples", "9", "--directory", place)
    with pexpect.spawn(command, words, env=process_environ(), timeout=60) as process:
        process.expect("sample 2 of 9")
        process.sendintr()
        process.expect(pexpect.EOF)
        process.wait()

    assert 130 == process.exitstatus
    assert [] == list(place.iterdir())


def test_sigterm_cleans_up(place):
    """The same, asked by another process, in the middle of a latency run."""
    command, *words = command_line("benchmark", "latency", "--directory", place)
    with pexpect.spawn(command, words, env=process_environ(), timeout=60) as process:
        process.expect("1000 records a second")
        process.kill(signal.SIGTERM)
        process.expect(pexpect.EOF)
        process.wait()

    assert 143 == process.exitstatus
    assert [] == list(place.iterdir())
