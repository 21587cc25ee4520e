"""Tab: what is offered, in real shells, and that looking for it changes nothing."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from harness import SOURCES, process_environ, run, run_process

from dataflare_cli.catalog import SMARTMODULE, TABLE_FORMAT, TOPIC, Catalog
from dataflare_cli.commands import complete, tree
from dataflare_cli.commands.complete import SHELLS, candidates, join_equal_signs
from dataflare_cli.config import BY_KEY
from dataflare_cli.consumers import Consumers
from dataflare_cli.model import TopicSpec
from dataflare_cli.store import Store
from tests import wat

SCRIPTS = SOURCES / "completions"


def names(*words, environ=None):
    """What zsh or fish would be offered for the last word."""
    found = candidates(list(words), environ or dict(os.environ), whole_words=True)
    return [name for name, _ in found]


@pytest.fixture
def stored(data_dir):
    """A store with topics, a consumer and a table format."""
    with Store.open(data_dir) as store:
        catalog = Catalog(store)
        for name in ("logs", "logs.old", "orders"):
            catalog.create_topic(name, TopicSpec())
        catalog.create_table_format("wide", b"{}")
        Consumers(store).commit("audit", {catalog.topic("logs").partition_ids[0]: 7})
    return data_dir


# -------------------------------------------------------------------------- offers


def test_commands_and_verbs():
    """Those that begin as the word does; hidden ones and aliases are not offered."""
    assert {"profile", "produce"} == set(names("pro"))
    assert ["delete", "delete-cluster"] == names("profile", "de")
    assert [] == names("profile", "nope", "")
    assert [] == names("nope", "")


def test_options_of_the_command_reached():
    """Long and short ones, after a dash."""
    assert {"--origin", "-O", "--output", "-h", "--help"} == set(names("config", "show", "-"))
    assert ["--origin"] == names("config", "show", "--or")
    assert "--data-dir" in names("--")


@pytest.mark.parametrize(
    "words",
    [
        ["config", "show", "-O", "j"],
        ["config", "show", "--origin", "--output", "j"],
        ["-q", "--lock-timeout", "3", "config", "show", "-O", "j"],
        ["-P", "profile", "config", "show", "-O", "j"],
        ["--profile=profile", "-v", "config", "show", "-O", "j"],
        ["-Pprofile", "config", "show", "-O", "j"],
        ["-qvPx", "help", "config", "show", "-O", "j"],
    ],
)
def test_values_that_are_one_of_several(words):
    """Whatever came before, the value of -O is one of four."""
    assert ["json"] == names(*words)


def test_values_joined_by_an_equal_sign():
    """Zsh and fish replace the whole word, bash what comes after the sign."""
    environ = dict(os.environ)

    assert ["--output=json"] == names("config", "show", "--output=j")
    assert ["config", "show", "--output=j"] == join_equal_signs(
        ["config", "show", "--output", "=", "j"]
    )
    assert [("json", "")] == candidates(
        ["config", "show", "--output=j"], environ, whole_words=False
    )


def test_arguments_in_their_places(stored):
    """A path after a name, topics again and again, nothing where nothing follows."""
    assert [":dir"] == names("profile", "add", "x", "")
    assert [] == names("profile", "current", "")
    assert [] == names("profile", "switch", "local", "")
    assert ["local"] == names("profile", "switch", "--", "")
    assert set(BY_KEY) | {"profile"} == set(names("config", "set", ""))
    assert list(SHELLS) == names("completions", "")


def test_topics_come_from_the_data_directory_in_use(stored, tmp_path):
    """Root options, variables and dataflare.toml say which, as for every command."""
    assert ["logs", "logs.old", "orders"] == names("consume", "")
    assert ["logs", "logs.old"] == names("consume", "lo")
    assert [] == names("--data-dir", str(tmp_path / "none"), "consume", "")
    assert ["orders"] == names("-c", str(stored), "consume", "or")
    run("profile", "add", "p", str(stored))
    assert ["orders"] == names("-P", "p", "consume", "or")


def test_consumers_and_table_formats(stored):
    """By metavar, wherever they are asked for."""
    assert ["audit"] == names("consume", "-c", "")
    assert ["wide"] == names("consume", "--table-format", "w")


def test_what_becomes_of_failures(stored):
    """Its words, never the placeholder in them; after dead-letter= the topics."""
    assert ["stop", "skip", "dead-letter="] == names("consume", "logs", "--on-error", "")
    assert ["dead-letter="] == names("consume", "logs", "--on-error", "dead")
    assert ["dead-letter=logs", "dead-letter=logs.old"] == names(
        "produce", "orders", "--on-error", "dead-letter=lo"
    )
    assert ["--on-error=dead-letter=orders"] == names("consume", "--on-error=dead-letter=or")

    assert [("orders", "")] == candidates(
        join_equal_signs(["consume", "--on-error", "dead-letter", "=", "or"]),
        dict(os.environ),
        whole_words=False,
    )
    assert [("orders", "")] == candidates(
        join_equal_signs(["consume", "--on-error", "=", "dead-letter", "=", "or"]),
        dict(os.environ),
        whole_words=False,
    )


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        (["-e", "key", "=", "v", ""], ["-e", "key=v", ""]),
        (["-e", "key", "="], ["-e", "key="]),
        (["-e", "key", "=", "--match", "x"], ["-e", "key=", "--match", "x"]),
        (["--match", "=", "-x", ""], ["--match=-x", ""]),
        (["-e", "a", "=", "b", "=", "c"], ["-e", "a=b=c"]),
        (["=", "x"], ["=", "x"]),
    ],
)
def test_words_that_bash_takes_apart(words, joined):
    """Are put together again, so that what comes after them stays in its place."""
    assert joined == join_equal_signs(words)


def test_smartmodules_where_they_are_asked_for(stored_module):
    """Stored and built-in ones; only stored ones to delete; files as well to inspect."""
    assert {"loud", "jq", "redact"} < set(names("smartmodule", "describe", ""))
    assert ["loud"] == names("smartmodule", "delete", "")
    assert ["loud"] == names("sm", "delete", "loud", "")
    assert [":file", "loud"] == names("smartmodule", "inspect", "lo")
    assert [":file", "json-filter", "json-map", "json-schema", "json-to-csv"] == names(
        "sm", "inspect", "json"
    )


@pytest.fixture
def stored_module(data_dir, tmp_path):
    """A store with a SmartModule in it."""
    (tmp_path / "loud.wasm").write_bytes(wat.puppet())
    assert 0 == run("smartmodule", "create", "loud", "--wasm-file", tmp_path / "loud.wasm").code
    return data_dir


def test_parameters_of_a_built_in_smartmodule(data_dir):
    """Of the last one named, with the = that follows; nothing where nothing is known."""
    known = [each["name"] for each in _params("redact")]

    assert [f"{name}=" for name in known] == names("consume", "t", "--sm", "redact", "-e", "")
    assert ["regex="] == names("transform", "--sm=redact", "--sm", "regex-filter", "-e", "reg")
    assert ["--params=mask="] == names("produce", "t", "--sm=dataflare/redact@0.1", "--params=mas")
    assert [] == names("consume", "t", "--sm", "redact", "-e", "mask=")
    assert [] == names("consume", "t", "--sm", "../redact", "-e", "")
    assert [] == names("consume", "t", "-e", "")
    assert 3 < len(known)


def _params(module):
    (row,) = run("sm", "list", "--builtin", "--filter", module, "-O", "json").json
    return row["params"]


def test_the_keys_are_those_of_the_catalog():
    """Completion reads them without importing the catalog."""
    expected = {"TOPIC": TOPIC, "SMARTMODULE": SMARTMODULE, "TABLE-FORMAT": TABLE_FORMAT}
    assert expected == complete.KINDS


def test_looking_changes_nothing(tmp_path, monkeypatch):
    """No directory, no lock file, no configuration is made by a Tab."""
    monkeypatch.setenv("DATAFLARE_DATA_DIR", str(tmp_path / "d" / "e"))
    before = sorted(tmp_path.rglob("*"))
    assert [] == names("consume", "")
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "data.mdb").write_bytes(b"")
    assert [] == names("consume", "")

    after = set(tmp_path.rglob("*")) - set(before)
    assert {"d", "d/e", "d/e/data.mdb"} == {str(each.relative_to(tmp_path)) for each in after}


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["bash"],
        ["bash", "--"],
        ["tcsh", "--", ""],
        ["bash", "--", "consume", "\udcff"],
        ["zsh", "--", "-P", "nope", "consume", ""],
        ["zsh", "--", "-c", "kafka://x", "consume", ""],
    ],
)
def test_nothing_is_ever_said(words, data_dir):
    """An error would land in the middle of a command line."""
    result = run("__complete", *words)

    assert (0, "") == (result.code, result.stderr)


def test_a_broken_store_or_file_is_silent(data_dir, home):
    """So is damage: somebody who types is not asking about it."""
    data_dir.mkdir()
    for name in ("data.mdb", "lock.mdb"):
        (data_dir / name).write_bytes(b"x" * 8192)
    (home / ".config/dataflare").mkdir(parents=True)
    (home / ".config/dataflare/config.toml").write_text("[", encoding="utf-8")

    for words in (["consume", ""], ["profile", "switch", ""]):
        result = run_process("__complete", "zsh", "--", *words)
        assert (b"", "") == (result.stdout, result.stderr)


def test_descriptions_are_for_shells_that_show_them():
    """A tab after the name; bash gets names alone."""
    zsh, bash = (run("__complete", shell, "--", "profile", "sw").text for shell in ("zsh", "bash"))

    assert "switch\tUse a profile from now on\n" == zsh
    assert "switch\n" == bash


def test_every_candidate_is_one_line():
    """A help text of two lines would be a candidate of its own."""
    for node in _walk(tree.completion_table()):
        for _, _, text in node["options"].values():
            assert text.isprintable()
        assert node["help"].isprintable()


def _walk(node):
    yield node
    for each in node.get("commands", {}).values():
        yield from _walk(each)


# ------------------------------------------------------------------ what is generated


def test_what_is_generated_is_up_to_date():
    """`python -m dataflare_cli.commands.tree --update` writes the table and the scripts."""
    assert [] == tree.stale()
    assert {tree.TABLE_FILE, *(SCRIPTS / f"dataflare.{shell}" for shell in SHELLS)} == set(
        tree.generated()
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_can_be_made_for_another_name(shell):
    """For a wrapper or a link; what is no name of a program is refused."""
    script = run("completions", shell, "--name", "my-df").text

    assert "my-df __complete" in script
    assert "dataflare" not in script
    assert (SCRIPTS / f"dataflare.{shell}").read_text("utf-8") == run("completions", shell).text
    assert 2 == run("completions", shell, "--name", "x; rm -rf /").code


# ------------------------------------------------------------------------ real shells


@pytest.fixture
def shell_environ(tmp_path, stored):
    """A PATH with a `dataflare`, a working directory with files, and a trap beside them."""
    programs = tmp_path / "bin"
    programs.mkdir()
    _script(programs / "dataflare", f'exec "{sys.executable}" -m dataflare_cli "$@"')
    here = tmp_path / "here"
    (here / "a dir").mkdir(parents=True)
    (here / "a file").write_bytes(b"")
    _script(here / "dataflare", f"touch '{tmp_path}/trapped'")
    return process_environ({"PATH": f"{programs}:{os.environ['PATH']}", "PWD": str(here)})


def _script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


BASH = """
source {script}
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_dataflare
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
FISH = """
source {script}
complete -C '{line}'
"""
# What compsys would be told, written down instead of shown.
ZSH = """
compdef() {{ : }}
_describe() {{ print -rl -- "${{(@P)2}}" }}
_files() {{ print -r -- ":files $*" }}
source {script}
words=({words}); CURRENT=${{#words}}
_dataflare
"""


