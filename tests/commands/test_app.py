"""The command tree: help, aliases, near misses, what is imported when."""

import json
import re
import subprocess
import sys

import pytest
from harness import command_line, process_environ, run, run_process

import dataflare_cli
from dataflare_cli.commands import app, tree
from dataflare_cli.store import FORMAT_VERSION


def walk(node):
    yield node
    for each in node["commands"]:
        yield from walk(each)


@pytest.fixture(scope="module")
def program():
    """The whole tree as --help-json has it."""
    return tree.describe_program()


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"], ["help"]])
def test_root_help(words):
    """No arguments, -h, --help or help: the help on stdout and 0, as in Fluvio."""
    result = run(*words)

    assert (0, "") == (result.code, result.stderr)
    assert "Usage: dataflare [OPTIONS] COMMAND [ARGS]..." == result.lines[0]
    for entry in app.COMMANDS:
        assert (f"  {', '.join((entry.name, *entry.aliases))} " in result.text) is entry.exists


def test_help_of_a_command_by_help():
    """`help` takes a command, too."""
    assert run("profile", "add", "--help").stdout == run("help", "profile", "add").stdout
    assert (
        "Usage: dataflare profile add [OPTIONS] NAME DIRECTORY [TYPE]"
        == run("profile", "add", "-h").lines[0]
    )


def test_every_command_has_help_with_an_example(program):
    """One sentence, and a line to paste that begins with a shell command."""
    for node in walk(program):
        is_noun = bool(node["commands"]) and node is not program
        assert node["help"], node["name"]
        assert is_noun or "\nExample:\n" in node["help"], node["usage"]


def test_every_option_and_argument_has_help(program):
    """Whatever is shown says what it is for."""
    for node in walk(program):
        for each in (*node["options"], *node["arguments"]):
            assert each["help"] or each["hidden"], (node["usage"], each["names"])


def test_examples_are_shown_line_by_line():
    """An example is for pasting; wrapped it would be another command."""
    text = run("config", "set", "-h").text

    assert (
        "  Example:\n"
        "    dataflare config set output json\n"
        "    dataflare -P work config set durability relaxed\n"
    ) in text


def test_help_json_is_the_whole_tree():
    """Names, options, types, defaults and help of every command, for programs."""
    result = run("--help-json")
    config = next(each for each in result.json["commands"] if each["name"] == "config")
    show = next(each for each in config["commands"] if each["name"] == "show")

    assert (dataflare_cli.__version__, "dataflare") == (
        result.json["version"],
        result.json["name"],
    )
    assert [entry.name for entry in app.COMMANDS if entry.exists] == [
        each["name"] for each in result.json["commands"]
    ]
    assert {
        "names": ["-O", "--output"],
        "help": "How to show it",
        "type": "choice",
        "metavar": "table|yaml|json|toml",
        "choices": ["table", "yaml", "json", "toml"],
        "default": "table",
        "required": False,
        "repeats": False,
        "hidden": False,
        "off": [],
    } == next(each for each in show["options"] if "-O" in each["names"])
    assert "dataflare config show [OPTIONS]" == show["usage"]


def test_options_of_the_same_command_have_different_names(program):
    """A clash is silent in Typer: the later one wins."""
    for node in walk(program):
        names = [name for each in node["options"] for name in (*each["names"], *each["off"])]
        assert len(set(names)) == len(names), node["usage"]


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["porfile"], "unrecognized command 'porfile'", "did you mean profile"),
        (["xyzzy"], "unrecognized command 'xyzzy'", "dataflare --help shows all commands"),
        (["config", "shwo"], "No such command 'shwo'. Did you mean 'show'?", "Usage: "),
        (["config", "show", "--orign"], "No such option: --orign", "Usage: dataflare config show"),
        (["--bogus"], "No such option: --bogus", "Usage: dataflare [OPTIONS]"),
        (["profile", "switch"], "Missing argument 'PROFILE'", "Usage: "),
        (["config", "path", "x"], "Got unexpected extra argument(s) (x)", "Usage: "),
        (["config", "show", "-O", "html"], "Invalid value for '-O' / '--output'", "Usage: "),
    ],
)
def test_wrong_usage_is_2_with_a_next_step(words, message, hint):
    """On stderr, nothing on stdout."""
    result = run(*words)

    assert (2, b"") == (result.code, result.stdout)
    assert result.stderr.startswith(f"error: {message}")
    assert f"\n  {hint}" in result.stderr


def test_a_noun_without_a_verb_shows_its_help_and_is_wrong_usage():
    """As clap does it: help on stderr, exit 2."""
    result = run("config")

    assert (2, b"") == (result.code, result.stdout)
    assert result.stderr.startswith("Usage: dataflare config [OPTIONS] COMMAND")


def test_output_choices_ignore_case():
    """Fluvio's -O does."""
    assert (
        run("profile", "list", "-O", "JSON").stdout == run("profile", "list", "-O", "json").stdout
    )


