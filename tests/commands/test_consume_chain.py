"""`dataflare consume` through SmartModules: what is kept, where it stops, and resumes."""

import hashlib
import itertools
import json
import random
import signal
import time
from pathlib import Path

import pytest
import wat

from tests.busy import wait_until_busy
from tests.harness import Result, run, start_process

WAIT_S = 60
LONG = "100s"
# What it asks for is worked on by all cores, unless something else needs an order.
SAID = {"stateless": True}
MODULES = {
    "puppet": wat.puppet(),
    "map": wat.puppet(kind="map"),
    "stateless": wat.with_metadata(wat.puppet(words="TLBEdx"), SAID),
    "twice": wat.puppet(kind="array_map"),
    "forgetful": wat.puppet(kind="array_map", forgets=True),
    "params": wat.tells_params(),
    "fed": wat.tells_fed(),
}
BOTH = pytest.mark.parametrize("module", ["puppet", "stateless"])
# Sums of these are apart by more than 32 bits of milliseconds, both ways.
STAMPS = [0, 1, 2**31 - 1, 2**31, 2**31 + 1, 2**33, 5, 2**40, 1_700_000_000_000, 3, 253402300799999]


@pytest.fixture
def modules(data_dir: Path, tmp_path: Path) -> Path:
    """A directory with modules as files."""
    for name, wasm in MODULES.items():
        (tmp_path / f"{name}.wasm").write_bytes(wasm)
    return tmp_path


def produce(topic: str, *values: str, options: tuple[str, ...] = ("--create",)) -> None:
    stdin = "".join(f"{value}\n" for value in values).encode()
    assert 0 == run("produce", topic, *options, stdin=stdin).code


def consume(modules: Path, module: str | None, *options: str | Path) -> Result:
    """Read `t` from its beginning to its end, through a module."""
    chosen = () if module is None else ("--smartmodule-path", f"{module}.wasm")
    start = () if {"-o", "-T", "-B", "-c"} & set(options) else ("-B",)
    return run("consume", "t", "-d", *start, *chosen, *options, cwd=modules)


# ------------------------------------------------------------------- what is kept


@pytest.mark.parametrize("module", ["puppet", "map", "stateless", "twice", "forgetful"])
@pytest.mark.parametrize(
    "output",
    [
        ("-O", "records"),
        ("-O", "CSV"),
        ("-F", "{{key}} {{value}} {{offset}} {{time}} {{headers}}"),
        ("-F", " {{value}} {{headers}}"),
        ("-f", " %v %h\\n"),
        ("-f", " %v %o\\n"),
    ],
    ids=["records", "csv", "template", "headers", "verb-headers", "verb-offset"],
)
def test_records_stay_what_they_were(module, output, modules):
    """Offset, time, headers, key and null, whichever module passed them on."""
    lines = [
        json.dumps(
            {"key": None if number % 3 else f"k{number}", "timestamp": stamp}
            | {"value": None if number == 4 else "" if number == 5 else f"v{number}"}
            | {"headers": [["n", str(number)], ["none", None]]}
        )
        for number, stamp in enumerate(STAMPS * 3)
    ]
    drop = '{"key":"x","value":"d","timestamp":7}'
    lines = [line for pair in zip(lines, itertools.repeat(drop), strict=False) for line in pair]
    for part in (lines[:9], lines[9:10], lines[10:]):
        produce("t", *part, options=("--create", "--input", "records"))
    plain = consume(modules, None, *output).lines
    kept = [line for line in plain if not ('"d"' in line or ",d" in line or " d " in line)]

    assert len(lines) // 2 == len(kept) - (output[1] == "CSV")
    assert kept == consume(modules, module, *output).lines


