"""`dataflare smartmodule test`: one run over records, and the tests of fixtures.

The modules are those of `fixture_files`.
"""

import os
import signal
import time
from io import StringIO
from xml.etree import ElementTree as ET

import pexpect
import pytest
import wat

from dataflare_cli.__main__ import main
from dataflare_cli.commands.context import Environment
from tests.fixture_files import MODULES, write_modules
from tests.harness import command_line, process_environ, run, start_process

PASSES = """\
module: puppet.wasm
tests:
  - {name: keeps, input: [a, d, b], expect: {records: [a, b], dropped: 1}}
  - {name: fails as it should, input: [a, E], expect: {error: bad, error_offset: 1}}
"""
FAILS = """\
module: puppet.wasm
tests:
  - {name: keeps, input: [a], expect: {records: [a]}}
  - name: is wrong
    input: [a, b, c, d, e, f, g, h]
    expect:
      records: [a, b, c, e, f, {value: x, key: null}, h, i]
      dropped: [0]
"""
WAIT_S = 60


@pytest.fixture
def directory(tmp_path, data_dir):
    """The directory of all modules, and a data directory that is not there yet."""
    path = tmp_path / "fixtures"
    path.mkdir()
    return write_modules(path)


def outcome_of(directory, *words, **options):
    return run("smartmodule", "test", *words, cwd=directory, **options)


def write(directory, text, name="f.smtest.yaml"):
    (directory / name).write_text(text)
    return name


# ------------------------------------------------------------------------ one run

PUPPET = ("--wasm-file", "puppet.wasm")


@pytest.mark.parametrize(
    ("words", "stdin", "printed"),
    [
        (("--text", "hello"), b"", "hello\n"),
        (("--text", "d"), b"", ""),
        (("--text", ""), b"", "\n"),
        (("--stdin",), b"a\nd\n\nb", "a\n\nb\n"),
        (("--file", "in"), b"", "one\nx2\nx2\nthree\n"),
        (("--file", "in", "--raw"), b"", "one\nx2\nd3\nthree\n\n"),
        (("--text", "a", "-k"), b"", "[null] a\n"),
        (("--text", "a", "--key", "k", "--key-value"), b"", "[k] a\n"),
        (("--stdin", "-v"), b"x\nd\n", "2 records outputted\nx\nx\n"),
        (("--text", "a", "--nowasi", "--release", "x"), b"", "a\n"),
    ],
)
def test_values_come_out(words, stdin, printed, directory):
    """As they are, a line each; from a text, stdin, the lines of a file or all of it."""
    (directory / "in").write_text("one\nx2\nd3\nthree\n")
    result = outcome_of(directory, *PUPPET, *words, stdin=stdin)

    assert (0, printed, "") == (result.code, result.text, result.stderr)


def test_a_failure_comes_after_what_came_out(directory):
    """Unlike with smdk it is an error: 1, and what Fluvio says of it."""
    result = outcome_of(directory, *PUPPET, "--stdin", stdin=b"a\nd\nE2\nb\n")

    assert (1, "a\n") == (result.code, result.text)
    assert (
        "error: SmartModule transform error bad\n\nSmartModule Info: \n    Type: Filter\n"
        '    Offset: 2\n    Key: NULL\n    Value: E2\n  in the SmartModule "puppet.wasm"\n'
    ) == result.stderr


def test_which_module(directory):
    """A file, a stored one, what was built of a package, or a chain."""
    built = directory / "target" / "wasm32-unknown-unknown" / "release" / "pup.wasm"
    built.parent.mkdir(parents=True)
    built.write_bytes(MODULES["puppet"])
    run("smartmodule", "create", "stored", "--wasm-file", directory / "puppet.wasm")
    (directory / "chain.yaml").write_text("transforms: [{uses: stored}, {uses: stored}]")
    toml = '[package]\nname = "pup"\ngroup = "g"\nversion = "0.1.0"\n'

    for words in (
        ("--smartmodule", "stored"),
        ("-t", "chain.yaml"),
        ("--transforms-line", '{"uses": "stored"}'),
    ):
        assert "x\n" == outcome_of(directory, *words, "--text", "x").text[:2]
    result = outcome_of(directory, "--text", "a")
    assert (2, "error: which SmartModule?") == (result.code, result.stderr.splitlines()[0])
    (directory / "SmartModule.toml").write_text(toml)
    assert "a\n" == outcome_of(directory, "--text", "a").text
    assert "a\n" == run("smartmodule", "test", "-p", directory, "--text", "a").text


