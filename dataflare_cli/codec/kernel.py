"""The kernel's bridge: the codec's loops over records, done in WASM.

Hides when the kernel is loaded, and how it is talked to (`kernel_text`, `kernel_runs`).
Gives the same results as the pure-Python functions of `lines`, `runs` and `merge`, byte
for byte, and the same errors: what the kernel finds damaged is looked at again in
Python, which says what is wrong.

Invariants
- One call into the kernel a block or run; bytes cross in single copies.
- Every thread has instances of its own; runs may be handed from thread to thread.
- This module is light: a command with little to do never loads WASM.
"""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataflare_cli.codec.engine import Bytes

if TYPE_CHECKING:
    from dataflare_cli.codec.kernel_runs import KernelRun
    from dataflare_cli.codec.lines import TextOptions, TextResult
    from dataflare_cli.wasm import Instance

# Short copies of the kernel's may read and write this far behind a buffer.
SLACK = 64
# What a call answers (kernel.rs).
DONE, STOPPED, MORE, NEED_OUTPUT, NEED_PLAIN, DAMAGED = range(6)

_loaded = threading.Event()


def is_loaded() -> bool:
    """Tell whether the kernel can start at once."""
    return _loaded.is_set()


def new_instance() -> "Instance":
    """Start a kernel with a memory of its own."""
    from dataflare_cli.wasm import Instance

    instance = Instance("kernel")
    instance.call("init")
    _loaded.set()
    return instance


class Space:
    """Places buffers one after the other, each aligned and followed by slack."""

    def __init__(self, begin: int) -> None:
        self.end = begin

    def take(self, size: int) -> int:
        """Return where the next buffer lies."""
        at = -(-self.end // 16) * 16
        self.end = at + size + SLACK
        return at


def encode_text(
    block: Bytes, options: "TextOptions", *, final: bool, round_robin: int = 0
) -> "TextResult":
    """Do what `lines.encode_text` does."""
    from dataflare_cli.codec import kernel_text

    return kernel_text.encode_text(block, options, final=final, round_robin=round_robin)


def load_run(flat: Sequence[Bytes]) -> "KernelRun":
    """Do what `runs.load_run` does."""
    from dataflare_cli.codec.kernel_runs import KernelRun

    return KernelRun(flat)


def merge_entries(flat: Sequence[Bytes]) -> bytearray | None:
    """Do what `merge.merge_entries` does."""
    from dataflare_cli.codec import kernel_runs

    return kernel_runs.merge_entries(flat)