def test_outputs_of_one_record_share_what_it_had(modules):
    """An array_map's: each has the offset, the time and the headers of its source."""
    options = ("--create", "--input", "records")
    produce("t", '{"key":"k","value":"x","timestamp":5,"headers":[["h","v"]]}', options=options)
    produce("t", '{"key":null,"value":"a","timestamp":6}', options=options)
    first, second, last = (
        json.loads(line) for line in consume(modules, "twice", "-O", "records").lines
    )

    assert first == second
    assert (0, 5, [["h", "v"]]) == (first["offset"], first["timestamp"], first["headers"])
    assert (1, 6) == (last["offset"], last["timestamp"])


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_compressed_topics(compression, modules):
    """Are read like others."""
    values = [f"{'adx'[number % 3]}{number}" for number in range(5000)]
    produce("t", *values, options=("--create", "--compression", compression))
    expected = [each for each in values for _ in range({"a": 1, "d": 0, "x": 2}[each[0]])]

    assert expected == consume(modules, "puppet").lines
    assert expected == consume(modules, "stateless").lines


# --------------------------------------------------------------- where it stops


@BOTH
def test_a_filter_that_drops_everything_ends(module, modules):
    """-d ends at the end, though nothing is ever printed; so do -n and --idle-timeout."""
    produce("t", *["d"] * 1000)

    for options in ((), ("-n", "1"), ("-O", "csv"), ("--order", "time"), ("-G", "v:a")):
        result = consume(modules, module, *options)
        assert (0, "") == (result.code, result.stderr)
        assert [] == [line for line in result.lines if not line.startswith("topic,")]
    chosen = ("--smartmodule-path", f"{module}.wasm", "--idle-timeout", "50ms")
    assert (0, b"") == ((idle := run("consume", "t", "-B", *chosen, cwd=modules)).code, idle.stdout)


@BOTH
@pytest.mark.parametrize("output", ["raw", "records", "csv"])
def test_so_many_records_come_out(module, output, modules):
    """-n counts what is printed: what was dropped is not, what was made twice is."""
    values = [f"{'dax'[number % 3]}{number}" for number in range(900)]
    produce("t", *values)
    everything = consume(modules, module, "-O", output).lines
    header = output == "csv"

    for count in (0, 1, 2, 3, 256, 257, 800, 900, 901, 5000):
        found = consume(modules, module, "-O", output, "-n", str(count)).lines
        assert everything[: count + header] == found


@BOTH
def test_an_end_is_one_of_offsets(module, modules):
    """--end and -o mean records as they are stored."""
    produce("t", *"abdcdef")

    assert ["a", "b", "c"] == consume(modules, module, "--end", "4").lines
    assert ["c", "e"] == consume(modules, module, "-o", "2:6").lines
    assert ["e", "f"] == consume(modules, module, "-T", "3").lines


@BOTH
def test_on_error_stop(module, modules):
    """What came before is printed; topic, partition and offset are told."""
    produce("t", "a", "b", "d", "E2", "c")
    result = consume(modules, module)

    assert (1, b"a\nb\n") == (result.code, result.stdout)
    assert (
        "error: SmartModule transform error bad\n\nSmartModule Info: \n    Type: Filter\n"
        "    Offset: 3\n    Key: NULL\n    Value: E2\n"
        f'  in the SmartModule "{module}.wasm", t-0, offset 3; --on-error skip passes such '
        "records over, --on-error dead-letter=TOPIC keeps them\n"
    ) == result.stderr


@BOTH
@pytest.mark.parametrize("options", [(), ("-O", "csv"), ("-G", "v:a|b|c")])
def test_on_error_skip(module, options, modules):
    """All others are printed; exit code 5 says how many were not."""
    produce("t", "a", "E", "b", "T", "d", "c")
    result = consume(modules, module, "--on-error", "skip", *options)

    assert (5, ["a", "b", "c"]) == (result.code, [line[-1] for line in result.lines[-3:]])
    assert f"t-0, offset 1: {module}.wasm: bad\n" in result.stderr
    assert f"t-0, offset 3: {module}.wasm: it trapped: " in result.stderr
    assert "error: 2 records were skipped, of 6: a SmartModule failed at them\n" in result.stderr


