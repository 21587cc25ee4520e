"""The wall: what every file of the project has to look like (see ARCHITECTURE.md).

Each test collects all violations as `file:line: what`, so one run shows everything.
Sorting, unused names, `__all__`'s order and bare ignores are ruff's and mypy's.
"""

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflare_cli import errors

ROOT = Path(__file__).resolve().parent.parent
LINE_CHARS_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600

# Written by programs, for programs; `python -m dataflare_cli.commands.tree --check` judges it.
GENERATED = {"dataflare_cli/commands/_tree.py"}

# Dotfiles aside, nothing else lies at the top.
TOP_LEVEL = {
    "LICENSE",
    "README.md",
    "completions",
    "connectors",
    "dataflare_cli",
    "examples",
    "pyproject.toml",
    "smartmodules",
    "tests",
}

# (below which directory, what may not be there, what to do instead)
BANNED = [
    ("tests/", r"\bsleep\b\(", "wait for the event itself: a line of output, a file, an exit"),
    (
        "tests/",
        r"\bpytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b(?!.*# never in CI)",
        "make it run",
    ),
    ("tests/", r"^\s*(from|import) unittest\b", "fakes come in through the real door"),
    ("", r"\b(T[O]DO|F[I]XME)\b", "do it, or file an issue"),
    ("", r"(?<![\w.-])/(work|root|Users|opt/wheels)/", "no path of one machine"),
]

# Exceptions outside the tree, and why no user ever sees one as such.
INNER_ERRORS = {
    "CallFailedError": "the chain makes a Failure of it, with its record",
    "ExitError": "proc_exit unwinds the guest by it; Guest makes a Trap of it",
    "InvalidWasmError": "the engine knows the module's name, and makes an InvalidModule of it",
    "MalformedError": "as CallFailedError, for what a module has written",
    "NotRecordsError": "as MalformedError",
    "BadValueError": "its catchers know the place, and make a ConfigError or UsageError of it",
    "Terminated": "SIGTERM on its way out, like KeyboardInterrupt",
    "Trap": "a guest's call that did not return; the engine says which module's",
}

FOREIGN_ERRORS = re.compile(r"^(Base)?Exception$|Error$|^(StopIteration|KeyboardInterrupt)$")
DRAWN_ERROR = re.compile(r"^[ │├└─]*(?P<name>[A-Z]\w+)(?:.*? (?P<code>\d+)(?: |$))?")
RUST_FUNCTION = re.compile(
    r"^(?P<indent> *)(?:pub(?:\(\w+\))? )?(?:(?:const|unsafe|extern \"C\") )*fn "
)


def project_files() -> list[Path]:
    """Return what git tracks, and sources it will; without git, what a walk finds."""
    try:
        names = git_files("--cached") | git_files("--others", "--exclude-standard", "*.py", "*.rs")
    except (OSError, subprocess.CalledProcessError):
        return sorted(walk(ROOT))
    return sorted(path for name in names if (path := ROOT / name).is_file())


def git_files(*options: str) -> set[str]:
    command = ["git", "ls-files", "-z", *options]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return set(filter(None, listed.split("\0")))


def walk(directory: Path) -> Iterator[Path]:
    """Yield the files below a directory, less what tools leave behind."""
    left_behind = {"__pycache__", "build", "dist", "target"}
    for path in directory.iterdir():
        hidden = path.name.startswith(".") and path.name not in {".ci", ".gitignore"}
        if hidden or path.name in left_behind or path.name.endswith(".egg-info"):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from walk(path)
        elif path.is_file():
            yield path


FILES = project_files()


def check(violations: list[str]) -> None:
    """Fail with every violation on a line of its own."""
    assert not violations, "\n" + "\n".join(violations)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def texts(*suffixes: str) -> Iterator[tuple[Path, str]]:
    """Yield the project's texts (with one of these suffixes); sources have to be UTF-8."""
    for path in FILES:
        raw = path.read_bytes()
        is_text = path.suffix in {".py", ".rs", ".md"} or (b"\0" not in raw and is_utf8(raw))
        if is_text and (not suffixes or path.suffix in suffixes):
            yield path, raw.decode()


