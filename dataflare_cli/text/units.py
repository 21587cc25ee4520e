"""Sizes as people write them: `2 Ki`, `500000`, `3 KB`, `1GiB`.

Follows Fluvio's crate (bytesize 1.3.3) in what is accepted and what is printed:
`k`/`kb` is 1000 and `ki`/`kib` 1024, in any case; output is decimal with one digit.
Three differences: blanks around the text are ignored, exabytes are read as well as printed,
and the arithmetic is exact where the crate goes through floats and saturates.
"""

import math
import re

from dataflare_cli.errors import UsageError

SIZE_BYTES_MAX = 2**63 - 1

_SIZE = re.compile(r"(?:(\d+)|(\d*)(?:\.(\d*))?\s*([a-z]+))", re.ASCII | re.IGNORECASE)
_UNITS = {
    "b": 1,
    **{name: 1000**power for power, each in enumerate("kmgtpe", 1) for name in (each, each + "b")},
    **{f"{each}i{b}": 1024**power for power, each in enumerate("kmgtpe", 1) for b in ("", "b")},
}
# The crate takes the exponent from the logarithm to base 1024 (to these digits) although
# it divides by powers of 1000: a MiB is "1048.6 KB".
_LN_1024 = 6.931471806


# Python refuses to read numbers of thousands of digits.
TEXT_MAX = 100


def parse_bytes(text: str) -> int:
    """Return the number of bytes a text means; fractions of a byte are dropped.

    Raises:
        UsageError: no number, an unknown unit, or above 2^63 - 1.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or len(text) > TEXT_MAX:
        raise _refused(text, "not a size")
    plain, whole, fraction, unit = found.groups()
    if plain is not None:
        size = int(plain)
    else:
        factor = _UNITS.get(unit.lower())
        if factor is None:
            raise _refused(text, f'unknown unit "{unit}"')
        digits = whole + (fraction or "")
        if not digits:
            raise _refused(text, "no number")
        size = int(digits) * factor // 10 ** len(fraction or "")
    if size > SIZE_BYTES_MAX:
        raise _refused(text, "too large")
    return size


def format_bytes(size_bytes: int) -> str:
    """Return a size as Fluvio prints it: `86 B`, `1.5 KB`, `1048.6 KB`, `107.4 GB`."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    power = max(1, int(math.log(size_bytes) / _LN_1024))
    return f"{size_bytes / 1000**power:.1f} {'KMGTPE'[power - 1]}B"


def _refused(text: str, problem: str) -> UsageError:
    return UsageError(
        f'invalid size "{text}": {problem}', hint="write it like 500000, 16 KB, 1.5 MiB or 1 Gi"
    )