def test_parameters_and_look_back(directory):
    """-e, and records that the module is fed before."""
    params = outcome_of(directory, "--wasm-file", "params.wasm", "-e", "a=1", "--text", "x")
    fed = ("--wasm-file", "fed.wasm", "--text", "x")

    assert params.stdout.startswith(b"\0\1\0\1a\0\0011")
    assert (
        b"\0\0\0\2\n"
        == outcome_of(directory, *fed, "-r", "a", "-r", "b", "-r", "c", "-l", "2").stdout
    )
    assert (
        b"\0\0\0\3\n"
        == outcome_of(
            directory, *fed, *("-r", "a", "-r", "b", "-r", "c"), "--lookback-age", "1h"
        ).stdout
    )
    initial = ("--wasm-file", "aggregate.wasm", "--text", "x")
    assert "" == outcome_of(directory, *initial).text
    assert "x\n" == outcome_of(directory, *initial, "--aggregate-initial", "0").text


def test_records_are_of_now(directory):
    """As smdk's: a module that asks for the time of a record gets one."""
    tail = outcome_of(directory, "--wasm-file", "params.wasm", "--text", "x").stdout
    # Behind no parameters (3 bytes) and no join (4).
    age_ms = time.time_ns() // 1_000_000 - int.from_bytes(tail[7:15], "big")

    assert 0 <= age_ms < WAIT_S * 1000


def test_what_a_module_prints_is_no_data(directory):
    """It goes to stderr."""
    imports = (
        '(import "wasi_snapshot_preview1" "fd_write"'
        " (func $write (param i32 i32 i32 i32) (result i32)))"
    )
    hello = b"hello\n"
    body = f"""
    (i32.store (i32.const 2000) (i32.const 1024))
    (i32.store (i32.const 2004) (i32.const {len(hello)}))
    (drop (call $write (i32.const 1) (i32.const 2000) (i32.const 1) (i32.const 2008)))
    {wat.KEEP_ALL}
"""
    wasm = wat.module(body, imports=imports, data=hello + bytes(1000))
    (directory / "talks.wasm").write_bytes(wasm)
    result = outcome_of(directory, "--wasm-file", "talks.wasm", "--text", "x")

    assert ("x\n", "talks.wasm: hello\n") == (result.text, result.stderr)
    name = write(
        directory, "module: talks.wasm\ntests: [{name: t, input: [a], expect: {count: 2}}]"
    )
    assert "    printed: talks.wasm: hello" in outcome_of(directory, name).lines


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--text", "a", "--stdin"), "--text and --stdin can't be used together"),
        (("--text", "a", "f.yaml"), "PATH is for fixtures"),
        (("--text", "a", "--watch"), "--watch is for fixtures"),
        (("--text", "a", "--update"), "--update is for fixtures"),
        (("--text", "a", "--report", "junit=x"), "--report is for fixtures"),
        (("--text", "a", "-O", "json"), "-O json is for fixtures"),
        (("--text", "a", "--raw"), "--raw needs --file"),
        (("--raw",), "--raw needs records to run"),
        (("--wasm-file", "x.wasm"), "--wasm-file needs records to run"),
        (("-e", "a=b"), "--params needs records to run"),
        (("-r", "a"), "--record needs records to run"),
        (
            ("--text", "a", "--wasm-file", "x", "--smartmodule", "y"),
            "--wasm-file, --smartmodule can't be used together",
        ),
        (("--text", "a", "--transforms-line", "{}", "-e", "a=b"), "--params is for a single"),
        (("--text", "a", *PUPPET, "-r", "x"), "--record: nobody asks for it"),
        (("-O", "yaml"), "-O: 'yaml' is not text or json"),
        (("--report", "html=x"), "--report: 'html=x' is not junit=FILE"),
    ],
)
def test_contradictions(words, message, directory):
    """Each of the two things has its own options."""
    result = outcome_of(directory, *words)

    assert (2, "") == (result.code, result.text)
    assert message in result.stderr


