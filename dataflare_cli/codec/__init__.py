"""The codec: bytes and values, both ways. Kafka RecordBatch v2 in frames (FORMAT.md).

Plain Python is the reference and does small things; `kernel` does the bulk, with equal
results. Importing this package loads neither compression nor WASM.
"""

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
    "decode_batch",
    "decode_frame",
    "encode_batch",
    "encode_frame",
    "encode_text",
    "load_run",
    "merge_entries",
    "murmur2",
    "pick",
    "read_header",
    "rewrap",
    "seal",
    "siphash24",
    "stamp",
]
