"""The one home of Hypothesis strategies: records, batches, text, programs.

Sizes and numbers crowd around the places where a varint grows by a byte.
"""

from hypothesis import strategies as st

from dataflare_cli.codec.lines import TextOptions
from dataflare_cli.codec.program import Encoding, Instruction, Op
from dataflare_cli.model import NO_TIMESTAMP, Codec, Partitioner, Record

INT32_EDGES = [sign * 2**k + d for k in range(32) for d in (-1, 0, 1) for sign in (1, -1)]
INT64_EDGES = [sign * 2**k + d for k in range(64) for d in (-1, 0, 1) for sign in (1, -1)]

int32s = st.integers(-(2**31), 2**31 - 1) | st.sampled_from(
    [n for n in INT32_EDGES if -(2**31) <= n < 2**31]
)
int64s = st.integers(-(2**63), 2**63 - 1) | st.sampled_from(
    [n for n in INT64_EDGES if -(2**63) <= n < 2**63]
)

codecs = st.sampled_from(Codec)
partitioners = st.sampled_from(Partitioner)
offsets = st.sampled_from([0, 1, 2**31, 2**62, 2**63 - 1000]) | st.integers(0, 2**62)

# Text with everything that JSON has to escape, and what is not text at all.
texts = st.text(st.characters(codec="utf-8"), max_size=20).map(str.encode)
awkward = st.sampled_from(
    [
        b"",
        b"\0",
        b'"\\\b\f\n\r\t\x1f\x7f/',
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        "ä€𝄞\u2028".encode(),
        "€".encode()[:2],
    ]
)
edge_sizes = st.sampled_from([0, 1, 15, 16, 17, 62, 63, 64, 65, 127, 128, 8191, 8192, 8193])
sized = st.builds(
    lambda fill, size: fill * size, st.sampled_from([b"x", b"\xff", b'"']), edge_sizes
)
payloads = st.binary(max_size=40) | texts | awkward | sized
maybe_payloads = st.none() | payloads

header_names = texts | st.sampled_from([b"", b"a", b"n" * 64])
headers = st.lists(
    st.tuples(header_names, st.none() | st.binary(max_size=20) | awkward), max_size=4
)
# The same pair twice, the same name twice.
headers_with_duplicates = headers.map(lambda pairs: tuple(pairs + pairs[:1]))

# Any two of them are within 64 bits of each other.
timestamps = st.sampled_from(
    [NO_TIMESTAMP, 0, 1, 63, 64, 2**31 - 1, 2**31, 1_700_000_000_000, 2**62, 2**63 - 2]
) | st.integers(-1, 253_402_300_800_000)


def records(timestamps_ms=timestamps):
    """Return records; offsets and timestamp types are for a batch to give."""
    return st.builds(
        Record,
        value=maybe_payloads,
        key=maybe_payloads,
        headers=headers_with_duplicates,
        timestamp_ms=timestamps_ms,
    )


def record_lists(timestamps_ms=timestamps, max_size=6):
    """Return what a batch may hold; some have times that are near each other."""
    near = st.integers(1_700_000_000_000, 1_700_000_000_300)
    return st.lists(records(timestamps_ms), min_size=1, max_size=max_size) | st.lists(
        records(near), min_size=1, max_size=max_size
    )


instructions = st.builds(
    Instruction,
    op=st.sampled_from(Op),
    encoding=st.sampled_from(Encoding),
    literal=st.sampled_from([b"", b"x", b"\n", b"a longer literal of the template", b"\xff\0"]),
    null=st.sampled_from([b"", b"null", b"\\N"]),
)
programs = st.lists(instructions, max_size=8).map(tuple)

delimiters = st.sampled_from([b"\n", b"\0", b"ab", b"aab", b"\r\n", b"a"])
separators = st.none() | st.sampled_from([b":", b"=>", b"a", b"::"])


@st.composite
def text_options(draw):
    """Return options for text; limits are small enough to be met."""
    count = draw(st.sampled_from([1, 1, 2, 3, 7]))
    return TextOptions(
        delimiter=draw(delimiters),
        key_separator=draw(separators),
        null_value=draw(st.none() | st.sampled_from([b"", b"NULL", b"b"])),
        key=draw(st.none() | st.sampled_from([b"", b"k", b"key"])),
        headers=draw(headers_with_duplicates),
        partition=draw(st.none() | st.integers(0, count - 1)),
        partition_count=count,
        partitioner=draw(partitioners),
        batch_bytes_max=draw(st.sampled_from([1, 61, 80, 130, 300, 1_000_000])),
        record_bytes_max=draw(st.sampled_from([0, 3, 20, 1_048_576])),
    )


@st.composite
def text_blocks(draw, options):
    """Return a block that is likely to have the options' delimiters, separators and nulls."""
    tokens = [options.delimiter, options.delimiter[:1], b"a", b"b", b"NULL", b"\r", b"xyz" * 5]
    tokens += [options.key_separator or b":"]
    pieces = st.sampled_from(tokens) | st.binary(max_size=3) | sized.filter(lambda b: len(b) < 130)
    return b"".join(draw(st.lists(pieces, max_size=30)))
