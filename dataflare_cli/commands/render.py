"""Tables and documents: how a list or one thing is shown.

Hides table layout, the four formats of -O, and terminals: no text of the user's data
reaches one with a control character in it.

Rows are plain dicts, dumped as they are by json, yaml and toml. A column or field names
a key of them, or is a function of the row where the table shows something else.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataflare_cli.commands.context import Environment

Row = Mapping[str, Any]
Column = tuple[str, str | Callable[[Any], object]]

# Cells up to this width are never broken: numbers with their units, short names.
WHOLE = 12

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

    On a terminal that is too narrow, texts are broken at spaces; where that is not enough,
    the columns in `spare` are left out, one by one.
    """
    if output != "table":
        env.write(dump(list(rows), output))
    elif rows:
        width = env.width if env.stdout_is_terminal else None
        lines = table_lines(rows, columns, width)
        left_out: list[str] = []
        for header in spare:
            if width is None or max(map(_width, lines)) <= width:
                break
            left_out.append(header)
            shown = [each for each in columns if each[0] not in left_out]
            lines = table_lines(rows, shown, width)
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
    colon: str = ":",
) -> None:
    """Print one thing in the format of -O; as a table, one `Key:Value` a line, then a rule.

    Fluvio has no blank after the colon; what Fluvio doesn't show may have one.
    """
    if output != "table":
        env.write(dump(row, output))
        return
    lines = [f"  {label}{colon}{_cell(row, key)}" for label, key in fields]
    if env.stdout_is_terminal:
        lines = [part for line in lines for part in fold(line, env.width, indent="    ")]
    env.print("\n".join([*lines, "  -----------------"] if rule else lines))


def table_lines(
    rows: Sequence[Row], columns: Sequence[Column], width: int | None = None
) -> list[str]:
    """Lay out Fluvio's borderless table: a blank around each cell, one more before a line.

    Where it is wider than `width`, headers and cells are broken at spaces, as far as they can.
    """
    cells = [[header for header, _ in columns]]
    cells += [[_cell(row, key) for _, key in columns] for row in rows]
    widths = [max(_width(line[place]) for line in cells) for place in range(len(columns))]
    if width is not None:
        widths = _narrowed(cells, widths, width)
    lines = []
    for line in cells:
        folded = [fold(text, most) for text, most in zip(line, widths, strict=True)]
        for parts in zip_longest(*folded, fillvalue=""):
            padded = zip(parts, widths, strict=True)
            text = "".join(f" {part}{' ' * (most - _width(part))} " for part, most in padded)
            lines.append(" " + text.rstrip())
    return lines


def fold(text: str, width: int, *, indent: str = "") -> list[str]:
    """Break a text at spaces into lines of that width; a word that is longer stays whole.

    `indent` comes before all lines but the first.
    """
    if _width(text) <= width:
        return [text]
    margin = len(text) - len(text.lstrip(" "))
    words = text[margin:].split(" ")
    lines = [text[:margin] + words[0]]
    for word in words[1:]:
        if _width(lines[-1]) + 1 + _width(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(indent + word)
    return lines


def _narrowed(cells: Sequence[Sequence[str]], widths: list[int], width: int) -> list[int]:
    """Return widths of columns that fit, if words are short enough: headers give way first."""
    widths = list(widths)
    words = [max(_longest_word(line[place]) for line in cells) for place in range(len(widths))]
    bodies = [
        max((_width(line[place]) for line in cells[1:]), default=0) for place in range(len(widths))
    ]
    least = [max(word, min(body, WHOLE)) for word, body in zip(words, bodies, strict=True)]
    # A header of two words above narrow cells costs columns for nothing; then the widest texts.
    for floors in ([*map(max, words, bodies)], least):
        for place in sorted(range(len(widths)), key=lambda each: -widths[each]):
            excess = sum(each + 2 for each in widths) - width
            if excess > 0:
                widths[place] = max(min(floors[place], widths[place]), widths[place] - excess)
                parts = [fold(line[place], widths[place]) for line in cells]
                widths[place] = max(_width(part) for each in parts for part in each)
    return widths


def _longest_word(text: str) -> int:
    return max(map(_width, text.split(" ")))


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
