"""YAML as Fluvio's readers have it: the core schema of YAML 1.2, each name once.

PyYAML has that of 1.1, to which `on`, `yes` and `no` are booleans, `010` is 8, `1:30` is 90
and a date is a date; here they are texts. Source: yaml.org/spec/1.2.2, section 10.3.
"""

import codecs
import re
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.reader import ReaderError

from dataflare_cli.errors import ConfigError

_DIGITS = "0123456789"
_OF_1_1 = ("bool", "int", "float", "timestamp")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Loader(yaml.SafeLoader):
    """Reads one document into dicts, lists, texts, numbers, booleans and None."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._checked: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge `<<` in, once it is known that no name is there twice."""
        if id(node) not in self._checked:
            self._checked.add(id(node))
            self._refuse_twice(node)
        super().flatten_mapping(node)

    def _refuse_twice(self, node: yaml.MappingNode) -> None:
        names = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if (key.tag, key.value) in names:
                raise ConstructorError(
                    problem=f"{key.value} is given twice", problem_mark=key.start_mark
                )
            names.add((key.tag, key.value))


Loader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0].rpartition(":")[2] not in _OF_1_1]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name, _pattern, _firsts in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+", "-+" + _DIGITS),
    (
        "float",
        (
            r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
        "-+." + _DIGITS,
    ),
):
    Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), list(_firsts)
    )


def load_yaml(data: str | bytes, where: str) -> Any:
    """Return what is in a document, which errors call `where`.

    Raises:
        ConfigError: it is not YAML; says where.
    """
    text = data if isinstance(data, str) else decode_yaml(data, where)
    try:
        return yaml.load(text, Loader)  # noqa: S506 - it is a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise not_yaml(exc, where, text) from exc


def decode_yaml(data: bytes, where: str) -> str:
    """Return the text of a document: UTF-8, or UTF-16 if it begins with the mark of that.

    Raises:
        ConfigError: it is neither.
    """
    codec = "utf-16" if data.startswith(_UTF_16) else "utf-8"
    try:
        return data.decode(codec)
    except UnicodeDecodeError as exc:
        raise ConfigError(where, f"not YAML: no {codec.upper()} at byte {exc.start}") from exc


def not_yaml(exc: Exception, where: str, text: str) -> ConfigError:
    """Return what the library says of a text, as FILE:LINE:COLUMN and one line of words."""
    if isinstance(exc, yaml.MarkedYAMLError):
        mark = exc.problem_mark or exc.context_mark
        if mark is not None:
            where = f"{where}:{mark.line + 1}:{mark.column + 1}"
        problem = exc.problem or exc.context or "it makes no sense"
    elif isinstance(exc, ReaderError):
        before = text[: exc.position]
        column = exc.position - (before.rfind("\n") + 1)
        where = f"{where}:{before.count(chr(10)) + 1}:{column + 1}"
        problem = f"the character U+{exc.character:04X} is not allowed"
    elif isinstance(exc, RecursionError):
        problem = "too many lists or mappings in each other"
    else:
        problem = str(exc)
    return ConfigError(where, f"not YAML: {' '.join(problem.split())}")
