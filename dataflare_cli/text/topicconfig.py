"""Topic settings as people write them: in options, and in the YAML of `topic create -c`.

Hides their spellings. What is given is a dict of `TopicSpec` fields, so that a setting
that was left out differs from one that was given its default.

    version: 0.1.0
    meta: { name: my-topic }                         # required
    partition: { count: 1, max-size: 10 KB, replication: 1, ignore-rack-assignment: false }
    retention: { time: 2m, segment-size: 2.0 KB }    # time: none keeps for ever
    compression: { type: Lz4 }                       # Any None Gzip Snappy Lz4 Zstd
    deduplication:
      bounds: { count: 100, age: 1m }                # age: none is no limit
      filter: { transform: { uses: dedup, with: { by: key } } }

Fluvio's keys, in kebab-case or snake_case. One that is not known is an error, as is one
that can't be had here: a setting that is dropped silently helps nobody.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from dataflare_cli.errors import ConfigError, UsageError
from dataflare_cli.model import Codec, Deduplication
from dataflare_cli.text.time import humantime, parse_duration
from dataflare_cli.text.units import parse_bytes
from dataflare_cli.text.yamltext import read_yaml, rename_keys

FOR_EVER = "none"
ANY = "any"
COMPRESSIONS: dict[str, Codec | None] = {**{each.name.lower(): each for each in Codec}, ANY: None}
VERSION_PREFIX = "0.1."

# Why something of Fluvio's can't be had.
NO_REPLICAS = "a topic is kept once, in the data directory; replicas need several machines"
NO_SERVERS = "there are no servers to assign partitions to"

_UNITS = tuple(
    (f"{prefix}{suffix}", base**power)
    for power, prefix in reversed(tuple(enumerate("KMGTPE", 1)))
    for suffix, base in (("iB", 1024), ("B", 1000))
)


class TopicConfig(NamedTuple):
    """What a YAML file asks for: `given` has the fields of `TopicSpec` that it mentions."""

    name: str
    given: dict[str, Any]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class _Meta(_Strict, frozen=True):
    name: str


class _Partition(_Strict, frozen=True):
    count: int | None = None
    max_size: int | str | None = None
    replication: int | None = None
    ignore_rack_assignment: bool | None = None
    maps: Any = None


class _Retention(_Strict, frozen=True):
    time: str | None = None
    segment_size: int | str | None = None


class _Compression(_Strict, frozen=True):
    type: str | None = None


class _Bounds(_Strict, frozen=True):
    count: int
    age: str | None = None


class _Transform(_Strict, frozen=True):
    uses: str
    with_: Any = msgspec.field(default=None, name="with")


class _Filter(_Strict, frozen=True):
    transform: _Transform


class _Deduplication(_Strict, frozen=True):
    bounds: _Bounds
    filter: _Filter | None = None


class _Document(_Strict, frozen=True):
    meta: _Meta
    version: str = "0.1.0"
    partition: _Partition | None = None
    retention: _Retention | None = None
    compression: _Compression | None = None
    deduplication: _Deduplication | None = None


def parse_retention(text: str) -> int | None:
    """Return whole seconds, as Fluvio does; None for `none`, which is for ever.

    Raises:
        UsageError: not a duration.
    """
    if text.strip().lower() == FOR_EVER:
        return None
    try:
        return int(parse_duration(text))
    except UsageError as exc:
        exc.hint = f"{exc.hint}, or {FOR_EVER} to keep records for ever"
        raise


def format_retention(seconds: int | None) -> str:
    """Return `7days`, `2m`, or `none` where records are kept for ever."""
    return FOR_EVER if seconds is None else humantime(seconds)


def parse_compression(text: str) -> Codec | None:
    """Return the codec a topic asks for; None for `any`, where producers choose.

    Raises:
        UsageError: there is no such codec.
    """
    word = text.strip().lower()
    if word not in COMPRESSIONS:
        raise UsageError(f'unknown compression "{text}"', hint=f"one of {', '.join(COMPRESSIONS)}")
    return COMPRESSIONS[word]


def format_compression(codec: Codec | None) -> str:
    """Return a topic's compression in one word."""
    return ANY if codec is None else codec.name.lower()


