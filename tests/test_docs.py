"""The documents cannot lie: their console blocks are run, their links followed.

A ```console block is a transcript. `$ ` begins a command, `> ` continues it, every
other line is output (stdout and stderr as a terminal shows them), exactly; `...` in
a line stands for any text, on a line of its own for any lines. The blocks of one
file are one bash session in a fresh HOME, with examples/ at hand. A block after
`<!-- no-run: reason -->` is not run.

DATAFLARE_UPDATE_DOCS=1 pytest tests/test_docs.py writes what was really printed.
"""

import os
import re
import shlex
import signal
import subprocess
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    path
    for path in (
        ROOT / "README.md",
        ROOT / "examples" / "README.md",
        *sorted((ROOT / "dataflare_cli").glob("*.md")),
        *sorted((ROOT / "smartmodules").glob("*.md")),
    )
    if path.exists()
]
SESSION_S_MAX = 120
UPDATE = os.environ.get("DATAFLARE_UPDATE_DOCS") == "1"

FENCE = re.compile(r"^```console\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
NO_RUN = re.compile(r"<!-- no-run:(?P<reason>(?:(?!-->).)*)-->\s*\Z", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)(?P<target>[^)#\s]+)")
MARK = "=== end of command ==="


class Step(NamedTuple):
    """One command of a transcript and the lines expected after it."""

    prompt: str  # the command's lines as they stand in the document
    expected: str

    @property
    def command(self) -> str:
        return "\n".join(line[2:] for line in self.prompt.splitlines())


class Block(NamedTuple):
    """One console block: where its body stands in the document, and what it does."""

    start: int
    end: int
    steps: list[Step]


def parse(body: str) -> list[Step]:
    """Cut a block into steps; lines before the first `$ ` are an error of its author."""
    steps: list[Step] = []
    for line in body.splitlines(keepends=True):
        if line.startswith("$ "):
            steps.append(Step(line, ""))
        elif not steps:
            raise ValueError(f"a console block begins with `$ `, not with {line!r}")
        elif line.startswith("> ") and not steps[-1].expected:
            steps[-1] = steps[-1]._replace(prompt=steps[-1].prompt + line)
        else:
            steps[-1] = steps[-1]._replace(expected=steps[-1].expected + line)
    return steps


def matches(expected: str, printed: str) -> bool:
    """Tell whether output is as a document says, wildcards considered."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
        for line in expected.splitlines()
    )
    return re.fullmatch(pattern, printed) is not None


def run_session(steps: list[Step], sandbox: Path) -> list[str]:
    """Run commands in one bash and return what each printed, its last line ended."""
    script = "trap 'kill $(jobs -p) 2>/dev/null' EXIT\n" + "".join(
        f"eval {shlex.quote(step.command)}\n"
        f"status=$?; printf '\\n{MARK}\\n'; (exit $status)\n"  # the next step may look at $?
        for step in steps
    )
    home = sandbox / "home"
    home.mkdir(parents=True)
    (sandbox / "examples").symlink_to(ROOT / "examples")
    environment = {
        "HOME": str(home),
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TZ": "UTC",
    }
    with subprocess.Popen(
        ["bash", "-c", script],
        cwd=sandbox,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as bash:
        try:
            output = bash.communicate(timeout=SESSION_S_MAX)[0].decode(errors="backslashreplace")
        finally:
            kill_group(bash.pid)
    *printed, rest = output.split(f"\n{MARK}\n")
    assert len(steps) == len(printed), f"the session ended early, after: {rest}"
    return [text if text.endswith("\n") or not text else text + "\n" for text in printed]


def kill_group(group: int) -> None:
    """End what is left of a process group of ours."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def read_blocks(text: str) -> list[Block]:
    """Return the blocks to run; one that is excused has to say why."""
    blocks = []
    for found in FENCE.finditer(text):
        excuse = NO_RUN.search(text, 0, found.start())
        if excuse is None:
            blocks.append(Block(found.start("body"), found.end("body"), parse(found["body"])))
        elif not excuse["reason"].strip():
            raise ValueError("`<!-- no-run: -->` has to say why")
    return blocks


def check_document(text: str, sandbox: Path) -> tuple[str, str]:
    """Run a document's blocks; return what differs, and the document as it should be."""
    blocks = read_blocks(text)
    steps = [step for block in blocks for step in block.steps]
    printed = iter(run_session(steps, sandbox) if steps else [])
    differences: list[str] = []
    renewed: list[str] = []
    at = 0
    for block in blocks:
        renewed.append(text[at : block.start])
        at = block.end
        for step in block.steps:
            output = next(printed)
            if matches(step.expected, output):
                renewed += [step.prompt, step.expected]
            else:
                renewed += [step.prompt, general(output, sandbox)]
                differences.append(f"{step.prompt}expected:\n{step.expected}printed:\n{output}")
    return "\n".join(differences), "".join([*renewed, text[at:]])


def general(output: str, sandbox: Path) -> str:
    """Return output without what only this run could print."""
    return output.replace(str(sandbox), "...")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_transcripts_are_true(document, tmp_path):
    """Every console block prints what the document says."""
    text = document.read_text(encoding="utf-8")
    differences, renewed = check_document(text, tmp_path / "sandbox")
    if UPDATE:
        document.write_text(renewed, encoding="utf-8")
        return

    assert not differences, "\n" + differences


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    """Every relative link of a document names a file that exists."""
    text = document.read_text(encoding="utf-8")
    missing = [
        found["target"]
        for found in LINK.finditer(text)
        if not (document.parent / found["target"]).exists()
    ]

    assert not missing, f"no such files: {missing}"


def document_of(*blocks: str) -> str:
    return "\n".join(f"Text.\n\n```console\n{block}```\n" for block in blocks)


def test_a_session_keeps_its_state(tmp_path):
    """Variables, directories and `$?` live from block to block of one file."""
    text = document_of(
        "$ name=x; mkdir sub; cd sub\n$ false\n$ echo $?\n1\n",
        "$ echo $name >&2; basename $PWD\nx\nsub\n$ ls ../examples/*.ndjson\n../examples/...\n",
        "$ cat <<END\n> $HOME\n> END\n.../home\n$ printf unended\nunended\n",
        "$ tail -f /dev/null &\n$ echo still here\nstill here\n",
    )

    assert ("", text) == check_document(text, tmp_path / "sandbox")


def test_a_difference_is_found_and_written(tmp_path):
    """Only the output that differs is replaced; the sandbox's own path never gets in."""
    text = document_of("$ echo a b\na ...\n$ pwd\n/nowhere\n$ echo 2\n$ true\ngone\n")
    differences, renewed = check_document(text, tmp_path / "sandbox")

    assert ["$ pwd", "$ echo 2", "$ true"] == [
        line for line in differences.splitlines() if line.startswith("$")
    ]
    assert document_of("$ echo a b\na ...\n$ pwd\n...\n$ echo 2\n2\n$ true\n") == renewed


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("", "", True),
        ("", "a\n", False),
        ("a\n", "a\n", True),
        ("a.c\n", "abc\n", False),
        ("a...c\n", "a b c\n", True),
        ("a...c\n", "a\nc\n", False),
        ("a\n...\nz\n", "a\nb\nc\nz\n", True),
        ("a\n...\nz\n", "a\nz\n", True),
        ("a\n...\n", "a\nb\n", True),
        ("a\n...\nz\n", "a\nb\n", False),
    ],
)
def test_wildcards(expected, printed, same):
    """`...` is any text within a line, and any lines when alone; all else is literal."""
    assert same == matches(expected, printed)


def test_a_block_may_be_excused_with_a_reason(tmp_path):
    """`no-run` leaves out the block after it, and only that one."""
    text = "<!-- no-run: needs a network -->\n```console\n$ false now\nno\n```\n"

    assert ("", text) == check_document(text, tmp_path / "sandbox")
    with pytest.raises(ValueError, match="has to say why"):
        read_blocks(text.replace(" needs a network ", " "))
    text += "\n<!-- another comment -->\n" + document_of("$ echo 1\n2\n").removeprefix("Text.\n\n")
    differences, _ = check_document(text, tmp_path / "sandbox")
    assert differences.startswith("$ echo 1\n")


def test_a_block_begins_with_a_command(tmp_path):
    """Output without a command is a mistake in the document."""
    with pytest.raises(ValueError, match="begins with"):
        read_blocks(document_of("oops\n$ true\n"))
