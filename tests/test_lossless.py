"""Lossless: what `consume -O records` writes, `produce --input records` makes again."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from strategies import record_lists

from dataflare_cli import codec
from dataflare_cli.catalog import Catalog
from dataflare_cli.log import Log
from dataflare_cli.model import Record, TopicSpec
from dataflare_cli.store import Store
from tests.harness import run

pytestmark = pytest.mark.usefixtures("data_dir")


def stored(data_dir: Path, topic: str) -> list[Record]:
    """Return the records of a topic."""
    found: list[Record] = []
    with Store.open(data_dir) as store:
        log = Log(store)
        row = Catalog(store).topic(topic)
        offset = 0
        while (read := log.read(row, 0, offset)) is not None:
            found += read[0].records(offset, read[0].next_offset)
            offset = read[0].next_offset
    return found


def essence(record: Record) -> tuple[object, ...]:
    """Return what has to survive."""
    return record.key, record.value, record.headers, record.timestamp_ms


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(records=record_lists(max_size=8))
def test_the_envelope_reproduces_every_record(data_dir: Path, records: list[Record]) -> None:
    """Invariants: key, value, headers (order, duplicates, null, empty) and timestamp are equal."""
    with Store.open(data_dir) as store:
        catalog, log = Catalog(store), Log(store)
        for name in ("a", "b"):
            if name in {topic.name for topic in catalog.topics()}:
                catalog.delete_topic(name)
        topic = catalog.create_topic("a", TopicSpec(retention_s=None))
        catalog.create_topic("b", TopicSpec(retention_s=None))
        log.append(topic, [(0, codec.encode_frame([record])) for record in records])
    envelopes = run("consume", "a", "-B", "-d", "-O", "records").stdout
    result = run("produce", "b", "--input", "records", stdin=envelopes)

    assert (0, "") == (result.code, result.stderr)
    expected = [essence(record) for record in stored(data_dir, "a")]
    found = [essence(record) for record in stored(data_dir, "b")]
    # A record without a timestamp gets one, as any produced record does.
    for number, (key, value, headers, timestamp_ms) in enumerate(expected):
        if timestamp_ms == -1:
            expected[number] = (key, value, headers, found[number][3])
    assert expected == found
