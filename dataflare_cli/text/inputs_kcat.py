"""kcat's `-J` output, one JSON object a line.

    {"topic":"t","partition":0,"offset":4,"tstype":"create","ts":1795554189177,"broker":1,
     "headers":["h","1","h",null],"key":null,"payload":"text"}

Headers are a flat list of names and values (an object in builds that follow kcat's own help).
kcat does not encode bytes that are not UTF-8, it writes them into the string as they are;
they come back exactly. Keys and payloads that kcat has decoded (Avro) become their JSON.
"""

import msgspec

from dataflare_cli.model import NO_TIMESTAMP, Headers, Record, TimestampType
from dataflare_cli.text.inputs import (
    JSON_GROWTH,
    OVERHEAD_BYTES,
    BadInput,
    Imported,
    InputOptions,
    make_item,
)
from dataflare_cli.text.inputs_json import raw_content
from dataflare_cli.text.inputs_lines import LineImporter
from dataflare_cli.text.inputs_records import Offset, Partition, Timestamp, describe


class _Message(msgspec.Struct, gc=False):
    key: msgspec.Raw
    payload: msgspec.Raw
    topic: str
    partition: Partition
    offset: Offset
    tstype: str = "unknown"
    ts: Timestamp = NO_TIMESTAMP
    headers: list[msgspec.Raw] | dict[str, msgspec.Raw] = []
    key_error: str | None = None
    payload_error: str | None = None


def make_kcat_importer(options: InputOptions) -> LineImporter:
    """Return the importer of kcat's messages."""
    limit = options.record_bytes_max
    decode = msgspec.json.Decoder(_Message).decode

    def parse_line(line: bytes, number: int) -> Imported | BadInput | None:
        if not line or line.isspace():
            return None
        try:
            found = decode(line)
            problem = found.payload_error or found.key_error
            if problem is not None:
                return BadInput(number, f"kcat could not decode it: {problem}")
            record = _record(found)
        except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
            return BadInput(number, describe(exc))
        return make_item(record, found.partition, number, limit)

    return LineImporter(parse_line, line_bytes_max=limit * JSON_GROWTH + OVERHEAD_BYTES)


def _record(found: _Message) -> Record:
    return Record(
        raw_content(found.payload),
        raw_content(found.key),
        _headers(found.headers) if found.headers else (),
        NO_TIMESTAMP if found.tstype == "unknown" else found.ts,
        found.offset,
        TimestampType.APPEND if found.tstype == "logappend" else TimestampType.CREATE,
    )


def _headers(found: list[msgspec.Raw] | dict[str, msgspec.Raw]) -> Headers:
    if isinstance(found, dict):
        return tuple(
            (name.encode(), raw_content(value))
            for name, values in found.items()
            for value in _values(values)
        )
    if len(found) % 2:
        raise msgspec.ValidationError("Expected a value for each name - at `$.headers`")
    names = [msgspec.json.decode(each, type=str).encode() for each in found[::2]]
    return tuple(zip(names, map(raw_content, found[1::2]), strict=True))


def _values(values: msgspec.Raw) -> list[msgspec.Raw]:
    """A name with several headers has a list of them."""
    if bytes(values).startswith(b"["):
        return msgspec.json.decode(values, type=list[msgspec.Raw])
    return [values]
