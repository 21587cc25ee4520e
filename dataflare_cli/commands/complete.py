"""What Tab offers: `dataflare __complete SHELL -- WORDS…`, the last word unfinished.

Answers from the generated table `_tree` and, for names, from the store and the user's
file. Imports neither Typer nor msgspec, creates nothing, says nothing when something is
wrong: an error here would land in the middle of somebody's command line.

The answer is one candidate a line, a tab and its description after it where the shell
shows those; a line `:file` or `:dir` asks the shell to complete paths, too. A candidate
that ends in = is not a whole word yet, and gets no blank after it.
"""

from __future__ import annotations

from dataflare_cli.commands._tree import TREE

TYPE_CHECKING = False  # typing's own costs 8 ms
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

# In the catalog and in `consumers` (catalog.py, consumers.py; a test holds them together).
KINDS = {"TOPIC": b"t", "SMARTMODULE": b"s", "TABLE-FORMAT": b"f"}
CONSUMER_SUFFIX_BYTES = 5
SHELLS = ("bash", "zsh", "fish")
FILE, DIRECTORY = ":file", ":dir"
# The commands whose SMARTMODULE has to be a stored one.
STORED_ONLY = (("smartmodule", "delete"),)
MODULE_OPTIONS = ("--smartmodule", "--sm")
PARAMETER_OPTIONS = ("-e", "--params")
METADATA_SECTION = b"dataflare.smartmodule"
# Root options that say where names are to be found.
PLACES = {
    "-P": "profile",
    "--profile": "profile",
    "-c": "data-dir",
    "--cluster": "data-dir",
    "--data-dir": "data-dir",
}

Candidate = tuple[str, str]


class Line:
    """A command line read up to its last word: where in the tree it is, what comes next."""

    def __init__(self, words: list[str]) -> None:
        self.node: dict[str, Any] = TREE
        self.path: tuple[str, ...] = ()
        self.modules: list[str] = []  # what --smartmodule names, the last one last
        self.flags: dict[str, tuple[str, str]] = {}
        self.pending: str | None = None  # the option whose value comes next
        self.arguments = 0
        self.only_arguments = False
        self.lost = False  # an unknown command: nothing can be offered
        for word in words:
            self._take(word)

    def _take(self, word: str) -> None:
        if self.pending is not None:
            self._note(self.pending, word)
            self.pending = None
        elif self.only_arguments or word in ("", "-") or not word.startswith("-"):
            self._take_argument(word)
        elif word == "--":
            self.only_arguments = True
        elif word.startswith("--"):
            name, is_joined, value = word.partition("=")
            if self._takes_value(name):
                self.pending = None if is_joined else name
                self._note(name, value)
        else:
            self._take_short(word)

    def _take_short(self, word: str) -> None:
        """Read -abcVALUE: flags up to the first option that takes a value."""
        for place, letter in enumerate(word[1:], start=2):
            name = f"-{letter}"
            if self._takes_value(name):
                self.pending = None if word[place:] else name
                self._note(name, word[place:])
                return

    def _take_argument(self, word: str) -> None:
        if self.node is TREE and word == "help":
            return
        commands = self.node.get("commands", {})
        if not commands:
            self.arguments += 1
            return
        name = self.node.get("aliases", {}).get(word, word)
        self.lost = name not in commands
        self.node = commands.get(name, {})
        self.path = (*self.path, name)

    def _takes_value(self, name: str) -> bool:
        option = self.node.get("options", {}).get(name)
        return option is not None and option[0] is not None

    def _note(self, name: str, value: str) -> None:
        if self.node is TREE and name in PLACES:
            self.flags[PLACES[name]] = (name, value)
        elif name in MODULE_OPTIONS:
            self.modules.append(value)


def answer(words: list[str], environ: Mapping[str, str]) -> str:
    """Return the candidates for the last of the words, after the shell's name and `--`."""
    try:
        shell, typed = words[0], words[2:] or [""]
        if shell == "bash":
            typed = join_equal_signs(typed)
        lines = [
            f"{text}\t{help_text}" if help_text and shell != "bash" else text
            for text, help_text in candidates(typed, environ, whole_words=shell != "bash")
        ]
    except Exception:  # noqa: BLE001 - see the module's docstring
        return ""
    return "\n".join(lines)


def join_equal_signs(words: list[str]) -> list[str]:
    """Undo what bash does to --option=value and name=value: it makes three words of it."""
    joined: list[str] = []
    follows = False
    for word in words:
        # After name= there may be nothing; no value of a long option looks like an option.
        is_value = follows and (joined[-1].startswith("--") or not word.startswith("-"))
        follows = word == "=" and bool(joined)
        if is_value or follows:
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def candidates(
    words: list[str], environ: Mapping[str, str], *, whole_words: bool
) -> list[Candidate]:
    """Return what the last word may become.

    `whole_words`: after --option= the candidates repeat the option, as zsh and fish
    replace the whole word.
    """
    *before, last = words
    line = Line(before)
    if line.lost:
        return []
    options = line.node.get("options", {})
    if line.pending is not None:
        kind = _kind_of(line.pending, options[line.pending])
        found = _matching(_values(kind, line, last, environ), last)
        return found if whole_words else [(_after_sign(last, text), note) for text, note in found]
    name, is_joined, value = last.partition("=")
    if last.startswith("-") and not line.only_arguments:
        if is_joined and name in options and options[name][0] is not None:
            kind = _kind_of(name, options[name])
            found = _matching(_values(kind, line, value, environ), value)
            if whole_words:
                return [(_after_name(name, text), help_text) for text, help_text in found]
            return [(_after_sign(value, text), help_text) for text, help_text in found]
        return _matching([(each, options[each][2]) for each in options], last)
    commands = line.node.get("commands", {})
    if commands:
        return _matching([(each, commands[each]["help"]) for each in commands], last)
    kinds = line.node.get("arguments", [])
    if not kinds:
        return []
    place = line.arguments
    if place >= len(kinds):
        if not line.node.get("repeats"):
            return []
        place = len(kinds) - 1
    return _matching(_values(kinds[place], line, last, environ), last)


