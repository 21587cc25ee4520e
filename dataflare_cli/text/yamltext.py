"""YAML documents of names and values, as people write configurations.

Hides the library and its errors; every problem is a ConfigError with its place.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dataflare_cli.errors import ConfigError


def read_yaml(text: str | bytes, where: str, *, hint: str) -> dict[Any, Any]:
    """Return the names and values of a document; `hint` says how one begins.

    Raises:
        ConfigError: not YAML, or something other than names and values.
    """
    from dataflare_cli.text.yamlloader import load_yaml

    content = load_yaml(text, where)
    if not isinstance(content, dict):
        raise ConfigError(where, "expected names and values", hint=hint)
    return content


def rename_keys(
    content: Mapping[Any, Any], where: str, rename: Callable[[str], str]
) -> dict[str, Any]:
    """Return a mapping under the names that we use for its spellings.

    Raises:
        ConfigError: a key that is no text, or two spellings of one name.
    """
    fields: dict[str, Any] = {}
    for name, value in content.items():
        if not isinstance(name, str):
            raise ConfigError(where, f"{name!r} is not a name")
        renamed = rename(name)
        if renamed in fields:
            raise ConfigError(where, f"{name} is given twice")
        fields[renamed] = value
    return fields