def in_shell(shell: str, text: str, environ: dict[str, str]) -> list[str]:
    words = {
        "bash": ["bash", "--norc", "-c"],
        "zsh": ["zsh", "-f", "-c"],
        "fish": ["fish", "-N", "-c"],
    }
    done = subprocess.run(
        [*words[shell], text], env=environ, capture_output=True, cwd=environ["PWD"], timeout=60
    )
    assert b"" == done.stderr
    return [line for line in done.stdout.decode().splitlines() if line]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dataflare consume lo", ["logs", "logs.old"]),
        ("dataflare consume ''", ["logs", "logs.old", "orders"]),
        ("./dataflare consume or", ["orders"]),
        ("dataflare profile sw", ["switch"]),
        ("dataflare config show --output = j", ["json"]),
        ("dataflare config show --output =", ["table", "yaml", "json", "toml"]),
        ("dataflare --data-dir ''", ["a dir"]),
        ("dataflare profile add x a", ["a dir"]),
        ("dataflare consume logs --on-error ''", ["stop", "skip", "dead-letter="]),
        ("dataflare consume logs --on-error dead-letter = or", ["orders"]),
        ("dataflare consume logs --on-error dead-letter =", ["logs", "logs.old", "orders"]),
        ("dataflare sm inspect 'a f'", ["a file"]),
        ("dataflare sm inspect av", ["average"]),
        ("dataflare consume --sm sample -e se", ["seed="]),
    ],
)
def test_bash(words, expected, shell_environ, tmp_path):
    """The function bash calls, with the words as bash splits them."""
    script = SCRIPTS / "dataflare.bash"

    assert expected == in_shell("bash", BASH.format(script=script, words=words), shell_environ)
    assert not (tmp_path / "trapped").exists()


