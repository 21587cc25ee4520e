"""Progress: one line on a terminal's stderr while long work goes on."""

import time

from dataflare_cli.commands.context import Environment
from dataflare_cli.text.units import format_bytes

INTERVAL_S = 0.2
# Work that is over before anybody could read of it shows nothing.
SHOWN_AFTER_S = 0.5


class Progress:
    """How far a known number of bytes has come; silent without a terminal, or with -q."""

    def __init__(self, env: Environment, total_bytes: int) -> None:
        self._env, self._total = env, total_bytes
        self._is_on = env.stderr_is_terminal and not env.quiet and total_bytes > 0
        self._started = time.monotonic()
        self._due = self._started + SHOWN_AFTER_S
        self._is_shown = False

    def show(self, done_bytes: int, records: int) -> None:
        """Say how far it is, if it is time to."""
        now = time.monotonic()
        if not self._is_on or now < self._due:
            return
        self._due = now + INTERVAL_S
        self._is_shown = True
        share = min(1.0, done_bytes / self._total)
        speed = records / (now - self._started)
        done = f"{format_bytes(done_bytes)} of {format_bytes(self._total)}"
        self._env.tell(f"\r\x1b[K{share:4.0%}  {done}  {records:,} records  {speed:,.0f}/s", end="")

    def clear(self) -> None:
        """Take the line away."""
        if self._is_shown:
            self._env.tell("\r\x1b[K", end="")
            self._is_shown = False
