"""The choice between the pure-Python codec and the kernel.

Both give the same results, byte for byte. Python starts at once and is slow; the kernel
is fast, and has to be loaded first: a short command should never pay for that.
"""

from typing import Literal

Bytes = bytes | bytearray | memoryview
Engine = Literal["auto", "python", "kernel"]


def wants_kernel(engine: Engine, *, is_large: bool) -> bool:
    """Tell whether the kernel shall do a piece of work; what is large is worth loading it."""
    if engine != "auto":
        return engine == "kernel"
    if is_large:
        return True
    from dataflare_cli.codec import kernel

    return kernel.is_loaded()