def test_bash_registers_the_function(shell_environ):
    """`eval "$(dataflare completions bash)"` in a .bashrc is all."""
    text = 'eval "$(dataflare completions bash)"; complete -p dataflare'

    assert ["complete -F _dataflare dataflare"] == in_shell("bash", text, shell_environ)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("dataflare consume lo", ["logs", "logs.old"]),
        ("dataflare consume ", ["logs", "logs.old", "orders"]),
        ("./dataflare consume or", ["orders"]),
        ("dataflare profile sw", ["switch\tUse a profile from now on"]),
        ("dataflare config show --output=j", ["--output=json"]),
        ("dataflare config show -O ", ["json", "table", "toml", "yaml"]),
        ("dataflare profile add x a", ["a dir/\tDirectory"]),
        ("dataflare consume logs --on-error ", ["dead-letter=", "skip", "stop"]),
        ("dataflare consume --on-error dead-letter=or", ["dead-letter=orders"]),
        ("dataflare sm inspect a", ["a dir/", "a file", "average"]),
    ],
)
def test_fish(line, expected, shell_environ, tmp_path):
    """What `complete -C` offers."""
    if shutil.which("fish") is None:
        return  # not every machine has it; bash it has, and the scripts are compared everywhere
    found = in_shell(
        "fish", FISH.format(script=SCRIPTS / "dataflare.fish", line=line), shell_environ
    )

    assert expected == sorted(found)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dataflare consume lo", ["logs", "logs.old"]),
        ("dataflare consume ''", ["logs", "logs.old", "orders"]),
        ("./dataflare consume or", ["orders"]),
        ("dataflare profile sw", ["switch:Use a profile from now on"]),
        ("dataflare config show --output=j", ["--output=json"]),
        ("dataflare profile add x a", [":files -/"]),
        ("dataflare consume logs --on-error ''", ["stop", "skip", "dead-letter="]),
        ("dataflare consume --on-error dead-letter=or", ["dead-letter=orders"]),
        ("dataflare sm inspect a", ["average", ":files "]),
    ],
)
def test_zsh(words, expected, shell_environ, tmp_path):
    """What the function hands to compsys."""
    if shutil.which("zsh") is None:
        return  # as for fish
    found = in_shell(
        "zsh", ZSH.format(script=SCRIPTS / "dataflare.zsh", words=words), shell_environ
    )

    assert expected == found
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("dataflare profile sw\t", "dataflare profile switch "),
        (
            "dataflare consume logs --on-error dead\t",
            "dataflare consume logs --on-error dead-letter=",
        ),
        (
            "dataflare consume logs --on-error dead\tor\t",
            "dataflare consume logs --on-error dead-letter=orders ",
        ),
    ],
)
@pytest.mark.parametrize("shell", ["zsh", "bash"])
def test_typed_into_a_shell_that_has_nothing_else(shell, typed, completed, shell_environ, tmp_path):
    """The script in an otherwise empty .zshrc or .bashrc is all: nothing is said, Tab works."""
    if shutil.which(shell) is None:
        return  # as for fish
    home = tmp_path / "shell-home"
    home.mkdir()
    prompt = "PS1='ready> '\n"
    (home / f".{shell}rc").write_text(prompt + (SCRIPTS / f"dataflare.{shell}").read_text("utf-8"))
    words = {"zsh": [], "bash": ["--rcfile", str(home / ".bashrc"), "-i"]}
    environ = {**shell_environ, "HOME": str(home), "ZDOTDIR": str(home), "TERM": "dumb"}
    with pexpect.spawn(shell, words[shell], env=environ, timeout=60, encoding="utf-8") as process:
        process.expect_exact("ready> ")
        assert "not found" not in process.before
        process.send(typed)
        process.expect_exact(completed)
        process.sendcontrol("c")
