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

# (which files, what may not be there, what to do instead)
BANNED = [
    ("tests/*.py", r"\bsleep\b\(", "wait for the event itself: a line of output, a file, an exit"),
    ("tests/*.py", r"\bpytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b", "make it run"),
    ("tests/*.py", r"^\s*(from|import) unittest\b", "fakes come in through the real door"),
    ("*", r"\b(TO" r"DO|FIX" r"ME)\b", "do it, or file an issue"),
    ("*", r"(?<![\w.-])/(work|root|Users|opt/wheels)/", "no path of one machine"),
    ("*", r"[ \t]+$", "no blanks at the end of a line"),
    ("*", r"\r", "lines end in \\n"),
]

FOREIGN_ERRORS = re.compile(r"^(Base)?Exception$|Error$|^(StopIteration|KeyboardInterrupt)$")
TREE_LINE = re.compile(r"^(?P<indent>[ │]*)(?:[├└]─ )?(?P<name>[A-Z]\w+)\b.*?(?P<exit>\b\d+\b)?")
RUST_FUNCTION = re.compile(
    r"^(?P<indent> *)(?:pub(?:\(\w+\))? )?(?:(?:const|unsafe|extern \"C\") )*fn "
)


def project_files() -> list[Path]:
    """Return what git tracks or would; without git, what a walk finds."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return sorted(walk(ROOT))
    paths = {ROOT / name for name in listed.stdout.split("\0") if name}
    return sorted(path for path in paths if path.is_file())


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


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def texts(*suffixes: str) -> Iterator[tuple[Path, str]]:
    """Yield the project's texts (with one of these suffixes); bytes with a NUL are none."""
    for path in FILES:
        raw = path.read_bytes()
        if (not suffixes or path.suffix in suffixes) and b"\0" not in raw:
            yield path, raw.decode()


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
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > LINE_CHARS_MAX
    ]

    assert [] == long


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

    assert [] == long


def rust_functions(text: str) -> Iterator[tuple[int, int]]:
    """Yield (first line, number of lines) of each function, as rustfmt indents them."""
    lines = text.splitlines()
    for first, line in enumerate(lines):
        found = RUST_FUNCTION.match(line)
        if found and not line.rstrip().endswith((";", "}")):
            last = lines.index(found["indent"] + "}", first)
            yield first + 1, last - first + 1


def test_files_are_short():
    """No source file is longer than 600 lines."""
    long = [
        f"{name_of(path)}: {lines} lines"
        for path, text in texts(".py", ".rs")
        if (lines := text.count("\n")) > FILE_LINES_MAX
    ]

    assert [] == long


@pytest.mark.parametrize(("where", "pattern", "instead"), BANNED, ids=[row[2] for row in BANNED])
def test_banned_text(where, pattern, instead):
    """What is banned occurs nowhere; the last column of the table says what to do instead."""
    found = [
        f"{name_of(path)}:{text.count(chr(10), 0, match.start()) + 1}: {instead}"
        for path, text in texts()
        if path.match(where) or (where.startswith("tests/") and is_test(path))
        if path.name != "LICENSE"
        for match in re.finditer(pattern, text, re.MULTILINE)
    ]

    assert [] == found


def is_test(path: Path) -> bool:
    return name_of(path).startswith("tests/") and path.suffix == ".py"


def test_files_end_in_one_newline():
    """Every text ends in exactly one newline; an empty file is empty."""
    odd = [
        name_of(path)
        for path, text in texts()
        if text and (not text.endswith("\n") or text.endswith("\n\n"))
    ]

    assert [] == odd


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

    assert [] == missing


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

    assert [] == wrong


def test_the_drawn_error_tree_is_true():
    """The tree in errors.py shows every class below its parent, with its exit code."""
    drawn: dict[str, tuple[str | None, int]] = {}
    branch: list[tuple[int, str]] = []
    assert errors.__doc__ is not None
    for line in errors.__doc__.split("Anything else")[0].splitlines()[2:]:
        found = TREE_LINE.match(line.rstrip())
        if found is None:
            continue
        depth = line.index(found["name"])
        branch = [each for each in branch if each[0] < depth]
        parent = branch[-1][1] if branch else None
        code = re.search(r" (\d+)(?: |$)", line)
        drawn[found["name"]] = (parent, int(code[1]) if code else drawn_code(drawn, parent))
        branch.append((depth, found["name"]))
    actual = {
        name: (
            each.__base__.__name__ if each is not errors.DataflareError else None,
            each.exit_code,
        )
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, errors.DataflareError)
    }

    assert actual == drawn


def drawn_code(drawn: dict[str, tuple[str | None, int]], parent: str | None) -> int:
    """Return the code a class without one of its own has."""
    return int(errors.ExitCode.FAILED) if parent is None else drawn[parent][1]


def test_errors_live_in_the_tree():
    """No module but errors.py defines a public exception."""
    strays = [
        f"{name_of(path)}:{node.lineno}: {node.name}"
        for path, tree in trees("dataflare_cli")
        if path.name != "errors.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        for base in map(ast.unparse, node.bases)
        if FOREIGN_ERRORS.search(base.rpartition(".")[2]) or is_ours(base.rpartition(".")[2])
    ]

    assert [] == strays


def is_ours(name: str) -> bool:
    found = getattr(errors, name, None)
    return isinstance(found, type) and issubclass(found, errors.DataflareError)


def test_exit_codes_are_documented():
    """README.md has a table with a row for every exit code, and for no other."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| *`?(\d+(?:`?, *`?\d+)*)`? *\|", text, re.MULTILINE)
    documented = [int(code) for row in rows for code in re.findall(r"\d+", row)]

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

    assert [] == wrong


def re_exports(tree: ast.Module) -> set[str]:
    """Return the public names of ours that a module imports at run time."""
    return {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dataflare_cli.")
        for alias in node.names
        if not (alias.asname or alias.name).startswith("_")
    }
