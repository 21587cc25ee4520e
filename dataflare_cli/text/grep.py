"""Filters on records: `-G`, as kcl has it.

    [!]k:REGEX         the key matches
    [!]v:REGEX         the value matches
    [!]hk:REGEX        the name of some header matches
    [!]hv:REGEX        the value of some header matches
    [!]h:NAME=REGEX    the value of some header of that name matches
    [!]t:REGEX         the topic matches

`!` negates; several filters are joined by AND. An expression (Python's `re`) may match
anywhere, so anchor it to be strict. It sees text: characters of UTF-8, while a byte that
is not part of one is a character of its own that only `.` or a negated class meets.
Unlike kcl, a null is not an empty text: it matches nothing, so `!k:` finds the records
without a key.
"""

import re
from collections.abc import Callable, Sequence

from dataflare_cli.errors import UsageError
from dataflare_cli.model import Record

Filter = Callable[[Record], bool]
_Matches = Callable[[bytes | None], bool]

_HINT = "write [!]k:REGEX, v:REGEX, hk:REGEX, hv:REGEX, h:NAME=REGEX or t:REGEX"


def compile_filter(texts: Sequence[str], topic: str | None = None) -> Filter:
    """Return what tells whether a record of a topic passes all filters.

    Raises:
        UsageError: a filter that can't be read, or one on the topic when there is none.
    """
    filters = [_compile(text, topic) for text in texts]
    if len(filters) == 1:
        return filters[0]
    return lambda record: all(each(record) for each in filters)


def _compile(text: str, topic: str | None) -> Filter:
    is_negated = text.startswith("!")
    kind, colon, expression = text[is_negated:].partition(":")
    if not colon or kind not in ("k", "v", "hk", "hv", "h", "t"):
        raise UsageError(f"Invalid argument: -G {text!r}: unknown filter", hint=_HINT)
    if kind == "t" and topic is None:
        raise UsageError(f"Invalid argument: -G {text!r}: there is no topic here", hint=_HINT)
    name = ""
    if kind == "h":
        name, equals, expression = expression.partition("=")
        if not equals:
            raise UsageError(f"Invalid argument: -G {text!r}: no =REGEX after NAME", hint=_HINT)
    passes = _on(kind, _matcher(expression, text), _encode(name), _encode(topic or ""))
    return (lambda record: not passes(record)) if is_negated else passes


def _on(kind: str, matches: _Matches, name: bytes, topic: bytes) -> Filter:
    match kind:
        case "k":
            return lambda record: matches(record.key)
        case "v":
            return lambda record: matches(record.value)
        case "hk":
            return lambda record: any(matches(each) for each, _ in record.headers)
        case "hv":
            return lambda record: any(matches(value) for _, value in record.headers)
        case "h":
            return lambda record: any(
                each == name and matches(value) for each, value in record.headers
            )
    is_wanted = matches(topic)
    return lambda _: is_wanted


def _matcher(expression: str, text: str) -> _Matches:
    try:
        search = re.compile(expression).search
    except (re.error, RecursionError, OverflowError) as exc:
        raise UsageError(
            f"Invalid argument: -G {text!r}: not a regular expression: {exc}", hint=_HINT
        ) from exc
    if expression and re.escape(expression) == expression:
        # Plain text: no need to decode. UTF-8 finds a text where its bytes are.
        literal = _encode(expression)
        return lambda data: data is not None and literal in data
    return lambda data: (
        data is not None and (search(data.decode("utf-8", "surrogateescape")) is not None)
    )


def _encode(text: str) -> bytes:
    """Turn an argument back into the bytes the shell gave."""
    return text.encode("utf-8", "surrogateescape")
