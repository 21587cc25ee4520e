"""`dataflare consume`: from where, how far, in which form."""

import json
from pathlib import Path

import pytest

from tests.harness import run

pytestmark = pytest.mark.usefixtures("data_dir")


@pytest.fixture
def numbers(data_dir: Path) -> None:
    """A topic `n` of one partition with the values 0 to 9, a minute apart."""
    run("topic", "create", "n", "--retention-time", "none")
    for number in range(10):
        moment = str(1_700_000_000_000 + number * 60_000)
        run("produce", "n", "--timestamp", moment, "--key", f"k{number}", stdin=b"%d\n" % number)


def consumed(*options: str) -> str:
    """Return the values that some options select, without line ends."""
    result = run("consume", "n", "-d", *options)
    assert 0 == result.code, result.stderr
    return result.text.replace("\n", "")


@pytest.mark.usefixtures("numbers")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("-B",), "0123456789"),
        ((), ""),
        (("-H", "3"), "3456789"),
        (("-H", "99"), ""),
        (("-T", "3"), "789"),
        (("-T", "99"), "0123456789"),
        (("--start", "8"), "89"),
        (("--start", "10"), ""),
        (("--start", "2", "--end", "4"), "234"),
        (("-B", "--end", "0"), "0"),
        (("-B", "-n", "4"), "0123"),
        (("-B", "-n", "0"), ""),
        (("-o", "start"), "0123456789"),
        (("-o", "5"), "56789"),
        (("-o", "2:4"), "23"),
        (("-o", ":end"), "0123456789"),
        (("-o", "-2"), "89"),
        (("-o", "+7"), "789"),
        (("-o", "@1700000120000"), "23456789"),
        (("-o", "@1700000120000:@1700000240000"), "23"),
        (("-o", "@2023-11-14T22:15:00Z"), "23456789"),
        (("-B", "-G", "v:[5-7]"), "567"),
        (("-B", "-G", "k:k3"), "3"),
        (("-B", "-G", "v:[5-7]", "-n", "1"), "5"),
        (("-B", "--order", "time"), "0123456789"),
    ],
)
def test_where_to_begin_and_end(options: tuple[str, ...], expected: str) -> None:
    """Fluvio's options and rpk's language."""
    assert expected == consumed(*options)


@pytest.mark.usefixtures("numbers")
def test_past_the_end() -> None:
    """Fluvio's message, and what there is."""
    result = run("consume", "n", "-d", "--start", "11")

    assert 1 == result.code
    assert "start offset: 11 is greater than leo: 10" in result.stderr
    assert "0 to 9" in result.stderr


@pytest.mark.usefixtures("numbers")
def test_an_end_before_its_start() -> None:
    """Fluvio's message."""
    result = run("consume", "n", "-d", "--start", "5", "--end", "4")

    assert 1 == result.code
    assert "End offset: 4 cannot be less than starting offset: 5" in result.stderr


def test_evicted_offsets_are_passed_over() -> None:
    """It goes on at the next available offset, and says so."""
    run("produce", "t", "--create", stdin=b"a\nb\nc\n")
    run("topic", "purge", "t", "--before", "2", "--yes")
    result = run("consume", "t", "-d", "--start", "0")

    assert b"c\n" == result.stdout
    assert "Offset 0 is evicted. The next available is 2" in result.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("-B", "-T", "1"),
        ("-B", "-o", "3"),
        ("-A", "-p", "0"),
        ("-O", "csv", "-F", "x"),
        ("-O", "xml"),
        ("--start", "-1"),
        ("--order", "size"),
        ("--no-commit",),
        ("-o", "nonsense"),
        ("-F", "{{valeu}}"),
        ("--timeout", "soon"),
    ],
)
def test_usage_errors(options: tuple[str, ...]) -> None:
    """Contradictions and nonsense end with 2."""
    run("topic", "create", "n")
    assert 2 == run("consume", "n", "-d", *options).code


def test_no_topic_matches() -> None:
    """Nothing where something was required is 4."""
    run("topic", "create", "n")
    assert 4 == run("consume", "-r", "x.*", "-B", "-d").code