@BOTH
def test_on_error_dead_letter(module, modules):
    """In the partition like that of its source, as it was, once."""
    run("topic", "create", "t", "-p", "3")
    run("topic", "create", "failed", "-p", "2")
    for partition in range(3):
        lines = [f"a{partition}", f"E{partition}", f"b{partition}"]
        produce("t", *lines, options=("-p", str(partition)))
    result = consume(modules, module, "--on-error", "dead-letter=failed")
    letters = [json.loads(line) for line in run("consume", "failed", "-BdO", "records").lines]
    places = {(each["value"], each["partition"]): dict(each["headers"][-3:]) for each in letters}

    assert (0, ["a0", "a1", "a2", "b0", "b1", "b2"]) == (result.code, sorted(result.lines))
    assert "3 records were sent to the topic failed\n" == result.stderr
    assert {
        ("E0", 0): place(0),
        ("E1", 1): place(1),
        ("E2", 0): place(2),
    } == places


@BOTH
def test_a_limit_is_reached_before_the_failure_behind_it(module, modules):
    """Who asked for two records has them, and no error; of the failure, nothing is counted yet."""
    produce("t", "a", "b", "E", "c")
    two = consume(modules, module, "-n", "2")
    options = ("-c", "reader", "--on-error", "dead-letter=failed")
    first = consume(modules, module, "-B", *options, "-n", "2")
    second = consume(modules, module, "-B", *options)

    assert (0, ["a", "b"], "") == (two.code, two.lines, two.stderr)
    assert (["a", "b"], ["c"]) == (first.lines, second.lines)
    assert ["E"] == run("consume", "failed", "-B", "-d").lines


def place(partition: int) -> dict[str, str]:
    return {
        "dataflare-topic": "t",
        "dataflare-partition": str(partition),
        "dataflare-offset": "1",
    }


def test_dead_letters_do_not_go_where_records_come_from(modules):
    """That would never end."""
    produce("t", "a")
    result = consume(modules, "puppet", "--on-error", "dead-letter=t")

    assert (2, b"") == (result.code, result.stdout)
    assert (
        "error: --on-error: dead letters can't go to t, where the records belong\n"
        "  --on-error dead-letter=t-failed\n"
    ) == result.stderr


def test_a_reader_changes_nothing(modules, data_dir):
    """Without dead letters and a consumer nothing is written."""
    produce("t", "a", "E")
    before = hashlib.sha256((data_dir / "data.mdb").read_bytes()).digest()
    result = consume(modules, "puppet", "--on-error", "skip")

    assert (5, ["a"]) == (result.code, result.lines)
    assert before == hashlib.sha256((data_dir / "data.mdb").read_bytes()).digest()


# ------------------------------------------------------------------- consumers


@BOTH
@pytest.mark.parametrize("seed", range(4))
def test_a_consumer_resumes_without_loss_or_repetition(module, seed, modules):
    """Whatever numbers of records it is stopped at, dropped ones between them or not."""
    chance = random.Random(seed)
    run("topic", "create", "t", "-p", str(1 + seed % 2))
    values = [f"{chance.choice('addb')}{number}" for number in range(700)]
    produce("t", *values, options=())
    printed: list[str] = []
    counts = itertools.chain([1, 2, 0, 5], iter(lambda: chance.randrange(1, 200), None))
    for count in counts:
        more = consume(modules, module, "-c", "reader", "-B", "-n", str(count)).lines
        printed += more
        if count and not more:
            break

    assert sorted(each for each in values if each[0] != "d") == sorted(printed)


@BOTH
@pytest.mark.parametrize("options", [(), ("-O", "csv"), ("--order", "time"), ("-G", "v:a|b")])
def test_a_consumer_that_came_to_the_end_sees_what_is_new(module, options, modules):
    """Whichever way it printed."""
    produce("t", "a1", "d", "b1")
    chosen = ("-c", "reader", "-B", *options)
    first = consume(modules, module, *chosen).lines
    produce("t", "d", "a2")
    second = consume(modules, module, *chosen).lines

    assert ["a1", "b1"] == [line[-2:] for line in first[-2:]]
    assert ["a2"] == [line[-2:] for line in second if line[-2:] != "ue"]
    assert [] == [line for line in consume(modules, module, *chosen).lines if line[-2:] != "ue"]


