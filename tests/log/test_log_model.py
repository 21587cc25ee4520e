"""The log against a plain list, in any order of appends, reads, purges and reopenings."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dataflare_cli import codec
from dataflare_cli.catalog import Catalog
from dataflare_cli.log import Log
from dataflare_cli.model import Record, TopicSpec
from dataflare_cli.store import Store

VALUES = st.lists(st.binary(max_size=60) | st.none(), min_size=1, max_size=8)


class LogMachine(RuleBasedStateMachine):
    """One topic of two partitions; what it should hold is in `self.model`."""

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp())
        self.model: list[list[Record]] = [[], []]
        self.floor = [0, 0]
        self.clock_ms = 1_000
        self._open()
        self.topic = Catalog(self.store).create_topic("t", TopicSpec(partitions=2))

    def _open(self) -> None:
        self.store = Store.open(self.path / "data")
        self.log = Log(self.store)

    def teardown(self) -> None:
        """Remove the directory."""
        self.store.close()
        shutil.rmtree(self.path)

    @rule(partition=st.integers(0, 1), values=VALUES, step=st.integers(-50, 200))
    def append(self, partition: int, values: list[bytes | None], step: int) -> None:
        """Append a batch whose timestamps may go back."""
        self.clock_ms += step
        records = [Record(value=value, timestamp_ms=self.clock_ms) for value in values]
        (appended,) = self.log.append(self.topic, [(partition, codec.encode_frame(records))])

        assert len(self.model[partition]) == appended.base_offset
        assert len(values) == appended.record_count
        self.model[partition] += records

    @rule(partition=st.integers(0, 1), count=st.integers(200, 600))
    def append_one_by_one(self, partition: int, count: int) -> None:
        """Append many one-record batches, as slow input does: they are merged."""
        frames = []
        for number in range(count):
            record = Record(value=b"%d" % number, key=b"k", timestamp_ms=self.clock_ms)
            frames.append((partition, codec.encode_frame([record])))
            self.model[partition].append(record)
        for start in range(0, count, 50):
            self.log.append(self.topic, frames[start : start + 50])

    @rule(partition=st.integers(0, 1), share=st.floats(0, 1))
    def purge(self, partition: int, share: float) -> None:
        """Purge to anywhere in the partition."""
        end = len(self.model[partition])
        before = int(end * share)
        gone = self.log.purge(self.topic, partition, before)

        assert max(0, before - self.floor[partition]) == gone
        self.floor[partition] = max(self.floor[partition], before)

    @rule()
    def reopen(self) -> None:
        """Close the store and open it again."""
        self.store.close()
        self._open()

    @rule(partition=st.integers(0, 1), share=st.floats(0, 1))
    def read_from_anywhere(self, partition: int, share: float) -> None:
        """Reading from an offset gives every record from there on."""
        start = max(self.floor[partition], int(len(self.model[partition]) * share))
        expected = self.model[partition][start:]
        found: list[Record] = []
        offset = start
        while (read := self.log.read(self.topic, partition, offset)) is not None:
            run, first = read
            assert first == offset
            found += run.records(offset, run.next_offset)
            offset = run.next_offset

        assert [record.value for record in expected] == [record.value for record in found]
        assert list(range(start, len(self.model[partition]))) == [each.offset for each in found]

    @rule(partition=st.integers(0, 1), back=st.integers(-100, 1000))
    def find_a_time(self, partition: int, back: int) -> None:
        """The offset for a time is the first readable record's at or after it."""
        wanted = self.clock_ms - back
        records = self.model[partition]
        candidates = range(self.floor[partition], len(records))
        expected = next(
            (offset for offset in candidates if records[offset].timestamp_ms >= wanted),
            len(records),
        )

        assert expected == self.log.offset_for_time(self.topic, partition, wanted)

    @invariant()
    def agrees_with_itself(self) -> None:
        """Bounds are the model's, and verify finds nothing."""
        for partition in (0, 1):
            expected = (self.floor[partition], len(self.model[partition]))

            assert expected == self.log.bounds(self.topic, partition)
        assert [] == list(self.log.verify())


TestLogModel = LogMachine.TestCase
TestLogModel.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
