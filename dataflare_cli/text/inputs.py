"""Importers: bytes in somebody's format in, records out.

Hides the formats of `produce --input`; each is a file of its own (inputs_*.py), loaded when it
is asked for.

Invariants
- Input may come in chunks cut anywhere; the result does not depend on the cuts.
- Memory is bounded by one chunk and one element (a line, a CSV row, a JSON value), and
  an element by `record_bytes_max` and what its notation adds.
- Data never raises: what can't be taken becomes a BadInput with its line, what comes after
  it is read all the same. Where that makes no sense `broken` is set instead.
- Every byte of the input ends in a record, in a BadInput, or is white space of the format.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from dataflare_cli.errors import UsageError
from dataflare_cli.model import REQUEST_BYTES_DEFAULT, Record
from dataflare_cli.text.time import parse_moment

# What an element may hold beside key and value: headers, names, punctuation.
OVERHEAD_BYTES = 1_048_576
# A control character is six bytes in JSON, a quote two in CSV.
JSON_GROWTH, CSV_GROWTH = 6, 2

PARTITION_MAX = 2**31 - 1
TIMESTAMP_MS_MIN, TIMESTAMP_MS_MAX = -(2**63), 2**63 - 1

FORMATS = ("records", "csv", "tsv", "json-array", "kcat", "rpk", "kafka-console")
CONSOLE_FIELDS = ("timestamp", "partition", "offset", "delivery", "headers", "key")

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_MILLISECONDS = re.compile(r"-?[0-9]{1,19}")
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class Imported(NamedTuple):
    """One record of the input, the partition it had there, and the line it begins on."""

    record: Record
    partition: int | None
    line: int


class BadInput(NamedTuple):
    """Input that gives no record: the line it begins on and what is wrong with it."""

    line: int
    problem: str


class Importer(Protocol):
    """Turns input into records; one importer reads one input."""

    broken: bool
    """True once nothing that follows can be understood (a BadInput said so); more input
    is ignored."""

    def feed(self, data: bytes) -> Iterator[Imported | BadInput]:
        """Yield what a further chunk completes. Exhaust it before the next call."""
        ...

    def finish(self) -> Iterator[Imported | BadInput]:
        """Yield what the end of the input completes or leaves unfinished."""
        ...


class InputOptions(NamedTuple):
    """How to read an input; columns are for csv and tsv, fields for kafka-console."""

    null_value: bytes | None = None
    key_column: str | None = None
    value_column: str | None = None
    console_fields: tuple[str, ...] | None = None
    record_bytes_max: int = REQUEST_BYTES_DEFAULT


def make_importer(
    name: str,
    *,
    null_value: bytes | None = None,
    key_column: str | None = None,
    value_column: str | None = None,
    console_fields: tuple[str, ...] | None = None,
    record_bytes_max: int = REQUEST_BYTES_DEFAULT,
) -> Importer:
    """Return the importer of a format.

    A value equal to `null_value` becomes null where the format itself can't tell (csv, tsv,
    json-array; in kafka-console, where it is `null` unless given, also a key or header).

    Raises:
        UsageError: an unknown format, or an option that this format does not have.
    """
    if name not in FORMATS:
        raise UsageError(
            f'unknown input format "{name}"', hint="the formats are " + ", ".join(FORMATS)
        )
    given = {
        "a null value": null_value is not None and name in ("records", "kcat", "rpk"),
        "a key or value column": (key_column is not None or value_column is not None)
        and name not in ("csv", "tsv"),
        "console fields": console_fields is not None and name != "kafka-console",
    }
    for what, misplaced in given.items():
        if misplaced:
            raise UsageError(f"{what} can't be given with the input format {name}")
    options = InputOptions(null_value, key_column, value_column, console_fields, record_bytes_max)
    return _load(name, options)


def too_large(size: int, limit: int) -> str:
    """Return the problem of a record above the request limit (Fluvio's wording)."""
    return f"record size ({size} bytes), exceeded maximum request size ({limit} bytes)"


def make_item(record: Record, partition: int | None, line: int, limit: int) -> Imported | BadInput:
    """Return the record as an item, or the BadInput of one that is too large."""
    size = len(record.key or b"") + len(record.value or b"")
    if size > limit:
        return BadInput(line, too_large(size, limit))
    return Imported(record, partition, line)


def parse_timestamp(text: str) -> int | None:
    """Return milliseconds from decimal milliseconds or RFC 3339; None if it is neither.

    RFC 3339 wants an offset (`Z`, `+02:00`): a time without one would mean another moment
    on another machine. Finer fractions than milliseconds are cut off.
    """
    if _MILLISECONDS.fullmatch(text):
        moment = int(text)
        return moment if TIMESTAMP_MS_MIN <= moment <= TIMESTAMP_MS_MAX else None
    if _RFC_3339.fullmatch(text) is None:
        return None
    try:
        return parse_moment(text.upper(), 0)
    except UsageError:  # a 30th of February
        return None


def _load(name: str, options: InputOptions) -> Importer:
    """Make an importer; what the other formats need is not loaded."""
    if name == "records":
        from dataflare_cli.text.inputs_records import make_records_importer

        return make_records_importer(options)
    if name in ("csv", "tsv"):
        from dataflare_cli.text.inputs_csv import CsvImporter

        is_csv = name == "csv"
        return CsvImporter(options, separator=b"," if is_csv else b"\t", quoted=is_csv)
    if name == "json-array":
        from dataflare_cli.text.inputs_json import JsonArrayImporter

        return JsonArrayImporter(options)
    if name == "kcat":
        from dataflare_cli.text.inputs_kcat import make_kcat_importer

        return make_kcat_importer(options)
    if name == "rpk":
        from dataflare_cli.text.inputs_rpk import RpkImporter

        return RpkImporter(options)
    assert name == "kafka-console"
    from dataflare_cli.text.inputs_console import make_console_importer

    return make_console_importer(options)