@BOTH
@pytest.mark.parametrize("options", [(), ("-O", "csv"), ("--order", "time"), ("-G", "v:.")])
def test_a_consumer_that_a_failure_stopped_resumes_at_it(module, options, modules):
    """What was printed is not printed again; the record is tried again, and may be skipped."""
    produce("t", "a", "d", "b", "E", "c")
    chosen = ("-c", "reader", "-B", *options)
    first = consume(modules, module, *chosen)
    second = consume(modules, module, *chosen)
    third = consume(modules, module, *chosen, "--on-error", "skip")

    assert (1, 1, 5) == (first.code, second.code, third.code)
    assert ["a", "b"] == [line[-1] for line in first.lines[-2:]]
    assert [] == [line for line in second.lines if not line.startswith("topic,")]
    assert ["c"] == [line[-1] for line in third.lines if not line.startswith("topic,")]


@BOTH
def test_what_was_dropped_counts_as_seen(module, modules):
    """A consumer whose filter drops all is not behind."""
    produce("t", *["d"] * 500)
    consume(modules, module, "-c", "reader", "-B")
    (row,) = run("consumer", "list", "-O", "json").json

    assert (499, 0) == (row["offset"], row["lag"])


@BOTH
def test_no_commit_only_looks(module, modules):
    """The consumer stays where it is."""
    produce("t", "a", "d", "b")
    consume(modules, module, "-c", "reader", "-B", "-n", "1")

    for _ in range(2):
        assert ["b"] == consume(modules, module, "-c", "reader", "--no-commit").lines
    assert ["b"] == consume(modules, module, "-c", "reader").lines


@BOTH
def test_a_follower_that_is_stopped_resumes_behind_what_it_printed(module, modules):
    """SIGTERM: all that came out is stored as seen, but for what it was writing just then."""
    produce("t", "a0")
    words = ("consume", "t", "-B", "-c", "reader", "--smartmodule-path", f"{module}.wasm")
    with start_process(*words, cwd=modules) as follower:
        assert follower.stdout is not None
        assert b"a0\n" == follower.stdout.readline()
        for number in range(1, 6):
            produce("t", "d", f"a{number}")
            assert b"a%d\n" % number == follower.stdout.readline()
        follower.terminate()
        assert (b"", b"") == follower.communicate(timeout=WAIT_S)
    produce("t", "a6")

    assert 143 == follower.returncode
    assert consume(modules, module, "-c", "reader").lines in (["a6"], ["a5", "a6"])


# ------------------------------------------------------------ several partitions


@pytest.mark.parametrize("options", [(), ("-O", "csv"), ("--order", "time"), ("-G", "v:o|a")])
def test_a_module_that_remembers_has_an_instance_for_each_partition(options, modules):
    """Each keeps the first `o` of its partition, and only that."""
    run("topic", "create", "t", "-p", "3")
    for partition in range(3):
        produce("t", *[f"o{partition}{n}" for n in range(5)], options=("-p", str(partition)))
    lines = consume(modules, "puppet", *options).lines

    assert ["o00", "o10", "o20"] == sorted(line[-3:] for line in lines if line[-3] == "o")
    assert ["o20"] == consume(modules, "puppet", "-p", "2").lines


@BOTH
def test_order_time_merges_what_modules_made(module, modules):
    """Partitions by their timestamps; a partition's own order stays; -n counts in it."""
    run("topic", "create", "t", "-p", "3")
    chance = random.Random(1)
    stamp = 1_700_000_000_000
    for _ in range(300):
        stamp += chance.randrange(1, 1000)
        word, partition = chance.choice("adxb"), chance.randrange(3)
        options = ("--timestamp", str(stamp), "-p", str(partition))
        produce("t", f"{word}{stamp}", options=options)
    expected = [
        line
        for line in consume(modules, None, "--order", "time").lines
        for _ in range({"d": 0, "x": 2}.get(line[0], 1))
    ]

    assert sorted(expected, key=lambda line: line[1:]) == expected
    assert expected == consume(modules, module, "--order", "time").lines
    assert expected[:77] == consume(modules, module, "--order", "time", "-n", "77").lines