def _matching(found: list[Candidate], start: str) -> list[Candidate]:
    return [each for each in found if each[0] in (FILE, DIRECTORY) or each[0].startswith(start)]


def _after_name(name: str, text: str) -> str:
    return text if text in (FILE, DIRECTORY) else f"{name}={text}"


def _after_sign(typed: str, text: str) -> str:
    """Leave out of a candidate what bash leaves alone: all up to the last = that was typed."""
    return text[typed.rfind("=") + 1 :]


def _kind_of(name: str, option: tuple[str, list[str], str]) -> tuple[str, list[str]]:
    """Return what a value of an option is: its kind, and the words it is one of."""
    return ("PARAMETER", []) if name in PARAMETER_OPTIONS else (option[0], option[1])


def _values(
    option: tuple[str, list[str]], line: Line, start: str, environ: Mapping[str, str]
) -> list[Candidate]:
    kind, choices = option
    if choices:
        return [each for word in choices for each in _choice(word, line, start, environ)]
    if kind in (FILE, DIRECTORY):
        return [(kind, "")]
    if kind in ("PROFILE", "SETTING"):
        return [(name, "") for name in _configured(kind, environ)]
    if kind == "SMARTMODULE":
        built_in = () if line.path in STORED_ONLY else _built_in()
        names = [*_stored(kind, start, line.flags, environ), *built_in]
        return [(name, "") for name in dict.fromkeys(names)]
    if kind == "PARAMETER":
        return _parameters(line.modules[-1]) if line.modules and "=" not in start else []
    if kind in ("TOPIC", "CONSUMER", "TABLE-FORMAT"):
        return [(name, "") for name in _stored(kind, start, line.flags, environ)]
    return []


def _choice(word: str, line: Line, start: str, environ: Mapping[str, str]) -> Iterator[Candidate]:
    """Yield what one of several words means: itself, or what the placeholder in it stands for."""
    before, sign, kind = word.rpartition("=")
    if kind == "FILE" and not sign:
        yield FILE, ""
    elif kind not in KINDS:
        yield word, ""
    elif sign and not start.startswith(f"{before}="):
        yield f"{before}=", ""
    else:
        typed = start[len(before + sign) :]
        for name, help_text in _values((kind, []), line, typed, environ):
            yield before + sign + name, help_text


def _configured(kind: str, environ: Mapping[str, str]) -> list[str]:
    from dataflare_cli.config import BY_KEY, PROFILE, UserFile, user_file_path

    if kind == "SETTING":
        return [PROFILE.key, *BY_KEY]
    return UserFile(user_file_path(environ)).load().names()


def _built_in() -> list[str]:
    """Return the names of the SmartModules that are shipped, by their files."""
    return sorted(path.stem for path in _built_in_directory().glob("*.wasm"))


def _built_in_directory() -> Path:
    from pathlib import Path

    return Path(__file__).parents[1] / "wasm" / "builtin"


def _parameters(module: str) -> list[Candidate]:
    """Return the parameters of a built-in SmartModule, each with the = that follows it.

    What a module says of itself is JSON in its file; reading sections as they should be read
    imports wasmtime.
    """
    import json

    name = module.removeprefix("dataflare/").partition("@")[0]
    if name not in _built_in():
        return []
    wasm = (_built_in_directory() / f"{name}.wasm").read_bytes()
    begin = wasm.rindex(METADATA_SECTION + b"{") + len(METADATA_SECTION)
    said, _ = json.JSONDecoder().raw_decode(wasm[begin:].decode("utf-8", "replace"))
    return [
        (f"{each['name']}=", " ".join(each.get("description", "").split()))
        for each in said.get("params", ())
    ]


def _stored(
    kind: str, start: str, flags: dict[str, tuple[str, str]], environ: Mapping[str, str]
) -> Iterator[str]:
    """Yield names from the data directory in use; nothing is created, not even a lock file."""
    from pathlib import Path

    from dataflare_cli.config import Settings

    path = Settings(environ=environ, cwd=Path.cwd(), flags=flags).data_dir
    if not ((path / "data.mdb").exists() and (path / "lock.mdb").exists()):
        return
    from dataflare_cli.store import Store

    with (
        Store.open(path, create=False, read_only=True, lock_timeout_s=0) as store,
        store.view() as view,
    ):
        if kind == "CONSUMER":
            keys = (key[:-CONSUMER_SUFFIX_BYTES] for key, _ in view.items(b"consumers"))
            yield from dict.fromkeys(key.decode() for key in keys)
        else:
            for key, _ in view.items(b"catalog", KINDS[kind] + start.encode()):
                yield key[1:].decode()
