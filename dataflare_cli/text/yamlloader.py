"""YAML as Fluvio's readers have it: the core schema of YAML 1.2, each name once.

PyYAML has that of 1.1, to which `on`, `yes` and `no` are booleans, `010` is 8, `1:30` is 90
and a date is a date; here they are texts. Source: yaml.org/spec/1.2.2, section 10.3.
"""

import re
from typing import Any

import yaml
from yaml.constructor import ConstructorError

_DIGITS = "0123456789"
_OF_1_1 = ("bool", "int", "float", "timestamp")


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