# ------------------------------------------------------------------------ fixtures


def test_all_pass(directory):
    """A line a test under its file; the last line is on stderr."""
    write(directory, PASSES)
    result = outcome_of(directory)

    assert 0 == result.code
    assert ["f.smtest.yaml", "  ✓ keeps", "  ✓ fails as it should"] == result.lines
    assert result.stderr.startswith("2 passed in 0.")


def test_one_fails(directory):
    """What was expected and found, aligned; much that is the same is left out."""
    write(directory, FAILS)
    result = outcome_of(directory)

    assert 1 == result.code
    assert [
        "f.smtest.yaml",
        "  ✓ keeps",
        "  ✗ is wrong (line 4)",
        "    records: 8 records expected, 7 found",
        "        … 3 more as expected",
        "        e",
        "        f",
        "      - {value: x, key: null}",
        "      + {key: null, value: g}",
        "        ↑ value differs from byte 0 on",
        "        h",
        "      - i",
        "    dropped: offset 0 expected, offset 3 found",
    ] == result.lines
    assert result.stderr.startswith("1 passed, 1 failed in 0.")


def test_a_long_difference_ends_somewhere(directory):
    """After a hundred lines; nobody reads more."""
    write(
        directory,
        "module: puppet.wasm\ntests: [{name: t, input: {file: in}, expect: {records: []}}]",
    )
    (directory / "in").write_text("a\n" * 150)
    lines = outcome_of(directory).lines

    assert ["      + a", "        … 50 more lines"] == lines[-2:]
    assert 100 + 4 == len(lines)


def test_colours(directory):
    """On a terminal, where nobody said no; not in a file."""
    write(directory, FAILS)
    result = outcome_of(directory, terminal=True)

    assert "  \x1b[32m✓\x1b[0m keeps" in result.lines
    assert "\x1b[31m      - i\x1b[0m" in result.lines
    plain = outcome_of(directory, terminal=True, env={"NO_COLOR": "1"})
    assert "\x1b" not in plain.text


def test_colours_are_not_for_files(directory, tmp_path):
    """Also where stderr is a terminal."""
    write(directory, FAILS)
    with (tmp_path / "out").open("wb") as file:
        env = Environment(stdout_fd=file.fileno(), stderr=StringIO(), cwd=directory)
        env.stderr_is_terminal = True
        code = main(["smartmodule", "test"], env)

    assert 1 == code
    assert "✗ is wrong" in (tmp_path / "out").read_text()
    assert "\x1b" not in (tmp_path / "out").read_text()


def test_control_characters_stay_in_the_record(directory):
    """No terminal is harmed by what a module makes, or by a fixture's names."""
    text = (
        'module: puppet.wasm\ntests: [{name: "\\e[31m", input: ["\\e[2J"], expect: {records: [a]}}]'
    )
    write(directory, text)
    result = outcome_of(directory, terminal=True, env={"NO_COLOR": "1"})

    assert "\x1b" not in result.text
    assert '      + "\\u001b[2J"' in result.text


def test_json(directory):
    """One object: totals, and every test with what is wrong with it."""
    write(directory, FAILS)
    result = outcome_of(directory, "-O", "json")
    keeps, wrong = result.json["tests"]

    assert 1 == result.code
    assert {"total": 2, "passed": 1, "failed": 1, "not_run": 0} == {
        name: result.json[name] for name in ("total", "passed", "failed", "not_run")
    }
    assert ("f.smtest.yaml", 3, "keeps", True, False, []) == tuple(
        keeps[name] for name in ("file", "line", "name", "passed", "updated", "problems")
    )
    assert ["records", "dropped"] == [each["what"] for each in wrong["problems"]]
    assert {"mark": "-", "text": "i", "note": ""} == wrong["problems"][0]["difference"][-1]
    assert None is wrong["fuel"]
    assert 0 < wrong["module_time_ms"] < wrong["time_s"] * 1000


