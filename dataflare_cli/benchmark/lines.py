"""The input: NDJSON lines that are the same on every machine, for the same sizes.

A block of different lines is repeated. It is larger than a batch, so that no codec
finds the repetition: batches are compressed one by one.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

from dataflare_cli.benchmark.report import Load
from dataflare_cli.model import BATCH_BYTES_MAX

RECORD_BYTES_MIN = 64
_BLOCK_BYTES = 2 * BATCH_BYTES_MAX
_SEED = 1
_WORDS = (
    *("click", "view", "order", "login", "logout", "search", "payment", "refund", "error"),
    *("checkout", "basket", "profile", "upload", "stream", "topic", "offset", "record", "batch"),
)


def write_lines(
    path: Path, record_count: int, record_bytes: int, key_separator: str | None = None
) -> Load:
    """Write a file of lines of about `record_bytes` each, and make it durable."""
    size_bytes = 0
    with path.open("wb", buffering=0) as out:
        for part in _parts(record_count, record_bytes, key_separator):
            # A raw write may be short.
            view = memoryview(part)
            while view:
                view = view[os.write(out.fileno(), view) :]
            size_bytes += len(part)
        # Otherwise the system would still be writing it while something else is measured.
        os.fsync(out.fileno())
    return Load(record_count, size_bytes)


def make_lines(count: int, record_bytes: int, key_separator: str | None = None) -> list[bytes]:
    """Return different lines, newlines included; `record_bytes` (64 at least) on average."""
    chance = random.Random(_SEED)  # noqa: S311 - the same everywhere is the point
    lines = []
    for number in range(count):
        key = f"user-{chance.randrange(10_000):05d}{key_separator}" if key_separator else ""
        start = f'{{"id":{number},"event":"{chance.choice(_WORDS)}","text":"'
        size = max(int(record_bytes * chance.uniform(0.8, 1.2)), RECORD_BYTES_MIN // 2)
        text = _text(chance, size - len(key) - len(start) - len('"}\n'))
        lines.append(f'{key}{start}{text}"}}\n'.encode())
    return lines


def _text(chance: random.Random, size: int) -> str:
    """Return words and numbers, exactly so many characters (none if negative)."""
    parts: list[str] = []
    length = 0
    while length < size:
        parts.append(f"{chance.choice(_WORDS)} {chance.getrandbits(32):08x} ")
        length += len(parts[-1])
    return "".join(parts)[: max(size, 0)]


def _parts(record_count: int, record_bytes: int, key_separator: str | None) -> Iterator[bytes]:
    lines = make_lines(
        min(record_count, -(-_BLOCK_BYTES // record_bytes)), record_bytes, key_separator
    )
    block = b"".join(lines)
    for _ in range(record_count // len(lines)):
        yield block
    yield b"".join(lines[: record_count % len(lines)])
