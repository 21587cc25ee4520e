"""`dataflare connector`: what is installed, and what URLs may say."""

from tests.harness import run


def test_what_is_installed():
    """Names, versions, and what they are for."""
    (kafka,) = (
        row for row in run("connector", "list", "-O", "json").json if row["name"] == "kafka"
    )

    assert {"name", "version", "summary", "problem"} == set(kafka)
    assert ("Topics of an Apache Kafka cluster", None) == (kafka["summary"], kafka["problem"])
    assert "Topics of an Apache Kafka cluster" in run("connector", "list").text


def test_the_options_of_urls():
    """Names, defaults, meanings; as a JSON Schema with -O json."""
    text = run("connector", "describe", "kafka").text
    schema = run("connector", "describe", "kafka", "-O", "json").json["options"]

    assert "isolation_level" in text
    assert "read_committed, read_uncommitted" in text
    assert "read_committed" == schema["properties"]["isolation_level"]["default"]
    assert schema["additionalProperties"] is False


def test_one_that_is_not_there():
    """With what there is."""
    result = run("connector", "describe", "kafa")

    assert 1 == result.code
    assert 'Connector not found: kafa\n  did you mean "kafka"?' in result.stderr
