"""`dataflare transform`: a chain from an input to stdout, without a topic."""

import hashlib
import json
from pathlib import Path

import pytest
import wat

from tests.harness import Result, run

WAIT_S = 60
# Far more than anything here takes, far less than a limit that was to be waited for.
LONG = "100s"
SECRET = "hunter2-correct-horse"

INPUTS = {
    "lines": b'k1:{"n":1}\nk2:{"n":2}\n:{}\n',
    "records": b'{"key":"k1","value":"{\\"n\\":1}","headers":[["h","v"],["h",null]]}\n'
    b'{"key":null,"value":null}\n{"key":"","value":{"base64":"/w=="}}\n',
    "csv": b'key,value\nk1,"{""n"":1}"\n,\n',
    "tsv": b'key\tvalue\nk1\t{"n":1}\n',
    "json-array": b'[{"n": 1}, {"n": 2}, "x"]',
    "kcat": b'{"topic":"t","partition":0,"offset":0,"ts":5,"key":"k","payload":"{\\"n\\":1}"}\n',
    "rpk": b'{"topic":"t","partition":0,"offset":0,"key":"k","value":"{\\"n\\":1}"}\n',
    "kafka-console": b'CreateTime:5\tk\t{"n":1}\n',
}
OUTPUTS = [
    *(("-O", each) for each in ("dynamic", "text", "raw", "binary", "json", "table", "csv")),
    ("-O", "records"),
    ("-F", "{{key}}={{value}} {{offset}} {{time}} {{headers}}"),
    ("-f", "%k %v %o %d\\n"),
    ("-k",),
    ("--print0",),
]
MODULES = {
    "keep": wat.module(),
    "puppet": wat.puppet(),
    "map": wat.puppet(kind="map", words=""),
    "stateless": wat.with_metadata(wat.puppet(words="TLBEdx"), {"stateless": True}),
    "twice": wat.puppet(kind="array_map"),
    "params": wat.tells_params(),
    "refuses": wat.module(data=b"\0\x11Missing param key", more=wat.INIT_REFUSES.format(size=19)),
}


@pytest.fixture
def modules(data_dir: Path, tmp_path: Path) -> Path:
    """A directory with modules as files; there is no data directory yet."""
    for name, wasm in MODULES.items():
        (tmp_path / f"{name}.wasm").write_bytes(wasm)
    return tmp_path


def transform(modules: Path, module: str | None, *options: str, stdin: bytes = b"") -> Result:
    """Run the command in the directory of modules, with one of them."""
    chosen = () if module is None else ("--smartmodule-path", f"{module}.wasm")
    return run("transform", *chosen, *options, stdin=stdin, cwd=modules)


def input_options(name: str) -> tuple[str, ...]:
    if name == "lines":
        return ("--key-separator", ":")
    return ("--input", name)


# --------------------------------------------------------------------------- formats


@pytest.mark.parametrize("name", INPUTS)
def test_it_reads_as_produce_and_writes_as_consume(name, modules):
    """Every format, without a module and through ones that keep everything."""
    options = (*input_options(name), "--timestamp", "1700000000000")
    assert 0 == run("produce", "t", "--create", *options, stdin=INPUTS[name]).code
    for output in OUTPUTS:
        stored = run("consume", "t", "-B", "-d", *output)
        expected = stored.stdout.replace(b'"topic":"t"', b'"topic":""')
        if output == ("-O", "csv"):
            expected = expected.replace(b"\nt,0,", b'\n"",0,')
        for module in (None, "keep", "puppet", "map", "stateless"):
            found = transform(modules, module, *options, *output, stdin=INPUTS[name])
            assert (stored.code, expected) == (found.code, found.stdout), (output, module)


