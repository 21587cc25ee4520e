"""URLs of topics elsewhere, and the connectors that are found for them."""

import pytest

from dataflare_cli.connect import Address, find_installed, is_url, options_of, parse_url
from dataflare_cli.errors import NotFound, UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kafka://h:9092/t", Address("kafka", ("h:9092",), "t", {})),
        ("kafka://h1:1,h2,[::1]:3/t", Address("kafka", ("h1:1", "h2", "[::1]:3"), "t", {})),
        ("kafka://h/a.b_c-d?x=1&y=", Address("kafka", ("h",), "a.b_c-d", {"x": "1", "y": ""})),
        ("kafka://h/", Address("kafka", ("h",), "", {})),
        ("kafka://h", Address("kafka", ("h",), "", {})),
        ("fluvio://h:9003/a%20b", Address("fluvio", ("h:9003",), "a b", {})),
    ],
)
def test_what_a_url_says(text, expected):
    """Scheme, hosts, topic, options."""
    assert is_url(text)
    assert expected == parse_url(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kafka:///t", "is not a URL of a topic"),
        ("kafka://h/t?x", "its options are NAME=VALUE"),
        ("kafka://me:hunter2@h/t", "no user and no password"),
        ("://h/t", "is not a URL of a topic"),
    ],
)
def test_what_is_no_url(text, said):
    """Without its secrets."""
    with pytest.raises(UsageError) as caught:
        parse_url(text)

    assert said in caught.value.message
    assert "hunter2" not in caught.value.message


def test_names_of_topics_are_no_urls():
    """None of the characters that Kafka allows makes one."""
    assert not is_url("a.b_c-d")


def test_connectors_are_found_by_their_entry_points():
    """That of Kafka is in this distribution; its options are documented."""
    found = find_installed("kafka")
    assert found.spec is not None
    options = options_of(found.spec)["properties"]

    assert ("kafka", "Config") == (found.spec.name, found.spec.config.__name__)
    assert all(about["description"] for about in options.values())
    with pytest.raises(NotFound, match="Connector not found: kafkaa"):
        find_installed("kafkaa")