def test_grep_sees_what_the_chain_made(modules):
    """Not what is stored: the module's output has the parameter in it, no record does."""
    produce("t", "a", "b")
    grep = ("-e", "key=needle", "-O", "raw", "-G")

    assert b"needle" in consume(modules, "params", *grep, "v:needle").stdout
    assert b"" == consume(modules, "params", *grep, "v:^a$").stdout


def test_a_limit_counts_what_grep_leaves(modules):
    """First the chain, then -G, then -n."""
    produce("t", "x1", "a1", "d1", "x2", "x3")

    assert ["x1", "x1", "x2"] == consume(modules, "twice", "-G", "v:x", "-n", "3").lines


# ---------------------------------------------------------------------- look-back


def fed(result: Result) -> list[int]:
    """Return what wat.tells_fed has told: how many stored records it was given first."""
    assert 0 == result.code, result.stderr
    told = result.stdout.removesuffix(b"\n")
    assert 4 <= len(told)
    return [int.from_bytes(told[at : at + 4], "big") for at in range(0, len(told), 5)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("-o", "6"), 0),
        (("-o", "6", "--lookback-last", "4"), 4),
        (("-o", "6", "-l", "100"), 6),
        (("-o", "6", "-l", "0"), 0),
        (("-B", "-l", "4"), 0),
        (("-T", "1", "-l", "4"), 4),
    ],
)
def test_lookback_last(options, expected, modules):
    """The last so many before the first one that it is given."""
    produce("t", *"abcdefghij")

    assert [expected] == fed(consume(modules, "fed", "-O", "raw", *options))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--lookback-age", "90m"), 3),
        (("--lookback-age", "3h"), 7),
        (("--lookback-age", "3h", "-l", "5"), 4),
        (("--lookback-age", "90m", "-l", "2"), 1),
        (("--lookback-age", "1s"), 0),
    ],
)
def test_lookback_age(options, expected, modules):
    """By the records' own time, in whichever order they came; with -l only of the last ones."""
    for hours, count in ((9, 3), (2, 4), (1, 2), (9, 1), (1, 1)):
        produce("t", *"v" * count, options=("--create", "--timestamp", f"-{hours}h"))
    produce("t", "last")

    assert [expected] == fed(consume(modules, "fed", "-O", "raw", "-T", "1", *options))


def test_each_partition_looks_back_at_its_own(modules):
    """And at no other's."""
    run("topic", "create", "t", "-p", "2")
    produce("t", *"abcdef", options=("-p", "0"))
    produce("t", *"ab", options=("-p", "1"))
    result = consume(modules, "fed", "-O", "raw", "-T", "1", "-l", "100")

    assert [1, 5] == sorted(fed(result))


def test_parallel_needs_modules_that_remember_nothing(modules):
    """Who is fed something first is no stranger to what comes before."""
    produce("t", *"abcdefghij")
    result = consume(modules, "fed", "-O", "raw", "-o", "6", "-l", "4", "--parallel")

    assert (2, b"") == (result.code, result.stdout)
    assert "fed.wasm keeps something from record to record" in result.stderr


def test_a_follower_looks_back_from_the_end(modules):
    """What is new comes after what it was fed."""
    produce("t", *"abcdef")
    words = ("consume", "t", "-O", "raw", "-l", "4", "--smartmodule-path", "fed.wasm", "-n", "1")
    with start_process(*words, "-c", "reader", cwd=modules) as follower:
        while not run("consumer", "list", "-O", "json").json:
            assert follower.poll() is None
        produce("t", "new")
        stdout, stderr = follower.communicate(timeout=WAIT_S)

    assert (0, b"", b"\0\0\0\4\n") == (follower.returncode, stderr, stdout)


def test_a_step_of_a_chain_has_its_own_look_back(modules):
    """As written in the file."""
    run("smartmodule", "create", "fed", "--wasm-file", modules / "fed.wasm")
    (modules / "chain.yaml").write_text("transforms:\n- uses: fed\n  lookback: {last: 3}\n")
    produce("t", *"abcdef")

    options = ("-O", "raw", "-T", "1", "-t", "chain.yaml")
    assert [3] == fed(consume(modules, None, *options))


# ------------------------------------------------------------------- several cores