def test_without_a_module_it_converts(modules, data_dir):
    """No data directory is made, nor for a module from a file."""
    result = run("transform", "--input", "csv", "-O", "raw", stdin=b"a,b\n1,2\n")

    assert b'{"a":"1","b":"2"}\n' == result.stdout
    assert b"a\n" == transform(modules, "puppet", stdin=b"a\nd\n").stdout
    assert not data_dir.exists()


def test_files_are_read_in_their_order(modules):
    """`-` is stdin among them."""
    (modules / "one").write_bytes(b"1\nd\n")
    (modules / "two").write_bytes(b"2")

    assert b"1\ns\n2\n1\n" == (
        transform(modules, "puppet", "one", "-", "two", "one", stdin=b"s\n").stdout
    )
    missing = transform(modules, "puppet", "one", "no")
    assert (3, True) == (missing.code, "no: No such file or directory" in missing.stderr)


def test_raw_input_is_one_record(modules):
    """Newlines and all."""
    assert b"a\nd\n\n" == transform(modules, "puppet", "--raw", stdin=b"a\nd\n").stdout
    assert b"" == transform(modules, "puppet", "--raw", stdin=b"da\nd\n").stdout


def test_records_keep_what_modules_do_not_see(modules):
    """Timestamps of any distance, headers and null; numbers are places in the input."""
    lines = [
        json.dumps(
            {"key": f"k{number}", "value": None if number == 3 else f"x{number}"}
            | {"timestamp": stamp, "headers": [["n", str(number)], ["none", None]]}
        )
        for number, stamp in enumerate([0, 2**31, 5, 2**33, 2**31 - 1, 1_700_000_000_000])
    ]
    stdin = "\n".join([*lines[:1], '{"key":null,"value":"d"}', *lines[1:]]).encode()
    plain = run("transform", "--input", "records", "-O", "records", stdin=stdin).lines
    expected = [line for line in plain if '"d"' not in line]
    for module in ("puppet", "stateless", "twice"):
        result = transform(modules, module, "--input", "records", "-O", "records", stdin=stdin)
        twice = [line for line in expected for _ in range(1 + ('"x' in line))]
        assert twice == result.lines

    assert [0, 2, 3, 4, 5, 6] == [json.loads(line)["offset"] for line in expected]


def test_bad_input_is_told_and_left_out(modules):
    """Exit code 5, as produce's; the module sees the rest."""
    lines = b'{"value":"a","key":null}\n{\n{"value":"d","key":null}\n'
    result = transform(modules, "puppet", "--input", "records", "-O", "raw", stdin=lines)

    assert (5, b"a\n") == (result.code, result.stdout)
    assert "stdin, line 2: " in result.stderr
    assert "error: 1 of 3 records could not be read\n" in result.stderr


# -------------------------------------------------------------------------- failures

AGAIN = "started again after a failure: if it remembers records, not those before"
INFO = "SmartModule Info: \n    Type: Filter\n    Offset: 1\n    Key: NULL\n    Value: E2"


@pytest.mark.parametrize("module", ["puppet", "stateless"])
def test_on_error_stop(module, modules):
    """What came before is written; Fluvio's text; the hint names the ways on."""
    result = transform(modules, module, stdin=b"a\nE2\nb\n")

    assert (1, b"a\n") == (result.code, result.stdout)
    hint = (
        f'  in the SmartModule "{module}.wasm", offset 1 in the input; --on-error skip passes such '
        "records over, --on-error dead-letter=TOPIC keeps them"
    )
    assert f"error: SmartModule transform error bad\n\n{INFO}\n{hint}\n" == result.stderr


@pytest.mark.parametrize("module", ["puppet", "stateless"])
def test_on_error_skip(module, modules):
    """Ten are shown, the others counted."""
    stdin = b"a\n" + b"E\n" * 12 + b"b\nT\nc\n"
    result = transform(modules, module, "--on-error", "skip", stdin=stdin)
    lines = result.stderr.splitlines()
    if module == "puppet":
        assert f"{module}.wasm: {AGAIN}" == lines.pop(0)

    assert (5, b"a\nb\nc\n") == (result.code, result.stdout)
    assert [f"offset {n} in the input: {module}.wasm: bad" for n in range(1, 11)] == lines[:10]
    assert [
        "further failures are counted, not shown",
        "error: 13 records were skipped, of 16: a SmartModule failed at them",
        "  --on-error dead-letter=TOPIC keeps such records",
    ] == lines[10:]