def test_aliases_are_the_command(program):
    """Tf is table-format, bench is benchmark; the tree says so."""
    for entry in app.COMMANDS:
        for alias in entry.aliases:
            assert entry is app.find_entry(alias)
            assert entry.exists is (0 == run(alias, "--help").code)


def test_version_has_one_source():
    """--version, version and the package agree, through the fast path and without it."""
    version = dataflare_cli.__version__

    assert f"dataflare {version}\n" == run("--version").text == run("-q", "-V").text
    assert run("version").stdout == run("-q", "version").stdout == run_process("version").stdout
    assert f"Dataflare CLI        : {version}" == run("version").lines[0]
    report = run("version", "-j").json
    assert (version, FORMAT_VERSION) == (report["dataflare_cli"], report["store_format"])
    assert {"lmdb", "msgspec", "typer", "wasmtime"} <= set(report["libraries"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["startup", "--samples", "x"], "'--samples': 'x' is not a whole number"),
        (["startup", "--samples", "1.5"], "'--samples': '1.5' is not a whole number"),
        (["latency", "--rate", "fast"], "'--rate': 'fast' is not a number"),
    ],
)
def test_what_is_no_number(words, message):
    """Said without the names that Python has for numbers."""
    result = run("benchmark", *words)

    assert (2, f"error: Invalid value for {message}") == (
        result.code,
        result.stderr.splitlines()[0],
    )


def test_no_type_of_python_is_shown(program):
    """Neither in the help of any command nor in --help-json, where a value is described."""
    shown = {
        each["metavar"] for node in walk(program) for each in node["options"] + node["arguments"]
    }

    assert {"N", "NUMBER", "TEXT", "TOPIC"} <= shown
    assert not [each for each in shown if re.search(r"\b(int|float|str|range)\b", each)]
    assert "--rate NUMBER" in run("benchmark", "latency", "--help").text


# ------------------------------------------------------------------------ start-up

HEAVY = {"wasmtime", "aiokafka", "rich", "cramjam", "google_crc32c", "cryptography", "asyncio"}
MODEL = {"msgspec", "lmdb", "yaml", "tomllib", "tomli_w"}
TYPER = {"typer", "click", "dataclasses", "inspect"}
COMMAND_MODULES = {f"dataflare_cli.commands.{entry.module}" for entry in app.COMMANDS}
STARTS = {
    "--version": (["--version"], HEAVY | MODEL | TYPER | {"pathlib", "typing", "re", "enum"}),
    "version": (["version"], HEAVY | MODEL | TYPER | {"pathlib", "typing", "re", "enum"}),
    "a flag by Tab": (
        ["__complete", "bash", "--", "profile", "--"],
        HEAVY | MODEL | TYPER | {"re", "json", "dataflare_cli.config"},
    ),
    "a topic by Tab": (
        ["__complete", "bash", "--", "consume", ""],
        HEAVY | TYPER | (MODEL - {"lmdb"}) | {"dataflare_cli.catalog"},
    ),
    "a profile by Tab": (
        ["__complete", "zsh", "--", "profile", "switch", ""],
        HEAVY | MODEL | TYPER,
    ),
    "--help": (["--help"], HEAVY | MODEL | {"dataflare_cli.store"} | COMMAND_MODULES),
    "help of a noun": (["profile", "--help"], HEAVY | MODEL | {"dataflare_cli.store"}),
    "a command": (["config", "path"], HEAVY | MODEL | {"dataflare_cli.store"}),
}


def imported(*words: str) -> set[str]:
    """Return what a run of the program imports, as -X importtime tells."""
    words = command_line(*words)
    done = subprocess.run(
        [words[0], "-X", "importtime", *words[1:]],
        env=process_environ(),
        capture_output=True,
        timeout=60,
    )
    assert 0 == done.returncode
    lines = done.stderr.decode().splitlines()
    return {line.rsplit("|", 1)[1].strip() for line in lines if line.startswith("import time:")}


def baseline() -> set[str]:
    """Return what the interpreter imports by itself, here: .pth files may have some."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "this"],
        env=process_environ(),
        capture_output=True,
        timeout=60,
    )
    lines = done.stderr.decode().splitlines()
    return {line.rsplit("|", 1)[1].strip() for line in lines if line.startswith("import time:")}


@pytest.mark.parametrize(("words", "absent"), STARTS.values(), ids=STARTS)
def test_start_up_imports_stay_out(words, absent, data_dir):
    """What a prompt waits for imports nothing that takes long (ARCHITECTURE.md has the times)."""
    run_process("consume", "--help")
    seen = imported(*words)

    assert set() == (seen & absent) - baseline()


def test_a_command_imports_no_other_command():
    """The tree is loaded where it is entered."""
    seen = {
        each for each in imported("config", "path") if each.startswith("dataflare_cli.commands.")
    }

    ours = {"about", "app", "config", "context", "render", "shared"}
    assert {f"dataflare_cli.commands.{each}" for each in ours} >= seen


def test_help_json_of_a_process_is_that_of_this_one():
    """No state of the test run is in it."""
    assert json.loads(run_process("--help-json").stdout) == run("--help-json").json
