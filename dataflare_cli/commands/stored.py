"""What the commands about stored things share: the store if there is one, places, rows.

Hides that a data directory comes into being only when something is stored in it: until
then lists are empty and names are not found, and looking creates nothing.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataflare_cli.commands.context import Environment
from dataflare_cli.errors import NotFound, OffsetOutOfRange, UsageError
from dataflare_cli.model import NO_TIMESTAMP, PartitionInfo, Topic
from dataflare_cli.text.files import read_file
from dataflare_cli.text.time import format_time

if TYPE_CHECKING:
    from dataflare_cli.catalog import Catalog
    from dataflare_cli.log import Log
    from dataflare_cli.store import Store

CONFIG_BYTES_MAX = 1 << 20
NOTHING_DONE = "nothing was done (--dry-run)"
# Fluvio's id of a server, where there is none.
LEADER = 0


def existing_store(env: Environment, *, read_only: bool) -> "Store | None":
    """Open the data directory, or say that there is none and return None."""
    path = env.settings.data_dir
    if _is_missing(path):
        env.say(f"nothing is stored in {path} yet")
        return None
    return env.open_store(create=False, read_only=read_only)


def quiet_catalog(env: Environment) -> "Catalog | None":
    """Return the catalog of the data directory; None, and no word, if there is none."""
    from dataflare_cli.catalog import Catalog

    if _is_missing(env.settings.data_dir):
        return None
    return Catalog(env.open_store(create=False, read_only=True))


def store_with(env: Environment, kind: str, name: str, *, read_only: bool = False) -> "Store":
    """Open the data directory that is to hold a named thing.

    Raises:
        NotFound: it does not exist, so the thing doesn't either.
    """
    path = env.settings.data_dir
    if _is_missing(path):
        raise NotFound(kind, name, hint=f"nothing is stored in {path} yet")
    if not _is_utf8(name):
        raise NotFound(kind, name, hint="names are letters, digits, '.', '_' and '-'")
    return env.open_store(create=False, read_only=read_only)


def _is_missing(path: Path) -> bool:
    """A file in its place, or a directory that can't be entered, is an error: not ours to hide."""
    return not (path / "data.mdb").exists() and (path.is_dir() or not path.exists())


def _is_utf8(text: str) -> bool:
    """Other bytes come from the shell as surrogates, which no store can be asked for."""
    return text.encode("utf-8", "replace").decode() == text


def read_config(env: Environment, path: Path) -> bytes:
    """Read a YAML file that describes something to be created.

    Raises:
        NotFound, Unreachable, ConfigError: not there, not to be read, or too large.
    """
    return read_file(env.cwd / path, CONFIG_BYTES_MAX, str(path))


def offsets_at(log: "Log", topic: Topic, place: str, partitions: Sequence[int]) -> dict[int, int]:
    """Return the offset a place means in each partition (none: all), kept within the log.

    A place is what `consume -o` takes, without an end.

    Raises:
        UsageError: not a place.
        NotFound: no such partition.
        OffsetOutOfRange: an offset that no partition has.
    """
    from dataflare_cli.consumers import Consumers
    from dataflare_cli.stream.positions import Wanted, tracks_for
    from dataflare_cli.text.offsets import parse_offset

    spec = parse_offset(place, time.time_ns() // 1_000_000)
    if spec.end is not None:
        raise UsageError(
            f'invalid offset "{place}": a place is wanted, not a range',
            hint="write it like start, end, 35, -10, +10 or @2026-11-01",
        )
    partitions = sorted(set(partitions)) or range(len(topic.partition_ids))
    bounds = {each: log.bounds(topic, each) for each in partitions}
    try:
        tracks = tracks_for(log, Consumers(log.store), topic, Wanted(spec, partitions=partitions))
    except OffsetOutOfRange as exc:
        raise OffsetOutOfRange(
            f"offset {spec.start.value} is beyond the end of {topic.name}",
            start=exc.start,
            end=max(end for _, end in bounds.values()),
            hint=f"dataflare partition list {topic.name} shows what there is",
        ) from exc
    return {
        each.partition: min(max(each.offset, bounds[each.partition][0]), bounds[each.partition][1])
        for each in tracks
    }


def partition_row(info: PartitionInfo) -> dict[str, Any]:
    """Return a partition as -O json shows it: our fields, and Fluvio's `name`, `spec`, `status`."""
    import msgspec

    ends = {"hw": info.end_offset, "leo": info.end_offset}
    return {
        **msgspec.structs.asdict(info),
        "name": f"{info.topic}-{info.partition}",
        "spec": {"leader": LEADER, "replicas": [LEADER], "mirror": None, "system": False},
        "status": {
            "resolution": "Online",
            "leader": {"spu": LEADER, **ends},
            "lsr": 0,
            "replicas": [],
            "size": info.size_bytes,
            "baseOffset": info.start_offset,
            "isBeingDeleted": False,
        },
    }


def shown_time(ms: int | None) -> str:
    """Return a moment as tables show it; NA if there is none."""
    return format_time(NO_TIMESTAMP if ms is None else ms)


def counted(count: int, noun: str) -> str:
    """Return a number and what it counts: `1 record`, `2 records`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def latest(moments: Iterable[int | None]) -> int | None:
    """Return the latest of some moments; None if there is none."""
    return max((each for each in moments if each is not None), default=None)