@pytest.mark.parametrize("module", ["puppet", "stateless"])
def test_on_error_dead_letter(module, modules, data_dir):
    """As it was, with what failed and where; the topic is made if it is missing."""
    stdin = b"""\
{"key":null,"value":"a"}
{"key":null,"value":"E2","headers":[["h","v"],["none",null]],"timestamp":5}
{"key":"k","value":"T","timestamp":6}
{"key":null,"value":"b"}
"""
    options = ("--input", "records", "-O", "raw", "--on-error", "dead-letter=failed")
    result = transform(modules, module, *options, stdin=stdin)
    bad, trapped = (json.loads(line) for line in run("consume", "failed", "-BdO", "records").lines)

    assert (0, b"a\nb\n") == (result.code, result.stdout)
    again = f"puppet.wasm: {AGAIN}\n" if module == "puppet" else ""
    assert f"{again}2 records were sent to the topic failed\n" == result.stderr
    where = [["dataflare-topic", ""], ["dataflare-partition", "0"]]
    assert {
        "topic": "failed",
        "partition": 0,
        "offset": 0,
        "timestamp": 5,
        "timestamp_type": "create",
        "key": None,
        "value": "E2",
        "headers": [
            ["h", "v"],
            ["none", None],
            ["dataflare-module", f"{module}.wasm"],
            ["dataflare-error", "bad"],
            *where,
            ["dataflare-offset", "1"],
        ],
    } == bad
    assert ("k", "T", 6) == (trapped["key"], trapped["value"], trapped["timestamp"])
    assert [
        ["dataflare-module", f"{module}.wasm"],
        ["dataflare-error", "it trapped: wasm `unreachable` instruction executed"],
        *where,
        ["dataflare-offset", "2"],
    ] == trapped["headers"]


def test_nothing_failed(modules):
    """Then the topic of dead letters is there, and empty: it is made before anything is read."""
    result = transform(modules, "puppet", "--on-error", "dead-letter=failed", stdin=b"a\n")

    assert (0, "") == (result.code, result.stderr)
    assert (0, b"") == ((found := run("consume", "failed", "-B", "-d")).code, found.stdout)


def test_a_topic_of_dead_letters_that_can_not_be(modules, data_dir):
    """Its name is Kafka's rule; nothing was read."""
    result = transform(modules, "puppet", "--on-error", "dead-letter=a b", stdin=b"a\n")

    assert (1, b"") == (result.code, result.stdout)
    assert "Invalid Topic name 'a b'" in result.stderr


# ------------------------------------------------------------------------ parameters


def params_of(result: Result) -> dict[str, str]:
    """Read what wat.tells_params has told."""
    assert 0 == result.code, result.stderr
    count, at, found = int.from_bytes(result.stdout[:2], "big"), 2, []
    for _ in range(2 * count):
        size = int.from_bytes(result.stdout[at : at + 2], "big")
        found.append(result.stdout[at + 2 : at + 2 + size].decode("utf-8", "surrogateescape"))
        at += 2 + size
    return dict(zip(found[::2], found[1::2], strict=True))


def test_parameters_reach_the_module(modules, monkeypatch):
    """From the command line, the environment and files; the rest after `=` is the value."""
    monkeypatch.setenv("SECRET_KEY", "s3")
    (modules / "token").write_bytes(b"from a\nfile\n")
    options = ("-e", "a=1=2", "--params", "b=", "--param-env", "k=SECRET_KEY")
    result = transform(modules, "params", *options, "--param-file", "f=token", stdin=b"a\n")

    assert {"a": "1=2", "b": "", "k": "s3", "f": "from a\nfile"} == params_of(result)


