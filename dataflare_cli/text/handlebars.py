r"""Fluvio's templates: `-F '{{key}} at {{offset}}: {{value}}'`.

`{{name}}`, `{{{name}}}` and `{{&name}}` are the same, as nothing is escaped for HTML;
`{{! … }}` is a comment, `\{{` two braces, `\\{{` a backslash and a field. Blocks, helpers
and partials are refused.

A field is written in full, as it is: key and value as their bytes, `null` where there is
none; timestamp in milliseconds (-1: none) and time in RFC 3339 (`NA`: none); headers as
a JSON array of pairs; a size of null is -1.
"""

import re
from collections.abc import Iterator

from dataflare_cli.codec.program import Instruction, Op
from dataflare_cli.errors import UsageError
from dataflare_cli.text.template import Part, headers_json, literal

FIELDS = (
    "key",
    "value",
    "offset",
    "partition",
    "time",
    "topic",
    "timestamp",
    "timestamp_type",
    "headers",
    "key_size",
    "value_size",
)

_OPS = {
    "offset": Op.OFFSET,
    "partition": Op.PARTITION,
    "time": Op.TIME,
    "timestamp": Op.TIMESTAMP_MS,
    "timestamp_type": Op.TIMESTAMP_TYPE,
    "key_size": Op.KEY_SIZE,
    "value_size": Op.VALUE_SIZE,
}
_TOKEN = re.compile(
    r"""\\\{\{ | (?P<backslash>\\\\)(?=\{\{)
      | \{\{!--.*?--\}\} | \{\{!.*?\}\}
      | \{\{\{ (?P<triple>[^{}]*) \}\}\}
      | \{\{ (?P<double>[^{}]*) \}\}
      | (?P<open>\{\{)""",
    re.VERBOSE | re.DOTALL,
)


def parse_template(template: str, topic: str, *, null: bytes = b"null") -> list[Part]:
    """Return the parts of a template.

    Raises:
        UsageError: it can't be read, or has a field that is not known.
    """
    return list(_parts(template, topic, null))


def _parts(template: str, topic: str, null: bytes) -> Iterator[Part]:
    at = 0
    for match in _TOKEN.finditer(template):
        yield literal(template[at : match.start()])
        at = match.end()
        name = match["double"] if match["triple"] is None else match["triple"]
        if match["open"]:
            raise _malformed(template, f"{template[match.start() :]!r} is not closed by }}}}")
        if name is not None:
            yield _field(name.strip().removeprefix("&").strip(), template, topic, null)
        elif match[0].startswith("\\"):
            yield literal("\\" if match["backslash"] else "{{")
    yield literal(template[at:])


def _field(name: str, template: str, topic: str, null: bytes) -> Part:
    if name in _OPS:
        return Instruction(_OPS[name])
    if name == "topic":
        return literal(topic)
    if name == "headers":
        return headers_json
    if name in ("key", "value"):
        return Instruction(Op.KEY if name == "key" else Op.VALUE, null=null)
    if not name or name[0] in "#/^>~*" or " " in name or name == "else":
        raise _malformed(template, f"{{{{{name}}}}} is not a field; blocks can't be used here")
    from difflib import get_close_matches

    matches = get_close_matches(name, FIELDS, n=1)
    hint = f'did you mean "{matches[0]}"? ' if matches else ""
    raise UsageError(
        f"Invalid argument: -F {template!r}: unknown field {name!r}",
        hint=f"{hint}fields are {', '.join(FIELDS)}",
    )


def _malformed(template: str, problem: str) -> UsageError:
    return UsageError(
        f"Invalid argument: -F {template!r}: {problem}",
        hint="write fields as {{key}}, and two plain braces as \\{{",
    )
