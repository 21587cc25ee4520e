"""Table formats: which columns `-O table` and `-O full_table` show, as YAML says it.

    name: orders                  # required
    inputFormat: JSON
    smartmodule: my-map           # to run before the records are shown
    columns:                      # none: the names in the first record
      - keyPath: customer.name    # required; a name, or names and indexes joined by dots
        headerLabel: Customer
        width: 20                 # wider text is cut
        alignment: right          # left, right, center
        format: text              # kept, without effect, as in Fluvio
        display: true
        primaryKey: true          # full_table updates the row that has the same value
        headerTextColor: yellow   # a name or #rrggbb; shown by full_table
        headerBgColor: blue

Names may be written in camelCase, snake_case or kebab-case. One that is not known is an
error, as is a value of another type: a column that silently isn't there helps nobody.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from dataflare_cli.errors import ConfigError
from dataflare_cli.text.yamltext import read_yaml, rename_keys

_COLORS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_RGB = re.compile("#[0-9a-f]{6}")

COLUMNS_MAX = 1_000
COLUMN_WIDTH_MAX = 10_000


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column of a table."""

    key_path: str
    header_label: str | None = None
    width: int | None = None
    alignment: Literal["left", "right", "center"] = "left"
    format: str | None = None
    display: bool = True
    primary_key: bool = False
    header_bg_color: str | None = None
    header_text_color: str | None = None

    @property
    def label(self) -> str:
        """Return what stands above the column."""
        return self.key_path if self.header_label is None else self.header_label

    def of(self, row: Any) -> Any:
        """Return this column's part of decoded JSON; UNSET if there is none.

        A name that contains dots wins over a path.
        """
        if isinstance(row, dict) and self.key_path in row:
            return row[self.key_path]
        for name in self.key_path.split("."):
            if isinstance(row, dict) and name in row:
                row = row[name]
            elif isinstance(row, list) and name.isdecimal() and int(name) < len(row):
                row = row[int(name)]
            else:
                return msgspec.UNSET
        return row


class TableFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A named choice of columns; None: whatever the first record has."""

    name: str
    input_format: str = "JSON"
    columns: tuple[Column, ...] | None = None
    smartmodule: str | None = None


def parse_table_format(text: str | bytes, where: str = "table format") -> TableFormat:
    """Return the table format that YAML describes.

    Raises:
        ConfigError: with `where` and what is wrong.
    """
    content = read_yaml(text, where, hint="begin with `name: …`")
    fields = _snake_case(content, where)
    if isinstance(fields.get("columns"), list):
        fields["columns"] = [
            _snake_case(each, where) if isinstance(each, dict) else each
            for each in fields["columns"]
        ]
    try:
        table_format = msgspec.convert(fields, TableFormat)
    except msgspec.ValidationError as exc:
        raise ConfigError(where, str(exc)) from exc
    _check(table_format, where)
    return table_format


def ansi(column: Column) -> str:
    """Return the colours of a column's header as the inside of an escape sequence."""
    codes = []
    for base, color in ((38, column.header_text_color), (48, column.header_bg_color)):
        if color is None:
            continue
        if color.startswith("#"):
            red, green, blue = bytes.fromhex(color[1:])
            codes.append(f"{base};2;{red};{green};{blue}")
        else:
            codes.append(str(base - 8 + _COLORS.index(color.lower())))
    return ";".join(codes)


def _snake_case(content: Mapping[Any, Any], where: str) -> dict[str, Any]:
    def rename(name: str) -> str:
        return re.sub("(?<=[a-z])([A-Z])", r"_\1", name).replace("-", "_").lower()

    return rename_keys(content, where, rename)


def _check(table_format: TableFormat, where: str) -> None:
    if not table_format.name.strip():
        raise ConfigError(where, "name is empty")
    if table_format.input_format.upper() != "JSON":
        raise ConfigError(
            where, f"inputFormat {table_format.input_format} can't be read", hint="JSON can"
        )
    columns = table_format.columns
    if columns is None:
        return
    if not 1 <= len(columns) <= COLUMNS_MAX:
        raise ConfigError(where, f"{len(columns)} columns; there may be 1 to {COLUMNS_MAX}")
    for index, column in enumerate(columns):
        at = f"$.columns[{index}]"
        if column.width is not None and not 1 <= column.width <= COLUMN_WIDTH_MAX:
            raise ConfigError(where, f"width must be 1 to {COLUMN_WIDTH_MAX} - at `{at}`")
        for color in (column.header_text_color, column.header_bg_color):
            if color is not None and not _is_color(color):
                raise ConfigError(
                    where,
                    f"{color!r} is not a colour - at `{at}`",
                    hint=f"{', '.join(_COLORS)}, or #rrggbb",
                )
    if not any(column.display for column in columns):
        raise ConfigError(where, "no column has `display: true`")


def _is_color(text: str) -> bool:
    return text.lower() in _COLORS or _RGB.fullmatch(text.lower()) is not None
