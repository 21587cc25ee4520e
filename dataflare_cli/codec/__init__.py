"""The codec: bytes and values, both ways. Kafka RecordBatch v2 in frames (FORMAT.md).

Plain Python is the reference and does small things; `kernel` does the bulk, with equal
results. Importing this package loads nothing: a name's module is loaded when it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataflare_cli.codec.batch import (
        decode_batch,
        decode_frame,
        encode_batch,
        encode_frame,
    )
    from dataflare_cli.codec.frame import (
        FRAME_HEADER_BYTES,
        HEADER_BYTES,
        PREFIX_BYTES,
        TIMESTAMP_TYPE_BIT,
        BatchHeader,
        check_frame,
        check_head,
        check_header,
        read_header,
        rewrap,
        seal,
        stamp,
    )
    from dataflare_cli.codec.lines import (
        BadLine,
        Payload,
        Problem,
        TextOptions,
        TextResult,
        encode_text,
        partitions_of,
    )
    from dataflare_cli.codec.merge import merge_entries
    from dataflare_cli.codec.partition import murmur2, pick, siphash24
    from dataflare_cli.codec.program import Encoding, Instruction, Op, Program
    from dataflare_cli.codec.runs import Rendered, Run, load_run

__all__ = [
    "FRAME_HEADER_BYTES",
    "HEADER_BYTES",
    "PREFIX_BYTES",
    "TIMESTAMP_TYPE_BIT",
    "BadLine",
    "BatchHeader",
    "Encoding",
    "Instruction",
    "Op",
    "Payload",
    "Problem",
    "Program",
    "Rendered",
    "Run",
    "TextOptions",
    "TextResult",
    "check_frame",
    "check_head",
    "check_header",
    "decode_batch",
    "decode_frame",
    "encode_batch",
    "encode_frame",
    "encode_text",
    "load_run",
    "merge_entries",
    "murmur2",
    "partitions_of",
    "pick",
    "read_header",
    "rewrap",
    "seal",
    "siphash24",
    "stamp",
]

_HOMES = {
    "batch": "decode_batch decode_frame encode_batch encode_frame",
    "frame": (
        "FRAME_HEADER_BYTES HEADER_BYTES PREFIX_BYTES TIMESTAMP_TYPE_BIT "
        "BatchHeader check_frame check_head check_header read_header rewrap seal stamp"
    ),
    "lines": "BadLine Payload Problem TextOptions TextResult encode_text partitions_of",
    "merge": "merge_entries",
    "partition": "murmur2 pick siphash24",
    "program": "Encoding Instruction Op Program",
    "runs": "Rendered Run load_run",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = found
    return found