def test_several_topics_and_a_pattern() -> None:
    """Names or a regular expression; the envelope says where a record is from."""
    for name in ("log-a", "log-b", "other"):
        run("produce", name, "--create", stdin=name.encode() + b"\n")
    by_name = run("consume", "log-a", "other", "-B", "-d")
    by_pattern = run("consume", "-r", "log-.*", "-B", "-d", "-O", "records")

    assert ["log-a", "other"] == sorted(by_name.lines)
    assert ["log-a", "log-b"] == sorted(json.loads(line)["topic"] for line in by_pattern.lines)


def test_time_order_merges_partitions() -> None:
    """Records of several partitions come by timestamp."""
    run("topic", "create", "t", "-p", "3", "--retention-time", "none")
    for number in range(30):
        moment = str(1_700_000_000_000 + number)
        run("produce", "t", "-p", str(number % 3), "--timestamp", moment, stdin=b"%d\n" % number)

    assert [str(n) for n in range(30)] == run("consume", "t", "-Bd", "--order", "time").lines


@pytest.mark.usefixtures("numbers")
class TestConsumers:
    """Named consumers store the offset last seen."""

    def test_a_consumer_resumes(self) -> None:
        """Also with -B, which means: from where it was."""
        assert "012" == consumed("-B", "-c", "c", "-n", "3")
        assert "345" == consumed("-B", "-c", "c", "-n", "3")
        assert "6789" == consumed("-c", "c")
        assert "" == consumed("-B", "-c", "c")

    def test_a_peek_does_not_move_it(self) -> None:
        """--no-commit looks only."""
        assert "01" == consumed("-B", "-c", "c", "-n", "2")
        assert "23" == consumed("-B", "-c", "c", "-n", "2", "--no-commit")
        assert "23" == consumed("-B", "-c", "c", "-n", "2")

    def test_fluvios_arithmetic(self) -> None:
        """Beginning plus n is after the stored offset, end minus n before it."""
        consumed("-B", "-c", "c", "-n", "5")

        assert "789" == consumed("-H", "2", "-c", "c", "--no-commit")
        assert "3456789" == consumed("-T", "2", "-c", "c", "--no-commit")
        assert "123456789" == consumed("--start", "1", "-c", "c", "--no-commit")

    def test_what_is_stored_is_the_last_seen(self) -> None:
        """After two records it is 1."""
        consumed("-B", "-c", "c", "-n", "2")
        (offset,) = run("consumer", "list", "-O", "json").json

        assert ("c", "n", 0, 1) == tuple(
            offset[name] for name in ("consumer_id", "topic", "partition", "offset")
        )

    def test_filtered_records_count_as_seen(self) -> None:
        """What a filter left out is not looked at again."""
        assert "5" == consumed("-B", "-c", "c", "-G", "v:5")
        assert "" == consumed("-B", "-c", "c")


def test_null_is_not_empty() -> None:
    """Each form tells them apart where it can."""
    run("produce", "t", "--create", "--null-value", "N", stdin=b"N\n\n")

    assert b"\n\n" == run("consume", "t", "-Bd").stdout
    assert [None, ""] == [
        json.loads(line)["value"] for line in run("consume", "t", "-Bd", "-O", "records").lines
    ]


def test_templates_and_forms() -> None:
    """One of each, end to end."""
    run("produce", "t", "--create", "--key", "k", "--timestamp", "0", stdin=b'{"a":1}\n')

    def shown(*options: str) -> str:
        return run("consume", "t", "-B", "-d", *options).text

    assert '[k] {"a":1}\n' == shown("-k")
    assert 'k {"a":1} 0 0 1970-01-01T00:00:00.000Z\n' == shown(
        "-F", "{{key}} {{value}} {{offset}} {{partition}} {{time}}"
    )
    assert '0|k|{"a":1}\n' == shown("-f", "%o|%k|%v\\n")
    assert "7b2261223a317d\n" == shown("-f", "%v{hex}\\n")
    assert '{\n  "a": 1\n}\n' == shown("-O", "json")
    assert '{"a":1}\0' == shown("--print0")
    assert "topic,partition,offset,timestamp,key,value" == shown("-O", "csv").splitlines()[0]
    assert "00000000  7b 22" in shown("-O", "binary")
    assert shown("-O", "table").split() == ["a", "1"]