def test_the_setting_of_outputs(directory):
    """It may name forms that there are none of here."""
    write(directory, PASSES)

    assert 2 == outcome_of(directory, env={"DATAFLARE_OUTPUT": "json"}).json["passed"]
    assert "  ✓ keeps" in outcome_of(directory, env={"DATAFLARE_OUTPUT": "yaml"}).lines
    once = outcome_of(directory, *PUPPET, "--text", "a", env={"DATAFLARE_OUTPUT": "json"})
    assert "a\n" == once.text


def test_junit(directory):
    """A suite a file, a case a test, with what is wrong; also with characters XML has not."""
    write(directory, FAILS)
    odd = (
        "module: puppet.wasm\ntests:\n"
        '- {name: "<&\\e\\uFFFF>", input: ["a\\x01"], expect: {records: ["b"]}}\n'
    )
    (directory / "sub").mkdir()
    write(directory, odd.replace("puppet.wasm", "../puppet.wasm"), "sub/odd.smtest.yaml")
    result = outcome_of(directory, "--report", "junit=a.xml", "--report", "junit=b.xml")
    root = ET.parse(directory / "a.xml").getroot()
    first, second = root.iter("testsuite")

    assert 1 == result.code
    assert (directory / "b.xml").exists()
    assert ("testsuites", "3", "2", "0") == (
        root.tag,
        *(root.get(name) for name in ("tests", "failures", "errors")),
    )
    assert ("f.smtest.yaml", "2", "1") == tuple(
        first.get(name) for name in ("name", "tests", "failures")
    )
    assert "sub/odd.smtest.yaml" == second.get("name")
    keeps, wrong = first.iter("testcase")
    assert {
        "classname": "f.smtest.yaml",
        "name": "is wrong",
        "file": "f.smtest.yaml",
        "line": "4",
    } == {name: value for name, value in wrong.attrib.items() if name != "time"}
    timed = (root, *root.iter("testsuite"), *root.iter("testcase"))
    assert all(0 <= float(each.get("time")) < WAIT_S for each in timed)
    assert [] == list(keeps)
    (failure,) = wrong
    assert "records: 8 records expected, 7 found" == failure.get("message")
    assert "      - i" in failure.text.splitlines()
    (case,) = second.iter("testcase")
    assert "<&\\x1b\N{REPLACEMENT CHARACTER}>" == case.get("name")


def test_a_report_that_can_not_be_written(directory):
    """3, after the tests have run."""
    write(directory, PASSES)
    result = outcome_of(directory, "--report", "junit=none/a.xml")

    assert (3, "  ✓ keeps") == (result.code, result.lines[1])


def test_which_tests(directory):
    """Those with a text in their name; none but the first that fails."""
    write(directory, FAILS)
    write(directory, PASSES, "g.smtest.yaml")

    assert ["f.smtest.yaml", "  ✗ is wrong (line 4)"] == outcome_of(
        directory, "--filter", "wrong"
    ).lines[:2]
    result = outcome_of(directory, "--fail-fast")
    assert "g.smtest.yaml" not in result.text
    assert result.stderr.startswith("1 passed, 1 failed, 2 not run in 0.")
    assert ["g.smtest.yaml", "  ✓ keeps"] == outcome_of(directory, "g.smtest.yaml").lines[:2]


@pytest.mark.parametrize(
    ("text", "words", "code", "message"),
    [
        (None, (), 4, "error: there is no *.smtest.yaml or *.smtest.json in the working directory"),
        (None, ("sub",), 4, "error: there is no *.smtest.yaml or *.smtest.json in sub"),
        ("module: m\ntests: []", (), 4, "error: there is no test in f.smtest.yaml"),
        (PASSES, ("--filter", "zzz"), 4, "error: no test has 'zzz' in its name, of 2"),
        (None, ("gone",), 1, "error: File not found: gone"),
        ("module: m\ntest: []", (), 2, 'error: f.smtest.yaml:2:1: unknown key "test"\n  did you'),
        ("module: m\n\ttests: []", (), 2, "error: f.smtest.yaml:2:1: not YAML: "),
        (
            "module: m\ntests: [{name: t, input: [], expect: {recrds: []}}]",
            (),
            2,
            'error: f.smtest.yaml:2:39: unknown key "recrds"',
        ),
    ],
)
def test_when_nothing_is_tested(text, words, code, message, directory):
    """4, or 2 for a file that is malformed: then no test of another one is run."""
    (directory / "sub").mkdir()
    if text is not None:
        write(directory, text)
        if code == 2:
            write(directory, PASSES, "a.smtest.yaml")
    result = outcome_of(directory, *words)

    assert (code, "") == (result.code, result.text)
    assert result.stderr.startswith(message)


