"""Connectors: the contract of what makes topics elsewhere readable, and how one is found.

A connector is a package with an entry point in the group `dataflare.connectors.v1`, named
like the scheme of its URLs, that gives a `ConnectorSpec`:

    [project.entry-points."dataflare.connectors.v1"]
    kafka = "dataflare_kafka:SPEC"

Nothing of dataflare imports one by name. What a connector raises are errors of
`dataflare_cli.errors`: it translates its client library's.

Invariants of a source
- Batches of a partition come in the order of their offsets, none twice, none left out.
- A position is the offset of the first record that was not read.
- `read` waits at most as long as it is told to; `close` may be called twice, and after an
  `open` that failed.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from dataflare_cli.codec.engine import Bytes
from dataflare_cli.errors import ConfigError, NotFound, Unreachable, UsageError

GROUP = "dataflare.connectors.v1"


class TopicPartition(NamedTuple):
    """A partition of a topic, by its name there."""

    topic: str
    partition: int


class Fetched(NamedTuple):
    """What was read of a partition at once.

    Each of `runs` is flat, as `codec.load_run` takes it: key, frame, key, frame, … without a
    gap. There may be none, of records that are not for applications: `next_offset` tells where
    reading goes on. `evicted`: what comes before it is not there any more.
    """

    place: TopicPartition
    runs: Sequence[Sequence[Bytes]]
    next_offset: int
    evicted: bool = False


class Source(Protocol):
    """Reads partitions, from positions on, for ever.

    `trouble` says what keeps it from reading just now, and that it goes on trying.
    """

    trouble: str | None

    def open(self, positions: Mapping[TopicPartition, int]) -> None:
        """Begin to read.

        Raises:
            Unreachable, NotFound, …: what keeps it from it.
        """
        ...

    def read(self, timeout_s: float) -> Fetched | None:
        """Return what comes next; None if nothing has come in time. Raises as `open`."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Written(NamedTuple):
    """Where one frame went: offsets [base_offset, base_offset + record_count)."""

    partition: int
    base_offset: int
    record_count: int


class Sink(Protocol):
    """Writes to one topic."""

    def write(self, frames: Sequence[tuple[int, bytearray]]) -> list[Written]:
        """Write sealed frames, given with their partition, in their order.

        Returns when the other side has all of them.

        Raises:
            Unreachable, Denied, …: it does not have them, or may have some.
        """
        ...

    def cancel(self) -> None:
        """Let a `write` that is under way give up; from any thread."""
        ...

    def close(self) -> None:
        """End it; may be called twice."""
        ...


class Connection(Protocol):
    """A cluster that is connected to."""

    def partition_count(self, topic: str) -> int:
        """Return how many partitions a topic has.

        Raises:
            NotFound: with close matches.
        """
        ...

    def bounds(self, topic: str) -> list[tuple[int, int]]:
        """Return (start, end) of each partition: its first offset, and that of the next record."""
        ...

    def offset_for_time(self, place: TopicPartition, timestamp_ms: int) -> int:
        """Return the first offset whose timestamp is at least this; the end if there is none."""
        ...

    def source(self) -> Source:
        """Return a source that is not open yet."""
        ...

    def sink(self, topic: str) -> Sink:
        """Return a sink for a topic that is there."""
        ...

    def close(self) -> None:
        """End the connection; may be called twice."""
        ...


class ConnectorSpec(NamedTuple):
    """What a connector is; `config` has a field for each option of its URLs, documented.

    `connect` raises Unreachable, Denied, … where the other side can't be reached or refuses.
    """

    name: str
    summary: str
    config: type[msgspec.Struct]
    connect: Callable[[Sequence[str], msgspec.Struct], Connection]


class Address(NamedTuple):
    """A URL: kafka://host:9092,host2/topic?option=value."""

    scheme: str
    hosts: tuple[str, ...]
    topic: str
    options: dict[str, str]


def is_url(text: str) -> bool:
    """Tell whether a topic's name is a URL: a name of the local log has no colon."""
    return "://" in text


def parse_url(text: str) -> Address:
    """Return what a URL says.

    Raises:
        UsageError: it is none, or has a password in it.
    """
    try:
        parts = urlsplit(text)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
    except ValueError:
        if urlsplit(text).query:
            raise UsageError(f"{text!r} is not a URL: its options are NAME=VALUE&…") from None
        options = {}
    if "@" in parts.netloc:
        raise UsageError(
            "a URL has no user and no password: other users see what is on a command line"
        )
    hosts = tuple(host for host in parts.netloc.split(",") if host)
    if not parts.scheme or not hosts:
        raise UsageError(
            f"{text!r} is not a URL of a topic", hint="kafka://HOST:PORT/TOPIC has all parts"
        )
    return Address(parts.scheme, hosts, unquote(parts.path.removeprefix("/")), options)


def parse_topic_url(text: str) -> Address:
    """Return what the URL of a topic says.

    Raises:
        UsageError: as `parse_url`; or it names no topic.
    """
    address = parse_url(text)
    if not address.topic:
        raise UsageError(f"{text} has no topic", hint=f"{text.rstrip('/')}/TOPIC")
    return address


class Installed(NamedTuple):
    """A connector that is installed; without a spec, what keeps it from being loaded."""

    name: str
    version: str
    spec: ConnectorSpec | None
    problem: str | None


def installed() -> list[Installed]:
    """Return all connectors, by name; a broken one keeps nobody from using the others."""
    from importlib.metadata import entry_points

    found = []
    for each in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        version = "" if each.dist is None else each.dist.version
        try:
            found.append(Installed(each.name, version, each.load(), None))
        except Exception as exc:  # noqa: BLE001 - somebody else's package
            found.append(Installed(each.name, version, None, f"can't be loaded: {exc}"))
    return found


def find_installed(name: str) -> Installed:
    """Return the connector of a name, which is the scheme of its URLs.

    Raises:
        NotFound: there is none.
        Unreachable: it can't be loaded.
    """
    connectors = installed()
    for each in connectors:
        if each.name == name:
            if each.spec is None:
                hint = f"pip install 'dataflare-cli[{name}]'"
                raise Unreachable(f"the connector {name}", each.problem or "", hint=hint)
            return each
    names = [each.name for each in connectors]
    near = get_close_matches(name, names)
    there = None if near else f"there are: {', '.join(names) or 'none'}"
    raise NotFound("connector", name, suggestions=near, hint=there)


def options_of(spec: ConnectorSpec) -> dict[str, Any]:
    """Return the JSON Schema of a connector's options."""
    schema = msgspec.json.schema(spec.config)
    found: dict[str, Any] = schema["$defs"][spec.config.__name__]
    return found


def connect(address: Address) -> Connection:
    """Connect to the cluster of a URL.

    Raises:
        NotFound: no connector of this name.
        ConfigError: an option that it does not have.
        Unreachable, …: as the connector says.
    """
    spec = find_installed(address.scheme).spec
    assert spec is not None
    try:
        config = msgspec.convert(address.options, spec.config, strict=False)
    except msgspec.ValidationError as exc:
        raise ConfigError(f"{address.scheme}://", str(exc)) from exc
    return spec.connect(address.hosts, config)