def parse_dedup_age(text: str) -> int | None:
    """Return milliseconds; None for `none`, which sets no limit.

    Raises:
        UsageError: not a duration.
    """
    return None if text.strip().lower() == FOR_EVER else int(parse_duration(text) * 1000)


def format_deduplication(found: Deduplication | None) -> str:
    """Return a topic's deduplication in a few words."""
    if found is None:
        return FOR_EVER
    age = "any age" if found.age_ms is None else humantime(found.age_ms / 1000)
    return f"{found.uses}, {found.count} records, {age}"


def exact_bytes(size_bytes: int) -> str:
    """Return a size as `parse_bytes` reads it back, in the largest unit that is exact."""
    for unit, factor in _UNITS:
        if size_bytes and size_bytes % factor == 0:
            return f"{size_bytes // factor} {unit}"
    return f"{size_bytes} B"


def parse_topic_config(text: bytes, where: str) -> TopicConfig:
    """Return what a YAML document asks for; limits are the catalog's to check.

    Raises:
        ConfigError: with `where` and what is wrong.
    """
    content = read_yaml(text, where, hint="begin with `meta: {name: …}`")
    sections = {
        key: _snake_case(value, where) if isinstance(value, dict) and key in _SECTIONS else value
        for key, value in _snake_case(content, where).items()
    }
    try:
        document = msgspec.convert(sections, _Document)
    except msgspec.ValidationError as exc:
        raise ConfigError(where, str(exc)) from exc
    _refuse_impossible(document, where)
    return TopicConfig(document.meta.name, _given(document, where))


_SECTIONS = ("meta", "partition", "retention", "compression")


def _snake_case(content: Mapping[Any, Any], where: str) -> dict[str, Any]:
    return rename_keys(content, where, lambda name: name.replace("-", "_"))


def _refuse_impossible(document: _Document, where: str) -> None:
    partition = document.partition or _Partition()
    if not document.version.startswith(VERSION_PREFIX):
        raise ConfigError(where, f"version {document.version} is not known", hint="0.1.0 is")
    impossible = (
        (partition.replication not in (None, 1), "partition.replication", NO_REPLICAS),
        (partition.ignore_rack_assignment, "partition.ignore-rack-assignment", NO_SERVERS),
        (partition.maps is not None, "partition.maps", NO_SERVERS),
    )
    for asked, key, reason in impossible:
        if asked:
            raise ConfigError(where, f"{key}: {reason}", hint=f"leave {key} out")


def _given(document: _Document, where: str) -> dict[str, Any]:
    partition = document.partition or _Partition()
    retention = document.retention or _Retention()
    compression = document.compression or _Compression()
    readers = (
        ("partitions", "partition.count", partition.count, int),
        ("partition_bytes_max", "partition.max-size", partition.max_size, parse_bytes),
        ("retention_s", "retention.time", retention.time, parse_retention),
        ("segment_bytes", "retention.segment-size", retention.segment_size, parse_bytes),
        ("compression", "compression.type", compression.type, parse_compression),
    )
    given: dict[str, Any] = {}
    for field, key, value, read in readers:
        if value is not None:
            try:
                given[field] = read(str(value))
            except UsageError as exc:
                raise ConfigError(where, f"{key}: {exc.message}", hint=exc.hint) from exc
    if document.deduplication is not None:
        given["deduplication"] = _read_deduplication(document.deduplication, where)
    return given


def _read_deduplication(found: _Deduplication, where: str) -> Deduplication:
    from dataflare_cli.smartmodule.transforms import read_params

    key = "deduplication.bounds.age"
    try:
        age_ms = None if found.bounds.age is None else parse_dedup_age(found.bounds.age)
    except UsageError as exc:
        raise ConfigError(where, f"{key}: {exc.message}", hint=exc.hint) from exc
    transform = None if found.filter is None else found.filter.transform
    if transform is None:
        return Deduplication(count=found.bounds.count, age_ms=age_ms)
    params = read_params(transform.with_, f"{where}: deduplication.filter.transform")
    return Deduplication(
        count=found.bounds.count, age_ms=age_ms, uses=transform.uses, params=params
    )
