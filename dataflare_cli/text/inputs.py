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

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from dataflare_cli.errors import UsageError
from dataflare_cli.model import NO_TIMESTAMP, REQUEST_BYTES_DEFAULT, Record

# What an element may hold beside key and value: headers, names, punctuation.
OVERHEAD_BYTES = 1_048_576
# A control character is six bytes in JSON, a quote two in CSV.
JSON_GROWTH, CSV_GROWTH = 6, 2

PARTITION_MAX = 2**31 - 1
TIMESTAMP_MS_MIN, TIMESTAMP_MS_MAX = -(2**63), 2**63 - 1

FORMATS = ("records", "csv", "tsv", "json-array", "kcat", "rpk", "kafka-console")
CONSOLE_FIELDS = ("timestamp", "partition", "offset", "delivery", "headers", "key", "value")

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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
    family = _families().get(name)
    if family is None:
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
    return family(options)


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
    digits = text.removeprefix("-")
    if digits.isdecimal() and digits.isascii():
        moment = int(text)
    else:
        from datetime import UTC, datetime, timedelta

        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            return None
        if found.tzinfo is None or len(text) < len("2026-11-01T00:00:00Z"):
            return None
        moment = (found - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return moment if TIMESTAMP_MS_MIN <= moment <= TIMESTAMP_MS_MAX else None


def _families() -> dict[str, Callable[[InputOptions], Importer]]:
    """Return how each format's importer is made; nothing is loaded before it is called."""

    def records(options: InputOptions) -> Importer:
        from dataflare_cli.text.inputs_records import make_records_importer

        return make_records_importer(options)

    def csv(options: InputOptions) -> Importer:
        from dataflare_cli.text.inputs_csv import CsvImporter

        return CsvImporter(options, separator=b",", quoted=True)

    def tsv(options: InputOptions) -> Importer:
        from dataflare_cli.text.inputs_csv import CsvImporter

        return CsvImporter(options, separator=b"\t", quoted=False)

    def json_array(options: InputOptions) -> Importer:
        from dataflare_cli.text.inputs_json import JsonArrayImporter

        return JsonArrayImporter(options)

    def kcat(options: InputOptions) -> Importer:
        from dataflare_cli.text.inputs_kcat import make_kcat_importer

        return make_kcat_importer(options)

    def rpk(options: InputOptions) -> Importer:
        from dataflare_cli.text.inputs_rpk import RpkImporter

        return RpkImporter(options)

    def console(options: InputOptions) -> Importer:
        from dataflare_cli.text.inputs_console import make_console_importer

        return make_console_importer(options)

    return dict(zip(FORMATS, (records, csv, tsv, json_array, kcat, rpk, console), strict=True))


assert NO_TIMESTAMP == -1
