"""What the importers' tests share: records to write, ways to cut, a run of an importer."""

from collections.abc import Sequence

from hypothesis import strategies as st

from dataflare_cli.model import Record, TimestampType
from dataflare_cli.text.inputs import BadInput, Imported, make_importer

Item = Imported | BadInput

contents = st.none() | st.binary(max_size=40) | st.text(max_size=20).map(str.encode)
names = st.text(max_size=8).map(str.encode)
timestamps = st.integers(-(2**63), 2**63 - 1) | st.integers(-1, 2_000_000_000_000)
headers = st.lists(st.tuples(names, contents), max_size=3).map(tuple)
records = st.builds(
    Record,
    value=contents,
    key=contents,
    headers=headers,
    timestamp_ms=timestamps,
    offset=st.integers(0, 2**63 - 1),
    timestamp_type=st.sampled_from(TimestampType),
)
cuts = st.lists(st.integers(0, 400), max_size=8)


def run_importer(name: str, data: bytes, cuts: Sequence[int] = (), **options) -> list[Item]:
    """Return all items of an input that comes in chunks of these sizes and a rest."""
    importer = make_importer(name, **options)
    items: list[Item] = []
    for size in cuts:
        items += importer.feed(data[:size])
        data = data[size:]
    items += importer.feed(data)
    items += importer.finish()
    return items


def imported(items: Sequence[Item]) -> list[Record]:
    """Return the records of items that are all good."""
    assert [] == [each for each in items if isinstance(each, BadInput)]
    return [each.record for each in items if isinstance(each, Imported)]


def text_or_base64(content: bytes | None) -> object:
    """Return a key or value as the envelope has it."""
    import base64

    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}
