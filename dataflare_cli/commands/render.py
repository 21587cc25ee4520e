"""Tables and documents: how a list or one thing is shown.

Hides table layout, the four formats of -O, and terminals: no text of the user's data
reaches one with a control character in it.

Rows are plain dicts, dumped as they are by json, yaml and toml. A column or field names
a key of them, or is a function of the row where the table shows something else.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataflare_cli.commands.context import Environment

Row = Mapping[str, Any]
Column = tuple[str, str | Callable[[Any], object]]

# C0, DEL and C1 command terminals, line separators break rows, and overrides of the
# direction make a text read as another one.
CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
CONTROLS |= {code: f"\\u{code:04x}" for code in (*range(0x2028, 0x202F), *range(0x2066, 0x206A))}
CONTROLS |= {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}
# What JSON and TOML leave as it is inside strings, in the escape both understand.
ESCAPES = {code: f"\\u{code:04x}" for code in CONTROLS if code >= 0x7F} | {ord("\t"): "\\t"}


def clean(text: str, *, keep: str = "") -> str:
    """Replace control characters by visible escapes, those in `keep` excepted."""
    if text.isascii() and text.isprintable():
        return text
    if keep:
        return keep.join(clean(part) for part in text.split(keep))
    return text.translate(CONTROLS)


def show_list(
    env: "Environment",
    rows: Sequence[Row],
    columns: Sequence[Column],
    output: str,
    *,
    empty: str,
    spare: Sequence[str] = (),
) -> None:
    """Print rows in the format of -O; as a table, `empty` if there are none.

    On a terminal that is too narrow, the columns in `spare` are left out, one by one.
    """
    if output != "table":
        env.write(dump(list(rows), output))
    elif rows:
        lines = table_lines(rows, columns)
        left_out: list[str] = []
        for header in spare if env.stdout_is_terminal else ():
            if max(map(_width, lines)) <= env.width:
                break
            left_out.append(header)
            lines = table_lines(rows, [each for each in columns if each[0] not in left_out])
        env.print("\n".join(lines))
    else:
        env.print(empty)


def show_one(
    env: "Environment",
    row: Row,
    fields: Sequence[Column],
    output: str,
    *,
    rule: bool = False,
) -> None:
    """Print one thing in the format of -O; as a table, one `Key:Value` a line, then a rule."""
    if output != "table":
        env.write(dump(row, output))
        return
    lines = [f"  {label}:{_cell(row, key)}" for label, key in fields]
    env.print("\n".join([*lines, "  -----------------"] if rule else lines))


def table_lines(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    """Lay out Fluvio's borderless table: a blank around each cell, one more before a line."""
    cells = [[header for header, _ in columns]]
    cells += [[_cell(row, key) for _, key in columns] for row in rows]
    widths = [max(_width(line[place]) for line in cells) for place in range(len(columns))]
    return [
        " " + "".join(f" {text}{' ' * (width - _width(text))} " for text, width in padded).rstrip()
        for padded in (zip(line, widths, strict=True) for line in cells)
    ]


def dump(value: object, output: str) -> bytes:
    """Encode a list or an object as json, yaml or toml, ending in one newline."""
    import msgspec

    plain = msgspec.to_builtins(value, str_keys=True)
    if output == "json":
        text = msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()
        return text.translate(ESCAPES).encode() + b"\n"
    if output == "yaml":
        return msgspec.yaml.encode(plain)
    # A TOML document is a table, and TOML has no null.
    table = {"items": plain} if isinstance(plain, list) else plain
    return msgspec.toml.encode(_without_nulls(table)).decode().translate(ESCAPES).encode()


def to_json_line(value: object) -> str:
    """Encode as JSON on one line, safe for a terminal."""
    import msgspec

    return msgspec.json.encode(value).decode().translate(ESCAPES)


def _cell(row: Row, key: str | Callable[[Any], object]) -> str:
    value = key(row) if callable(key) else row.get(key)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean(str(value))


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value if each is not None]
    return value