def test_modules_of_the_data_directory(directory):
    """Their names, as everywhere."""
    run("smartmodule", "create", "stored", "--wasm-file", directory / "puppet.wasm")
    write(directory, PASSES.replace("puppet.wasm", "stored"))

    assert 0 == outcome_of(directory).code


def test_records_of_a_topic(directory, data_dir):
    """A range of offsets or of times, of one partition; with their offsets."""
    run("produce", "one", "--create", stdin=b"a\nd\nb\nc\n")
    run("topic", "create", "two", "--partitions", "2")
    run("produce", "two", "--partition", "1", stdin=b"p1\n")
    write(
        directory,
        """\
module: puppet.wasm
tests:
  - {name: range, input: "one@1:3", expect: {records: [{value: b, offset: 2}], dropped: [1]}}
  - {name: all, input: {topic: one}, expect: {count: 3}}
  - {name: times, input: "one@@-1h:", expect: {count: 3}}
  - {name: partition, input: {topic: two, range: 0, partition: 1}, expect: {records: [p1]}}
  - {name: which, input: {topic: two}, expect: {count: 1}}
  - {name: gone, input: {topic: three}, expect: {count: 1}}
  - {name: beyond, input: "one@9:10", expect: {count: 1}}
""",
    )
    result = outcome_of(directory)

    assert ["✓"] * 4 == [line.split()[0] for line in result.lines[1:5]]
    assert (
        "    input: two has 2 partitions (say which one: {topic: two, partition: 0})"
        in result.lines
    )
    assert any("Topic not found: three" in line for line in result.lines)
    assert any("start offset: 9 is greater than leo: 4" in line for line in result.lines)


def test_limits(directory):
    """--sm-time and its like hold for fixtures, too."""
    write(
        directory,
        "module: puppet.wasm\ntests: [{name: t, input: [L], expect: {error: (--sm-time)}}]",
    )

    assert 0 == outcome_of(directory, "--sm-time", "50ms").code


# ------------------------------------------------------------------------ updating


def test_update(directory):
    """What fails is written, said, and passes from then on."""
    write(directory, FAILS + "  # the end\n")
    result = outcome_of(directory, "--update")

    assert 0 == result.code
    assert ["f.smtest.yaml", "  ✓ keeps", "  ✓ is wrong (updated)"] == result.lines
    assert "updated f.smtest.yaml: 1 test\n2 passed in" in result.stderr
    assert (
        FAILS.replace("x, key: null}, h, i", "x, key: null}, h")
        .replace("{value: x, key: null}", "{key: null, value: g}")
        .replace("[0]", "[3]")
        + "  # the end\n"
    ) == (directory / "f.smtest.yaml").read_text()
    assert 0 == outcome_of(directory).code


def test_an_update_without_a_change(directory):
    """Files that pass are not touched, nor what an update can't help."""
    name = write(directory, PASSES)
    write(
        directory,
        "module: gone.wasm\ntests: [{name: t, input: [], expect: {count: 1}}]",
        "g.smtest.yaml",
    )
    before = os.stat(directory / name)
    result = outcome_of(directory, "--update")

    assert 1 == result.code
    assert "updated" not in result.text + result.stderr
    assert before.st_mtime_ns == os.stat(directory / name).st_mtime_ns
    assert before.st_ino == os.stat(directory / name).st_ino


