"""The lossless envelope (`dataflare.record/v1`), one JSON object a line.

    {"topic":"t","partition":0,"offset":7,"timestamp":1700000000000,"timestamp_type":"create",
     "key":"k","value":{"base64":"/w=="},"headers":[["name","value"],["name",null]]}

`key` and `value` must be there; text is a string, other bytes `{"base64": …}`, null is null.
No timestamp means none. What is not listed here is refused: a misspelt key would be a
value that is silently lost. The offset is kept in the record, the topic only checked.
"""

from typing import Annotated, Literal

import msgspec

from dataflare_cli.model import NO_TIMESTAMP, Record, TimestampType
from dataflare_cli.text.inputs import (
    JSON_GROWTH,
    OVERHEAD_BYTES,
    PARTITION_MAX,
    TIMESTAMP_MS_MAX,
    TIMESTAMP_MS_MIN,
    BadInput,
    Imported,
    InputOptions,
    too_large,
)
from dataflare_cli.text.inputs_lines import LineImporter

Timestamp = Annotated[int, msgspec.Meta(ge=TIMESTAMP_MS_MIN, le=TIMESTAMP_MS_MAX)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Partition = Annotated[int, msgspec.Meta(ge=0, le=PARTITION_MAX)]


class Base64(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Bytes that are not text."""

    base64: bytes


Content = str | Base64 | None


class _Envelope(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    key: Content
    value: Content
    topic: str | None = None
    partition: Partition | None = None
    offset: Offset = 0
    timestamp: Timestamp = NO_TIMESTAMP
    timestamp_type: Literal["create", "append"] = "create"
    headers: tuple[tuple[str, Content], ...] = ()


def make_records_importer(options: InputOptions) -> LineImporter:
    """Return the importer of envelopes."""
    limit = options.record_bytes_max
    decode = msgspec.json.Decoder(_Envelope).decode
    create, append = TimestampType.CREATE, TimestampType.APPEND

    def parse_line(line: bytes, number: int) -> Imported | BadInput | None:
        try:
            found = decode(line)
        except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
            if not line or line.isspace():
                return None
            if isinstance(exc, UnicodeDecodeError):
                return BadInput(number, 'not UTF-8: such bytes are written {"base64": "…"}')
            return BadInput(number, describe(exc))
        # This runs for every record: what is done here, and how, was measured.
        key, value, headers = found.key, found.value, found.headers
        key_bytes = key.encode() if isinstance(key, str) else None if key is None else key.base64
        value_bytes = (
            value.encode() if isinstance(value, str) else None if value is None else value.base64
        )
        size = (len(key_bytes) if key_bytes else 0) + (len(value_bytes) if value_bytes else 0)
        if size > limit:
            return BadInput(number, too_large(size, limit))
        record = Record(
            value_bytes,
            key_bytes,
            tuple([(name.encode(), content_bytes(each)) for name, each in headers])
            if headers
            else (),
            found.timestamp,
            found.offset,
            create if found.timestamp_type == "create" else append,
        )
        return Imported(record, found.partition, number)

    return LineImporter(parse_line, line_bytes_max=limit * JSON_GROWTH + OVERHEAD_BYTES)


def content_bytes(content: Content) -> bytes | None:
    """Return the bytes that a key, a value or a header's value stands for."""
    if isinstance(content, str):
        return content.encode()
    return None if content is None else content.base64


def describe(exc: Exception) -> str:
    """Return what is wrong with a JSON text, for a person."""
    if isinstance(exc, UnicodeDecodeError):
        return "not UTF-8"
    if isinstance(exc, RecursionError):
        return "nested too deeply"
    return str(exc).replace(" - at `$`", "")
