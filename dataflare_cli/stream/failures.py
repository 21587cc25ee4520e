"""Failures: what becomes of the records that a SmartModule failed at.

    stop                the run ends, once what came before the record is delivered
    skip                the record is left out, told and counted
    dead-letter=TOPIC   the record goes to a topic, as it was, with headers that say why

Invariants
- A dead letter is durable before anything that comes after its record is acknowledged.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from dataflare_cli import codec
from dataflare_cli.errors import ModuleFailed
from dataflare_cli.log import Log
from dataflare_cli.model import BATCH_BYTES_MAX, Record, Topic
from dataflare_cli.smartmodule.chain import Failure

# Of the text in a header; what Fluvio prints of an error has the whole record in it.
TEXT_BYTES_MAX = 4096
# More are counted, not shown.
SHOWN_MAX = 10
_OVERHEAD_BYTES = 64


class Place(NamedTuple):
    """Where records come from: a topic's partition, or an input, which may be meant for one.

    In an input, a record's offset is its number in that partition's part of it, from 0.
    """

    topic: str
    partition: int
    is_input: bool = False

    def at(self, offset: int) -> str:
        """Say where a record is."""
        if not self.topic:
            return f"offset {offset} in the input"
        name = f"{self.topic}-{self.partition}"
        if self.is_input:
            return f"offset {offset} in the input for {name}"
        return f"{name}, offset {offset}"


class FailurePolicy:
    """Does with failures what was asked for."""

    def __init__(
        self,
        *,
        goes_on: bool,
        dead_letters: "DeadLetters | None",
        tell: Callable[[str], None],
    ) -> None:
        self.goes_on, self.dead_letters = goes_on, dead_letters
        self._tell = tell
        self.count = 0

    def take(
        self,
        place: Place,
        failures: Sequence[Failure],
        source: Callable[[int], Record | None],
    ) -> None:
        """Deal with failures in the order of their records; `source` finds one by its offset.

        Raises:
            ModuleFailed: failures end the run.
            Unreachable, …: the dead letters can't be stored.
        """
        if not failures:
            return
        if not self.goes_on:
            raise located(failures[0].error(), place)
        self.count += len(failures)
        if self.dead_letters is not None:
            letters = [dead_letter(place, each, source(each.offset)) for each in failures]
            self.dead_letters.put(place.partition, letters)
            return
        for number, each in enumerate(failures, self.count - len(failures) + 1):
            if number <= SHOWN_MAX:
                first_line = each.text.partition("\n")[0]
                self._tell(f"{place.at(each.offset)}: {each.module}: {first_line}")
            elif number == SHOWN_MAX + 1:
                self._tell("further failures are counted, not shown")


class DeadLetters:
    """A topic that takes dead letters."""

    def __init__(self, log: Log, topic: Topic) -> None:
        self._log, self.topic = log, topic

    def put(self, partition: int, letters: Sequence[Record]) -> None:
        """Store letters in the order given, durably, in the partition that is like their source."""
        target = partition % len(self.topic.partition_ids)
        batch: list[Record] = []
        size = 0
        for letter in letters:
            letter_bytes = _size_of(letter)
            if batch and size + letter_bytes > BATCH_BYTES_MAX:
                self._append(target, batch)
                batch, size = [], 0
            batch.append(letter)
            size += letter_bytes
        if batch:
            self._append(target, batch)

    def _append(self, partition: int, batch: Sequence[Record]) -> None:
        self._log.append(self.topic, [(partition, codec.encode_frame(batch))])


def dead_letter(place: Place, failure: Failure, source: Record | None) -> Record:
    """Return a record as it was, with headers that say what failed, and where it came from."""
    if source is None:
        source = Record(value=failure.value, key=failure.key)
    reasons = (
        (b"dataflare-module", failure.module.encode(errors="replace")),
        (b"dataflare-error", _reason(failure.text)),
        (b"dataflare-topic", place.topic.encode()),
        (b"dataflare-partition", b"%d" % place.partition),
        (b"dataflare-offset", b"%d" % failure.offset),
    )
    return Record(
        value=source.value,
        key=source.key,
        headers=source.headers + reasons,
        timestamp_ms=source.timestamp_ms,
    )


def located(error: ModuleFailed, place: Place) -> ModuleFailed:
    """Say where the record is, and what can be done about it if nothing else was said."""
    error.topic, error.partition = place.topic, place.partition
    error.hint = error.hint or (
        f'in the SmartModule "{error.module}", {place.at(error.offset)}; '
        "--on-error skip passes such records over, --on-error dead-letter=TOPIC keeps them"
    )
    return error


def _reason(text: str) -> bytes:
    """Return the reason alone: where it was is in other headers, and the record is the letter."""
    reason = text.partition("\n\nSmartModule Info: ")[0].encode(errors="replace")
    return reason[:TEXT_BYTES_MAX].decode(errors="ignore").encode()


def _size_of(record: Record) -> int:
    headers = sum(len(name) + len(value or b"") + _OVERHEAD_BYTES for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers + _OVERHEAD_BYTES
