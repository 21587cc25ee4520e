"""Topic settings as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.errors import ConfigError, UsageError
from dataflare_cli.model import Codec
from dataflare_cli.text.topicconfig import (
    exact_bytes,
    format_compression,
    format_retention,
    parse_compression,
    parse_retention,
    parse_topic_config,
)
from dataflare_cli.text.units import parse_bytes

FULL = """\
version: 0.1.1
meta: {name: my-topic}
partition: {count: 3, max-size: 10 KB, replication: 1, ignore-rack-assignment: false}
retention: {time: 2m, segment-size: 2.0 KB}
compression: {type: Lz4}
deduplication: null
"""
FULL_GIVEN = {
    "partitions": 3,
    "partition_bytes_max": 10_000,
    "retention_s": 120,
    "segment_bytes": 2000,
    "compression": Codec.LZ4,
}


@pytest.mark.parametrize("text", [FULL, FULL.replace("-size", "_size").replace("-rack-", "_rack_")])
def test_all_keys_in_both_spellings(text):
    """Fluvio's kebab-case, and the snake_case that Fluvio drops silently."""
    assert ("my-topic", FULL_GIVEN) == parse_topic_config(text.encode(), "t.yaml")


def test_what_is_left_out_is_not_given():
    """So that the defaults are the catalog's."""
    assert ("t", {}) == parse_topic_config(b"meta: {name: t}", "t.yaml")
    assert ("t", {}) == parse_topic_config(b"meta: {name: t}\nretention:\npartition: {}", "")


def test_for_ever_and_any_are_given():
    """None is a value here, not a setting that was left out."""
    text = b"meta: {name: t}\nretention: {time: none}\ncompression: {type: Any}"

    assert {"retention_s": None, "compression": None} == parse_topic_config(text, "").given


def test_sizes_may_be_numbers():
    """Bytes, as in an option."""
    text = b"meta: {name: t}\npartition: {max-size: 4096}"

    assert {"partition_bytes_max": 4096} == parse_topic_config(text, "").given


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected names and values"),
        ("- a", "expected names and values"),
        ("a: [", "1:5: not YAML: "),
        ("\xff: \x00", "not YAML: "),
        ("partition: {}", "Object missing required field `meta`"),
        ("meta: {}", "Object missing required field `name` - at `$.meta`"),
        ("meta: {name: 7}", "Expected `str`, got `int` - at `$.meta.name`"),
        ("meta: {name: t}\nretenton: {}", "Object contains unknown field `retenton`"),
        (
            "meta: {name: t}\npartition: {maxsize: 1}",
            "Object contains unknown field `maxsize` - at `$.partition`",
        ),
        ("meta: {name: t}\npartition: {max-size: 1, max_size: 2}", "max_size is given twice"),
        ("meta: {name: t}\n1: 2", "1 is not a name"),
        ("meta: {name: t}\npartition: {count: true}", "Expected `int | null`, got `bool`"),
        ("meta: {name: t}\npartition: {max-size: 3 miles}", "partition.max-size: invalid size"),
        ("meta: {name: t}\nretention: {time: 60}", "Expected `str | null`, got `int`"),
        ("meta: {name: t}\nretention: {time: soon}", "retention.time: Invalid argument: not a"),
        ("meta: {name: t}\ncompression: {type: br}", 'compression.type: unknown compression "br"'),
        ("meta: {name: t}\nversion: 2.0.0", "version 2.0.0 is not known"),
        ("meta: {name: t}\npartition: {replication: 2}", "partition.replication: a topic is kept"),
        (
            "meta: {name: t}\npartition: {ignore-rack-assignment: true}",
            "partition.ignore-rack-assignment: there are no servers",
        ),
        (
            "meta: {name: t}\npartition: {maps: [{id: 0, replicas: [5001]}]}",
            "partition.maps: there are no servers",
        ),
        ("meta: {name: t}\ndeduplication: {bounds: {}}", "Object missing required field `count`"),
        (
            "meta: {name: t}\ndeduplication: {bounds: {count: 1, age: 5}}",
            "Expected `str | null`, got `int` - at `$.deduplication.bounds.age`",
        ),
        (
            "meta: {name: t}\ndeduplication: {bounds: {count: 1, age: soon}}",
            "deduplication.bounds.age: Invalid argument: not a duration: 'soon'",
        ),
        (
            (
                "meta: {name: t}\ndeduplication:\n  bounds: {count: 1}\n"
                "  filter: {transform: {uses: x, with: {by: 1}}}"
            ),
            "deduplication.filter.transform: the parameter 'by' is 1, not a text",
        ),
    ],
)
def test_what_is_not_understood_is_refused(text, problem):
    """With the place, and nothing dropped silently."""
    with pytest.raises(ConfigError) as caught:
        parse_topic_config(text.encode("latin-1"), "t.yaml")

    assert caught.value.message.startswith((f"t.yaml: {problem}", f"t.yaml:{problem}"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7 days", 604_800), ("2m", 120), ("1500ms", 1), (" None ", None), ("none", None)],
)
def test_retention_is_whole_seconds_or_for_ever(text, seconds):
    """Fluvio drops the rest of a second; it has no way to say for ever."""
    assert seconds == parse_retention(text)


def test_a_retention_that_is_none_is_explained():
    """The hint names the word for ever is spelled with."""
    with pytest.raises(UsageError) as caught:
        parse_retention("forever")

    assert "none to keep records for ever" in (caught.value.hint or "")


@pytest.mark.parametrize("codec", [None, *Codec])
def test_compressions_have_names_both_ways(codec):
    """Case does not matter."""
    assert codec is parse_compression(format_compression(codec).upper())


def test_retentions_are_shown_as_in_fluvio():
    """In humantime's form, and with the word an option takes."""
    assert ["7days", "2m", "none"] == [format_retention(each) for each in (604_800, 120, None)]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (2000, "2 KB"),
        (3072, "3 KiB"),
        (1024 * 1000, "1000 KiB"),
        (500_000_000, "500 MB"),
        (1 << 30, "1 GiB"),
        (100 << 30, "100 GiB"),
        (1_048_577, "1048577 B"),
    ],
)
def test_sizes_are_shown_exactly(size, text):
    """In the unit they were probably given in."""
    assert text == exact_bytes(size)


@given(st.integers(0, 2**63 - 1))
def test_exact_sizes_are_read_back(size):
    """Invariants: parse_bytes(exact_bytes(n)) == n."""
    assert size == parse_bytes(exact_bytes(size))
