"""Transforms: a chain as people write it, in YAML, or in JSON a step at a time.

    transforms:
      - uses: group/name@0.1.0          # or a bare name
        lookback: { last: 1, age: 1w }  # optional
        with:                           # optional
          key: text
          spec: [ ... ]                 # lists and mappings become compact JSON, names sorted

Fluvio's format. A number, a boolean or null right below `with` is an error there, too: a
module's parameters are texts, and YAML would not say which text was meant.
"""

import json
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from dataflare_cli.errors import ConfigError, UsageError
from dataflare_cli.model import LOOKBACK_LAST_MAX, Lookback
from dataflare_cli.smartmodule.abi import STRING_BYTES_MAX
from dataflare_cli.text.time import parse_duration
from dataflare_cli.text.yamltext import read_yaml

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
STEPS_MAX = 64
FILE_BYTES_MAX = 1 << 20


class Origin(Enum):
    """Where a step's module is looked for."""

    REGISTRY = "registry"
    FILE = "file"
    BUILT_IN = "built-in"


class StepSpec(NamedTuple):
    """One step of a chain: which module, with which parameters and look-back."""

    uses: str
    params: Mapping[str, str]
    lookback: Lookback | None = None
    origin: Origin = Origin.REGISTRY


def parse_transforms(text: bytes, where: str) -> list[StepSpec]:
    """Read a transforms file.

    Raises:
        ConfigError: it is malformed.
    """
    content = read_yaml(text, where, hint="begin with `transforms:` and a list of `- uses: NAME`")
    unknown = sorted(map(str, set(content) - {"transforms"}))
    if unknown:
        raise ConfigError(where, f"unknown key {unknown[0]!r}", hint="it has `transforms`, a list")
    steps = content.get("transforms")
    if not isinstance(steps, list) or not steps:
        raise ConfigError(where, "`transforms` is not a list of steps", hint="- uses: NAME")
    if len(steps) > STEPS_MAX:
        raise ConfigError(where, f"{len(steps)} steps: a chain has {STEPS_MAX} at most")
    return [read_step(step, f"{where}: step {number}") for number, step in enumerate(steps, 1)]


def parse_transform_line(text: str) -> StepSpec:
    """Read one step in JSON.

    Raises:
        UsageError: not JSON, or no step.
    """
    what = "Invalid argument: unable to parse `transform` argument"
    try:
        step = json.loads(text)
    except (ValueError, RecursionError) as exc:
        hint = '{"uses": "NAME", "with": {"key": "value"}}'
        raise UsageError(f"{what}: {exc}", hint=f"write it like '{hint}'") from exc
    try:
        return read_step(step, what)
    except ConfigError as exc:
        raise UsageError(exc.message, hint=exc.hint) from exc


def read_step(step: object, where: str) -> StepSpec:
    """Read one step of a list.

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(step, dict) or not isinstance(step.get("uses"), str) or not step["uses"]:
        raise ConfigError(where, "`uses` is missing: the name of a SmartModule")
    unknown = sorted(map(str, set(step) - {"uses", "with", "lookback"}))
    if unknown:
        raise ConfigError(where, f"unknown key {unknown[0]!r}", hint="keys: uses, with, lookback")
    return StepSpec(
        _sound(step["uses"], "`uses`", where),
        read_params(step.get("with"), where),
        read_lookback(step.get("lookback"), where),
    )


def read_params(given: object, where: str) -> dict[str, str]:
    """Read a mapping of parameters: texts, and lists and mappings as compact JSON.

    Raises:
        ConfigError: something else.
    """
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise ConfigError(where, "`with` is not a mapping of parameters")
    return {_name(name, where): _text(name, value, where) for name, value in given.items()}


def read_lookback(given: object, where: str) -> Lookback | None:
    """Read `{last: N, age: DURATION}`.

    Raises:
        ConfigError: something else.
    """
    if given is None:
        return None
    if not isinstance(given, dict) or set(given) - {"last", "age"}:
        raise ConfigError(where, "`lookback` has `last` (a number) and `age` (a duration)")
    last, age = given.get("last", 0), given.get("age")
    if isinstance(last, bool) or not isinstance(last, int) or not 0 <= last <= LOOKBACK_LAST_MAX:
        raise ConfigError(where, f"`lookback.last` is {last!r}, not 0 to {LOOKBACK_LAST_MAX}")
    try:
        return Lookback(last, None if age is None else int(parse_duration(str(age)) * 1000))
    except UsageError as exc:
        raise ConfigError(where, f"`lookback.age`: {exc.message}", hint=exc.hint) from exc


def _name(name: object, where: str) -> str:
    if not isinstance(name, str):
        raise ConfigError(where, f"the parameter's name {name!r} is not a text")
    return _sound(name, f"the parameter's name {name!r}", where)


def _text(name: object, value: object, where: str) -> str:
    if isinstance(value, str):
        return _sound(value, f"the parameter {name!r}", where)
    if isinstance(value, (list, Mapping)):
        try:
            return _sound(_compact(value), f"the parameter {name!r}", where)
        except (TypeError, ValueError, RecursionError) as exc:
            raise ConfigError(where, f"the parameter {name!r} can't be JSON: {exc}") from exc
    hint = None
    if value is None:
        hint = f'leave it out, or write {name}: "" if it is to be empty'
    elif isinstance(value, bool | int | float):
        hint = f'write quotes around it: {name}: "{json.dumps(value)}"'
    shown = repr(value) if hint is None else json.dumps(value)
    problem = f"the parameter {name!r} is {shown}, not a text, a list or a mapping"
    raise ConfigError(where, problem, hint=hint)


_ENCODER = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
)


def _compact(value: Any) -> str:
    """Return compact JSON; piece by piece, as a few lines of YAML may stand for gigabytes."""
    parts: list[str] = []
    size = 0
    for part in _ENCODER.iterencode(value):
        parts.append(part)
        size += len(part)
        if size > STRING_BYTES_MAX:
            raise ValueError(f"it is longer than the {STRING_BYTES_MAX} bytes a parameter may have")
    return "".join(parts)


def _sound(text: str, what: str, where: str) -> str:
    """Return a text with the pairs of surrogates joined that JSON's escapes may leave.

    Raises:
        ConfigError: half of a pair, which is no text.
    """
    whole = _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
    try:
        # Bytes of a command line that are not UTF-8 are such halves, too, and mean what they were.
        whole.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as exc:
        raise ConfigError(where, f"{what} has half of a surrogate pair in it") from exc
    return whole