def test_parameters_are_bytes(modules, monkeypatch):
    """What is not UTF-8 comes through as it is."""
    (modules / "token").write_bytes(b"\xff")
    result = transform(modules, "params", "--param-file", "f=token", stdin=b"a\n")

    assert {"f": "\udcff"} == params_of(result)


def test_parameters_of_transforms(modules):
    """From YAML, and from JSON; a line's or step's own."""
    run("smartmodule", "create", "params", "--wasm-file", modules / "params.wasm")
    (modules / "chain.yaml").write_text(
        "transforms:\n- uses: params\n  with: {key: 'yes', spec: {b: [1], a: x}}\n"
    )
    expected = {"key": "yes", "spec": '{"a":"x","b":[1]}'}
    line = json.dumps({"uses": "params", "with": {"key": "yes", "spec": {"a": "x", "b": [1]}}})
    for options in (
        ("--transforms", "chain.yaml"),
        ("-t", "chain.yaml"),
        ("--transforms-file", "chain.yaml"),
        ("--transforms-line", line),
        ("--transform", line),
    ):
        assert expected == params_of(transform(modules, None, *options, stdin=b"a\n"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-e", "key"], "--params: not NAME=VALUE"),
        (["-e", "=v"], "--params: not NAME=VALUE"),
        (["-e", "a=1", "-e", "a=2"], "--params: the parameter 'a' is given twice"),
        (["-e", "a=1", "--param-env", "a=HOME"], "--param-env: the parameter 'a' is given twice"),
        (["--param-env", "a=NOT_SET"], "--param-env: the environment variable NOT_SET is not set"),
        (["--param-env", "a"], "--param-env: not NAME=VALUE"),
        (["-e", "a=" + "x" * 32_768], "parameter 'a' has 32768 bytes"),
        (["--param-file", "a=large"], "large: is larger than 32767 bytes"),
    ],
)
def test_parameters_that_make_no_sense(options, message, modules):
    """Exit code 2, before anything is read."""
    (modules / "large").write_bytes(b"x" * 32_768)
    result = transform(modules, "params", *options, stdin=b"a\n")

    assert (2, b"", True) == (result.code, result.stdout, message in result.stderr)


def test_a_parameter_file_that_is_not_there(modules):
    """Its path is told; a directory is none."""
    missing = transform(modules, "params", "--param-file", "a=no", stdin=b"a\n")
    directory = transform(modules, "params", "--param-file", "a=.", stdin=b"a\n")

    assert (1, f"error: File not found: {modules / 'no'}\n") == (missing.code, missing.stderr)
    assert (3, True) == (directory.code, "Is a directory" in directory.stderr)


@pytest.mark.parametrize(
    ("module", "options", "code"),
    [
        ("puppet", (), 1),
        ("puppet", ("--on-error", "skip"), 5),
        ("puppet", ("--on-error", "dead-letter=failed"), 0),
        ("puppet", ("--on-error", "often"), 2),
        ("puppet", ("--sm-memory", "1"), 1),
        ("puppet", ("--sm-time", "soon"), 2),
        ("puppet", ("--locked",), 1),
        ("puppet", ("-e", "key=other"), 2),
        ("puppet", ("-e", "long=" + "x" * 40_000), 2),
        ("puppet", ("--transforms", "no"), 2),
        ("refuses", (), 1),
        ("absent", (), 3),
    ],
)
@pytest.mark.parametrize("source", ["--param-env", "--param-file"])
def test_secrets_are_never_told(module, options, code, source, modules, monkeypatch):
    """Not in any error, with -v, in dead letters, nor as JSON: only their names are."""
    monkeypatch.setenv("TOKEN", SECRET)
    (modules / "TOKEN").write_text(SECRET)
    words = ("-v", "--log-level", "debug", "transform", "--smartmodule-path", f"{module}.wasm")
    result = run(*words, source, "key=TOKEN", *options, stdin=b"a\nE\nT\nb\n", cwd=modules)
    letters = run("consume", "failed", "-BdO", "records") if code == 0 else result

    assert code == result.code, result.stderr
    assert SECRET not in result.stderr + result.text + letters.text + letters.stderr