def test_an_update_says_what_it_leaves(directory):
    """The test fails on, with the reason; others in the file are updated."""
    text = (
        "module: puppet.wasm\ntests:\n"
        "- {name: by hand, input: ['1'], expect: {records: [{subset: 2}], dropped: 1}}\n"
        "- {name: json, input: ['1'], expect: {records: [{json: 2}]}}\n"
    )
    name = write(directory, text)
    result = outcome_of(directory, "--update")

    assert 1 == result.code
    reason = "--update leaves subset, regex and schema as they are: change it by hand"
    assert f"    update: {reason}" in result.lines
    assert "  ✓ json (updated)" in result.lines
    assert "updated f.smtest.yaml: 1 test\n1 passed, 1 failed" in result.stderr
    assert text.replace("json: 2", "json: 1") == (directory / name).read_text()
    assert reason not in outcome_of(directory).text


def test_an_update_keeps_links_and_permissions(directory):
    """What the link leads to is replaced, and nothing is left beside it."""
    real = directory / "real"
    real.mkdir()
    (real / "f").write_text(FAILS)
    (real / "f").chmod(0o640)
    (directory / "f.smtest.yaml").symlink_to(real / "f")

    assert 0 == outcome_of(directory, "--update").code
    assert (directory / "f.smtest.yaml").is_symlink()
    assert 0o640 == (real / "f").stat().st_mode & 0o777
    assert [real / "f"] == list(real.iterdir())


# ------------------------------------------------------------------------ watching


def lines_until(process, wanted):
    """Read lines of a process's stdout up to one that has a text in it."""
    lines = []
    for line in process.stdout:
        lines.append(line.decode().rstrip("\n"))
        if wanted in lines[-1]:
            return lines
    raise AssertionError(lines)


def test_watch(directory):
    """Runs again when a fixture, a module or an input changes, or comes; Ctrl-C is 130."""
    text = "module: m.wasm\ntests: [{name: t, input: {file: in}, expect: {records: [a]}}]\n"
    write(directory, text)
    (directory / "in").write_text("a\n")
    (directory / "m.wasm").write_bytes(MODULES["puppet"])
    with start_process("smartmodule", "test", "--watch", directory) as process:
        assert "✓ t" in lines_until(process, " t")[-1]
        (directory / "in").write_text("b\n")
        assert "✗ t" in lines_until(process, " t")[-1]
        write(directory, text.replace("[a]", "[b]"))
        assert "✓ t" in lines_until(process, " t")[-1]
        (directory / "m.wasm").unlink()
        assert "module: " in lines_until(process, "module:")[-1]
        (directory / "m.wasm").write_bytes(MODULES["refuses"])
        assert "no good" in lines_until(process, "no good")[-1]
        (directory / "m.wasm").write_bytes(MODULES["puppet"])
        assert "✓ t" in lines_until(process, " t")[-1]
        write(directory, "module: [", "g.smtest.yaml")
        for line in process.stderr:
            if b"g.smtest.yaml:" in line:
                break
        (directory / "g.smtest.yaml").unlink()
        assert "✓ t" in lines_until(process, " t")[-1]
        process.send_signal(signal.SIGINT)
        assert 130 == process.wait(WAIT_S)


def test_a_watched_terminal_is_cleared(directory):
    """Before each run; a pipe is not."""
    write(directory, PASSES)
    program, *words = command_line("smartmodule", "test", "--watch", directory)
    child = pexpect.spawn(program, words, env=process_environ(), timeout=WAIT_S)
    try:
        child.expect_exact("\x1b[2J\x1b[3J\x1b[H")
        child.expect_exact("2 passed")
        write(directory, FAILS)
        child.expect_exact("\x1b[2J\x1b[3J\x1b[H")
        child.expect_exact("1 failed")
        child.sendintr()
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)

    assert 130 == child.exitstatus


def test_a_reader_that_goes_away_ends_the_watch(directory):
    """As with any other output."""
    write(directory, PASSES)
    with start_process("smartmodule", "test", "--watch", directory) as process:
        lines_until(process, "fails as it should")
        for line in process.stderr:
            if line.startswith(b"watching 2 files"):
                break
        process.stdout.close()

        assert 141 == process.wait(WAIT_S)