def is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def trees(part: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield the parsed Python files below one directory."""
    for path, text in texts(".py"):
        if name_of(path).startswith(part + "/"):
            yield path, ast.parse(text)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_lines_are_short():
    """No line of code is longer than 100 characters."""
    code = [*texts(".py", ".rs", ".sh", ".toml"), *((p, t) for p, t in texts("") if is_script(t))]
    long = [
        f"{name_of(path)}:{number}: {len(line)} characters"
        for path, text in code
        if name_of(path) not in GENERATED
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > LINE_CHARS_MAX
    ]

    check(long)


def is_script(text: str) -> bool:
    return text.startswith("#!")


def test_functions_are_short():
    """No function is longer than 70 lines, signature and docstring included."""
    long = [
        f"{name_of(path)}:{node.lineno}: {node.name} has {lines} lines"
        for path, text in texts(".py")
        for node in functions(ast.parse(text))
        if (lines := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    for path, text in texts(".rs"):
        long += [
            f"{name_of(path)}:{first}: {lines} lines"
            for first, lines in rust_functions(text)
            if lines > FUNCTION_LINES_MAX
        ]

    check(long)


def rust_functions(text: str) -> Iterator[tuple[int, int]]:
    """Yield (first line, number of lines) of each function, as rustfmt indents them."""
    lines = text.splitlines()
    for first, line in enumerate(lines):
        found = RUST_FUNCTION.match(line)
        if found and not line.rstrip().endswith((";", "}")):
            end = found["indent"] + "}"
            count = next((n for n, each in enumerate(lines[first:], 1) if each == end), 0)
            yield first + 1, count


def test_files_are_short():
    """No source file is longer than 600 lines."""
    long = [
        f"{name_of(path)}: {lines} lines"
        for path, text in texts(".py", ".rs")
        if (lines := text.count("\n")) > FILE_LINES_MAX and name_of(path) not in GENERATED
    ]

    check(long)


@pytest.mark.parametrize(("below", "pattern", "instead"), BANNED, ids=[row[2] for row in BANNED])
def test_banned_text(below, pattern, instead):
    """What is banned occurs nowhere; the last column of the table says what to do instead."""
    found = [
        f"{name_of(path)}:{line_at(text, match.start())}: {match[0].strip()}: {instead}"
        for path, text in texts()
        if name_of(path).startswith(below)
        for match in re.finditer(pattern, text, re.MULTILINE)
    ]

    check(found)


def line_at(text: str, index: int) -> int:
    return text.count("\n", 0, index) + 1


def test_files_end_in_a_newline():
    """Every text that is not empty ends in a newline."""
    check([name_of(path) for path, text in texts() if text and not text.endswith("\n")])


def test_the_top_level_is_the_drawn_one():
    """A new file finds its place in a directory that has one for it."""
    names = {path.relative_to(ROOT).parts[0] for path in FILES}

    assert set() == {name for name in names if not name.startswith(".")} - TOP_LEVEL


def test_public_names_have_docstrings():
    """Every module, and every public class and function of the package, says what it is."""
    missing = []
    for path, tree in trees("dataflare_cli"):
        missing += [f"{name_of(path)}:1: module"] if ast.get_docstring(tree) is None else []
        missing += [
            f"{name_of(path)}:{node.lineno}: {node.name}"
            for node in public_definitions(tree)
            if ast.get_docstring(node) is None
        ]

    check(missing)


def public_definitions(
    parent: ast.Module | ast.ClassDef,
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Yield what others may use: not private, not an overload, not inside a function."""
    for node in parent.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        decorators = {ast.unparse(each).rpartition(".")[2] for each in node.decorator_list}
        if node.name.startswith("_") or decorators & {"overload", "override", "setter"}:
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            yield from public_definitions(node)


def test_tests_state_facts():
    """Every test has a docstring; that of a property test lists its invariants."""
    wrong = []
    for path, tree in trees("tests"):
        for node in functions(tree):
            if not node.name.startswith("test_"):
                continue
            doc = ast.get_docstring(node) or ""
            decorators = [ast.unparse(each) for each in node.decorator_list]
            is_property = any(re.match(r"(hypothesis\.)?given\(", each) for each in decorators)
            if not doc:
                wrong.append(f"{name_of(path)}:{node.lineno}: {node.name} states no fact")
            elif is_property and not doc.startswith("Invariants:"):
                wrong.append(f"{name_of(path)}:{node.lineno}: {node.name} lists no Invariants:")

    check(wrong)


def test_the_drawn_error_tree_is_true():
    """The tree in errors.py shows every class below its parent, with its exit code."""
    assert errors.__doc__ is not None
    drawn: dict[str, tuple[str, int]] = {}
    branch = [(-1, "Exception")]
    for line in errors.__doc__.split("\n\n")[1].splitlines():
        found = DRAWN_ERROR.match(line)
        assert found is not None, line
        name, indent = found["name"], found.start("name")
        branch = [each for each in branch if each[0] < indent]
        parent = branch[-1][1]
        _, inherited = drawn.get(parent, ("", errors.ExitCode.FAILED))
        drawn[name] = (parent, int(found["code"] or inherited))
        branch.append((indent, name))

    assert drawn == {
        name: (error.__base__.__name__, error.exit_code)
        for name, error in vars(errors).items()
        if is_ours(name)
    }


def test_errors_live_in_the_tree():
    """No module but errors.py defines a public exception."""
    strays = [
        f"{name_of(path)}:{node.lineno}: {node.name}"
        for path, tree in trees("dataflare_cli")
        if path.name != "errors.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        if node.name not in INNER_ERRORS
        for base in map(ast.unparse, node.bases)
        if FOREIGN_ERRORS.search(base.rpartition(".")[2]) or is_ours(base.rpartition(".")[2])
    ]

    check(strays)


def is_ours(name: str) -> bool:
    found = getattr(errors, name, None)
    return isinstance(found, type) and issubclass(found, errors.DataflareError)


def test_exit_codes_are_documented():
    """README.md's table of exit codes has every exit code, and no other."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"(?ims)^#+ [^\n]*exit codes.*?(?=^#|\Z)", text)
    assert section is not None, "README.md has no section about exit codes"
    cells = re.findall(r"^\|([\d`, ]+)\|", section[0], re.MULTILINE)
    documented = [int(code) for cell in cells for code in re.findall(r"\d+", cell)]

    assert sorted(errors.ExitCode) == sorted(documented)


def test_all_is_true():
    """Every name in `__all__` exists, once; a package lists all it re-exports."""
    wrong = []
    for path, tree in trees("dataflare_cli"):
        listed = [
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        ]
        if not listed:
            continue
        names: list[str] = listed[0]
        parts = path.relative_to(ROOT).with_suffix("").parts
        module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
        wrong += [
            f"{name_of(path)}: {each} does not exist" for each in names if not hasattr(module, each)
        ]
        wrong += [f"{name_of(path)}: {each} twice" for each in set(names) if names.count(each) > 1]
        if path.name == "__init__.py":
            wrong += [
                f"{name_of(path)}: {each} is not listed" for each in re_exports(tree) - set(names)
            ]

    check(wrong)


def re_exports(tree: ast.Module) -> set[str]:
    """Return the public names of ours that a module imports at run time."""
    return {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dataflare_cli.")
        for alias in node.names
        if not (alias.asname or alias.name).startswith("_")
    }