@pytest.mark.parametrize("source", ["--param-env", "--param-file"])
def test_a_built_in_module_does_not_tell_a_secret(source, modules, monkeypatch):
    """Also where it is one that it can't take."""
    monkeypatch.setenv("TOKEN", SECRET)
    (modules / "TOKEN").write_text(SECRET)
    words = ("transform", "--sm", "redact", "-e", "fields=a", source, "mode=TOKEN")
    result = run(*words, stdin=b"{}\n", cwd=modules)

    assert (1, False) == (result.code, SECRET in result.stderr)
    assert "Invalid param mode=***" in result.stderr


def test_a_secret_that_is_too_long_is_not_told(modules, monkeypatch):
    """Its size is."""
    monkeypatch.setenv("TOKEN", SECRET * 2000)
    result = transform(modules, "puppet", "--param-env", "key=TOKEN", stdin=b"a\n")

    assert (2, False) == (result.code, SECRET in result.stderr)
    assert f"parameter 'key' has {2000 * len(SECRET)} bytes" in result.stderr


# ---------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        ("L", ("--sm-time", "50ms"), "it took longer than the limit of 0.05 s a call (--sm-time)"),
        ("B", ("--sm-memory", "20MB"), "SmartModule memory limit exceeded: it has "),
        (
            "x",
            ("--sm-records-out", "1"),
            "it made 2 records of one record, more than the limit of 1 a record (--sm-records-out)",
        ),
        (
            "x" * 1000,
            ("--sm-bytes-out", "300"),
            "bytes of one record, more than the limit of 300 a record (--sm-bytes-out)",
        ),
    ],
)
@pytest.mark.parametrize("module", ["puppet", "stateless"])
def test_limits(module, value, options, text, modules):
    """Each has a flag, which the error names; a record beyond one is a failure like others."""
    stdin = f"a\n{value}\nb\n".encode()
    stop = transform(modules, module, *options, stdin=stdin)
    skip = transform(modules, module, *options, "--on-error", "skip", stdin=stdin)

    assert (1, b"a\n", True) == (stop.code, stop.stdout, text in stop.stderr), stop.stderr
    assert (5, b"a\nb\n", True) == (skip.code, skip.stdout, text in skip.stderr)


def test_limits_are_settings(modules, monkeypatch):
    """As variables; the flag counts more."""
    monkeypatch.setenv("DATAFLARE_SMARTMODULE_RECORDS_OUT", "1")
    options = ("--sm-records-out", "2")

    assert 1 == transform(modules, "puppet", stdin=b"x\n").code
    assert b"x\nx\n" == transform(modules, "puppet", *options, stdin=b"x\n").stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sm-memory", "0"), "--sm-memory: 0 bytes is out of its limits (1 to 4294967296)"),
        (("--sm-memory", "5GiB"), "--sm-memory: 5368709120 bytes is out of its limits"),
        (("--sm-memory", "much"), 'invalid size "much"'),
        (("--sm-time", "5"), "not a duration: '5'"),
        (("--sm-records-out", "0"), "--sm-records-out"),
    ],
)
def test_limits_that_make_no_sense(options, message, modules):
    """Exit code 2."""
    result = transform(modules, "puppet", *options, stdin=b"a\n")

    assert (2, True) == (result.code, message in result.stderr)


# ---------------------------------------------------------------------------- chains