@pytest.mark.parametrize(
    "output", [("-O", "raw"), ("-O", "records"), ("-F", "{{partition}} {{offset}} {{value}}")]
)
def test_the_parallel_way_prints_what_the_serial_way_does(output, modules):
    """Many runs of two partitions: of each, every record in its order."""
    run("topic", "create", "t", "-p", "2")
    lines = []
    for number in range(150_000):
        word = "adxab"[int(hashlib.md5(b"%d" % number).hexdigest(), 16) % 5]
        lines.append(f"k{number % 9}:{word}{number} {'.' * (number % 60)}")
    produce("t", *lines, options=("--key-separator", ":"))

    for partition in ("0", "1"):
        serial = consume(modules, "puppet", "-p", partition, *output)
        parallel = consume(modules, "stateless", "-p", partition, *output)
        digests = [hashlib.sha256(each.stdout).hexdigest() for each in (serial, parallel)]
        assert (0, 0, digests[0]) == (serial.code, parallel.code, digests[1])
        assert len(serial.stdout) > 1_000_000
    both = [consume(modules, module, *output).lines for module in ("puppet", "stateless")]
    assert sorted(both[0]) == sorted(both[1])


@BOTH
def test_a_failure_far_behind_is_at_the_right_record(module, modules):
    """Everything before it is printed, nothing after it; skipped, only itself is missing."""
    values = [f"a{number}" for number in range(200_000)]
    values[150_000] = "E"
    produce("t", *values)
    stop = consume(modules, module)
    skip = consume(modules, module, "--on-error", "skip")

    assert (1, values[:150_000]) == (stop.code, stop.lines)
    assert "t-0, offset 150000;" in stop.stderr
    assert (5, values[:150_000] + values[150_001:]) == (skip.code, skip.lines)
    assert "error: 1 record was skipped, of 200000: a SmartModule failed at them" in skip.stderr


# ------------------------------------------------------------- from where modules come


def test_a_table_format_brings_its_module(modules):
    """Unless another one is asked for."""
    run("smartmodule", "create", "puppet", "--wasm-file", modules / "puppet.wasm")
    (modules / "t.yaml").write_text(
        "name: slim\ninputFormat: JSON\nsmartmodule: puppet\ncolumns:\n- keyPath: n\n"
    )
    assert 0 == run("table-format", "create", "-c", modules / "t.yaml").code
    run("smartmodule", "create", "twice", "--wasm-file", modules / "twice.wasm")
    produce("t", '{"n":1}', "d", '{"n":2}')
    options = ("-O", "table", "--table-format", "slim")
    result = consume(modules, None, *options)

    assert [["n"], ["1"], ["2"]] == [line.split() for line in result.lines]
    assert "" == result.stderr


def test_a_module_that_was_deleted(modules):
    """Is not found, though another process may still run it."""
    run("smartmodule", "create", "puppet", "--wasm-file", modules / "puppet.wasm")
    produce("t", "a", "d")
    words = ("consume", "t", "-B", "--sm", "puppet")
    with start_process(*words, cwd=modules) as follower:
        assert follower.stdout is not None
        assert b"a\n" == follower.stdout.readline()
        run("smartmodule", "delete", "puppet")
        produce("t", "d", "b")
        assert b"b\n" == follower.stdout.readline()


@BOTH
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_a_signal_ends_a_module_that_never_ends(number, code, module, modules):
    """At once; its consumer is where the output ended."""
    produce("t", "a")
    words = ("consume", "t", "-B", "-c", "reader", "--sm-time", LONG)
    with start_process(*words, "--smartmodule-path", f"{module}.wasm", cwd=modules) as follower:
        assert follower.stdout is not None
        assert b"a\n" == follower.stdout.readline()
        produce("t", "L")
        # It has gone for the record when its bell was heard: busy from then on.
        wait_until_busy(follower.pid)
        began = time.monotonic()
        follower.send_signal(number)
        assert (b"", b"") == follower.communicate(timeout=WAIT_S)

    assert (code, True) == (follower.returncode, time.monotonic() - began < 10)
    (row,) = run("consumer", "list", "-O", "json").json
    assert 0 == row["offset"]