def test_a_full_table_needs_a_terminal() -> None:
    """Without one it is an error with a next step, not a panic."""
    run("produce", "t", "--create", stdin=b'{"a":1}\n')
    result = run("consume", "t", "-B", "-d", "-O", "full_table")

    assert 2 == result.code
    assert "terminal" in result.stderr


def test_a_terminal_is_safe() -> None:
    """A record can't move the cursor or set the title."""
    run("produce", "t", "--create", stdin=b"\x1b]0;title\x07\x1b[2Jx\n")
    result = run("consume", "t", "-B", "-d", terminal=True)

    assert b"\x1b" not in result.stdout
    assert b"x" in result.stdout


def test_time_limits() -> None:
    """--timeout is 124, --idle-timeout a good end."""
    run("produce", "t", "--create", stdin=b"a\n")

    assert 124 == run("consume", "t", "-B", "--timeout", "50ms").code
    idle = run("consume", "t", "-B", "--idle-timeout", "50ms")
    assert (0, b"a\n") == (idle.code, idle.stdout)


def test_errors_as_json() -> None:
    """With -O json there is one object on stderr."""
    run("topic", "create", "n")
    result = run("topic", "describe", "m", "-O", "json")

    assert 1 == result.code
    assert "NotFound" == result.error["type"]


def test_a_missing_store() -> None:
    """Consuming from nowhere creates nothing."""
    result = run("consume", "t", "-B", "-d")

    assert 3 == result.code
    assert "topic create" in result.stderr


def test_a_file_of_ten_thousand_lines_comes_back(tmp_path: Path) -> None:
    """Through the kernel: everything, in order, byte for byte."""
    lines = b"".join(b"%d %s\n" % (number, b"x" * (number % 300)) for number in range(10_000))
    path = tmp_path / "lines"
    path.write_bytes(lines)
    assert 0 == run("produce", "t", "--create", "-f", path).code

    assert lines == run("consume", "t", "-B", "-d").stdout
    tail = lines.splitlines(keepends=True)[-5:]
    assert b"".join(tail) == run("consume", "t", "-T", "5", "-d").stdout


def test_a_new_consumer_remembers_where_it_began() -> None:
    """One that waited in vain sees what came meanwhile, in every partition."""
    run("topic", "create", "t", "-p", "3")
    run("produce", "t", stdin=b"1\n2\n3\n")
    assert [] == run("consume", "t", "-d", "-c", "job").lines
    run("produce", "t", stdin=b"4\n5\n6\n")

    assert ["4", "5", "6"] == sorted(run("consume", "t", "-d", "-c", "job").lines)
    first = run("consume", "t", "-B", "-d", "-n", "2", "-c", "other").lines
    rest = run("consume", "t", "-d", "-c", "other").lines
    assert ["1", "2", "3", "4", "5", "6"] == sorted(first + rest)


def test_a_setting_gives_way_to_the_command_line() -> None:
    """A default output does not contradict a template."""
    run("produce", "t", "--create", stdin=b"a\n")
    env = {"DATAFLARE_CONSUME_OUTPUT": "json"}

    assert "a|" == run("consume", "t", "-B", "-d", "-f", "%v|", env=env).text
    assert "a\n" == run("consume", "t", "-B", "-d", "-F", "{{value}}", env=env).text


def test_merging_many_partitions_in_order_stays_small() -> None:
    """Runs get smaller where there are many; the order does not change."""
    run("topic", "create", "t", "-p", "40", "--retention-time", "none")
    for number in range(80):
        moment = str(1_700_000_000_000 + number)
        run("produce", "t", "-p", str(number % 40), "--timestamp", moment, stdin=b"%d\n" % number)

    expected = [str(number) for number in range(80)]
    assert expected == run("consume", "t", "-B", "-d", "--order", "time").lines