def test_a_chain_runs_in_its_order(modules):
    """In a file, and line by line: what one drops, the next never sees."""
    for name, words in (("drops", "d"), ("doubles", "x"), ("fails", "Ed")):
        (modules / f"{name}.wasm").write_bytes(wat.puppet(words=words))
        run("smartmodule", "create", name, "--wasm-file", modules / f"{name}.wasm")
    (modules / "chain.yaml").write_text(
        "transforms:\n- uses: doubles\n- uses: drops\n- uses: doubles\n"
    )
    lines = ("--transforms-line", '{"uses": "drops"}', "--transforms-line", '{"uses": "fails"}')
    chain = transform(modules, None, "-t", "chain.yaml", stdin=b"a\nd\nx\n")
    stop = transform(modules, None, *lines, stdin=b"d\na\nE\n")

    assert b"a\nx\nx\nx\nx\n" == chain.stdout
    assert (1, b"a\n") == (stop.code, stop.stdout)
    assert 'in the SmartModule "fails", offset 2 in the input' in stop.stderr


def test_the_short_ways_have_a_fixed_order(modules):
    """--match sees records as they are, what follows does not see what --redact hides."""
    mail = b'{"mail":"a@b","n":1}\n'
    stdin = mail + b'{"mail":"c@d","n":2}\n'
    options = ("--jq", ".mail", "--redact", "mail", "--match", "a@b")

    assert b'"***"\n' == transform(modules, None, *options, stdin=stdin).stdout
    assert b"" == transform(modules, None, "--match", r"\*", "--redact", "mail", stdin=stdin).stdout
    (modules / "t.wasm").write_bytes(wat.puppet(words=""))
    both = transform(modules, "t", *options[2:], "--jq", "[.mail, .n]", "-O", "raw", stdin=stdin)
    assert b'["***",1]\n' == both.stdout


def test_an_aggregate_begins_with_what_is_asked_for(modules):
    """One output for each record."""
    options = ("--sm", "sum", "-e", "field=n")
    stdin = b'{"n":1}\n{"n":5}\n'

    assert ["1", "6"] == transform(modules, None, *options, stdin=stdin).lines
    for name in ("--a-init", "--aggregate-initial"):
        assert ["11", "16"] == transform(modules, None, *options, name, "10", stdin=stdin).lines


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--sm a --smartmodule-path b", "--smartmodule, --smartmodule-path can't be used together"),
        ("--sm a -t b", "--smartmodule, --transforms can't be used together"),
        (
            "--sm_path a -t b --transforms-line c",
            "--smartmodule-path, --transforms, --transforms-line can't be used together",
        ),
        ("-e a=1", "--params needs --smartmodule or --smartmodule-path"),
        ("--param-env a=HOME -t b", "--param-env needs --smartmodule or --smartmodule-path"),
        ("--param-file a=b --match c", "--param-file needs --smartmodule or --smartmodule-path"),
        ("--lookback-last 1", "--lookback-last needs --smartmodule or --smartmodule-path"),
        ("--lookback-age 1h", "--lookback-age needs --smartmodule or --smartmodule-path"),
        ("--a-init 1", "--aggregate-initial needs a SmartModule"),
        ("--locked", "--locked needs a SmartModule"),
        ("--parallel", "--parallel needs a SmartModule"),
        ("--on-error skip", "--on-error needs a SmartModule"),
        ("--sm a --on-error ignore", "--on-error: 'ignore' is not stop, skip or dead-letter=TOPIC"),
        ("--sm a --on-error dead-letter=", "'dead-letter=' is not stop, skip or dead-letter"),
        ("--sm a --on-error dead-letter", "'dead-letter' is not stop, skip or dead-letter=TOPIC"),
        ("--sm a --lookback-age soon", "not a duration: 'soon'"),
        ("--sm a --lookback-last -1", "lookback-last"),
        ("-O csv -F x", "-O, -F can't be used together"),
        ("--raw --input csv", "--raw, --input can't be used together"),
        ("--input xml", "--input: 'xml' is not one of lines, records"),
        ("-t /dev/null", "/dev/null: expected names and values"),
        ("--transforms-line x", "unable to parse `transform` argument"),
    ],
)
def test_options_that_contradict_each_other(options, message, modules, data_dir):
    """Exit code 2; nothing is read, and no data directory made."""
    result = run("transform", *options.split(), stdin=b"a\n", cwd=modules)

    assert (2, b"") == (result.code, result.stdout)
    assert message in result.stderr
    assert not data_dir.exists()


def test_options_come_before_what_they_name(modules):
    """A module that is not there does not hide that options make no sense."""
    result = transform(modules, "absent", "--on-error", "often", stdin=b"a\n")

    assert (2, True) == (result.code, "--on-error: 'often'" in result.stderr)


def test_a_module_that_is_none(modules):
    """Said before anything is read."""
    (modules / "text.wasm").write_text("(module)")
    text = transform(modules, "text", stdin=b"a\n")
    refused = transform(modules, "refuses", stdin=b"a\n")

    assert (1, b"") == (text.code, text.stdout)
    assert "SmartModule text.wasm is invalid: it is WebAssembly text" in text.stderr
    assert (1, b"") == (refused.code, refused.stdout)
    assert (
        "error: SmartModule refuses.wasm: SmartModule init error Missing param key\n"
        '  in the SmartModule "refuses.wasm"\n'
    ) == refused.stderr


def test_a_module_without_a_data_directory(modules, data_dir):
    """It is not found; the hint says what there may be."""
    result = run("transform", "--sm", "zzzzzz", stdin=b"a\n")

    assert (1, False) == (result.code, data_dir.exists())
    assert "error: SmartModule zzzzzz was not found\n" in result.stderr


# -------------------------------------------------------------------- several cores


@pytest.mark.parametrize("options", [("-O", "raw"), ("-O", "csv"), ("-O", "records"), ("-k",)])
def test_the_parallel_way_writes_what_the_serial_way_does(options, modules):
    """A module that keeps nothing, over many blocks: every record, in its order."""
    lines = []
    for number in range(120_000):
        word = "adxab"[int(hashlib.md5(b"%d" % number).hexdigest(), 16) % 5]
        lines.append(f"k{number % 7}:{word}{number} {'.' * (number % 60)}")
    stdin = "\n".join(lines).encode()
    more = ("--key-separator", ":", "--timestamp", "1700000000000", *options)
    serial = transform(modules, "puppet", *more, stdin=stdin)
    parallel = transform(modules, "stateless", *more, stdin=stdin)

    digests = [hashlib.sha256(each.stdout).hexdigest() for each in (serial, parallel)]
    assert (0, 0, digests[0]) == (serial.code, parallel.code, digests[1])
    assert len(serial.stdout) > 2_000_000


@pytest.mark.parametrize("module", ["puppet", "stateless"])
def test_a_failure_far_behind_is_at_the_right_record(module, modules):
    """Everything before it is written, nothing after it; skipped, only itself is missing."""
    lines = [b"a%d" % number for number in range(200_000)]
    lines[150_000] = b"E"
    stdin = b"\n".join(lines)
    stop = transform(modules, module, stdin=stdin)
    skip = transform(modules, module, "--on-error", "skip", stdin=stdin)

    assert (1, lines[:150_000]) == (stop.code, stop.stdout.splitlines())
    assert "    Offset: 150000\n" in stop.stderr
    assert (5, lines[:150_000] + lines[150_001:]) == (skip.code, skip.stdout.splitlines())
    assert f"offset 150000 in the input: {module}.wasm: bad\n" in skip.stderr


def test_parallel_may_be_asked_for(modules):
    """Of a module that does not say it keeps nothing; the order stays."""
    lines = [b"a%d" % number for number in range(200_000)]
    result = transform(modules, "puppet", "--parallel", stdin=b"\n".join(lines))

    assert lines == result.stdout.splitlines()
