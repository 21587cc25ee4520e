"""`dataflare profile`: Fluvio's verbs over data directories."""

import pytest
from harness import run


@pytest.fixture
def work(tmp_path):
    """Two profiles; `work` is in use."""
    assert b"Switched to profile other\n" == run("profile", "add", "other", "/o").stdout
    assert b"Switched to profile work\n" == run("profile", "add", "work", "w", cwd=tmp_path).stdout
    return tmp_path / "w"


def test_without_profiles_there_is_local(home):
    """Nothing has to be set up, and nothing is written to find that out."""
    assert ("local\n", "local\n") == (run("profile").text, run("profile", "current").text)
    (row,) = run("profile", "list", "-O", "json").json
    assert ("local", True, str(home / ".local/share/dataflare")) == (
        row["name"],
        row["current"],
        row["address"],
    )
    assert not (home / ".config").exists()


def test_list_has_fluvios_columns(work):
    """The profile in use is marked."""
    lines = run("profile", "list").lines

    assert ["PROFILE", "CLUSTER", "ADDRESS", "TLS", "INSTALLATION"] == lines[0].split()
    assert ["*", "work", "work", str(work), "Disabled", "local"] == lines[3].split()
    assert ["local", "other"] == [line.split()[0] for line in lines[1:3]]


def test_the_profile_in_use_says_where_topics_are(work):
    """Settings follow a switch, and -P for one command."""

    def data_dir(*words):
        rows = run(*words, "config", "show", "-O", "json").json
        return next(row["value"] for row in rows if row["key"] == "data-dir")

    assert str(work) == data_dir()
    assert "/o" == data_dir("-P", "other")
    assert (0, b"") == (
        run("profile", "switch", "other").code,
        run("-q", "profile", "switch", "other").stdout,
    )
    assert "/o" == data_dir()


def test_rename_keeps_settings_and_use(work):
    """Only the name changes."""
    run("-P", "work", "config", "set", "output", "json")

    assert (0, b"") == (run("profile", "rename", "work", "office").code, b"")
    assert "office\n" == run("profile").text
    assert {"output": "json"} == run("profile", "list").json[1]["settings"]


def test_add_again_moves_a_profile_and_keeps_its_settings(work):
    """As in Fluvio, add replaces the address."""
    run("config", "set", "profile", "work")
    run("-P", "work", "config", "set", "lock-timeout", "1")
    assert 0 == run("profile", "add", "work", "/elsewhere", "local").code

    row = run("profile", "list", "-O", "json").json[2]
    assert ("/elsewhere", {"lock-timeout": 1.0}) == (row["address"], row["settings"])


def test_delete_says_when_the_current_one_goes(work):
    """And falls back to local; the data stays."""
    work.mkdir()
    other, current = run("profile", "delete", "other"), run("profile", "delete", "work")

    assert ("profile other deleted\n", "") == (other.text, other.stderr)
    assert "profile work deleted\n" == current.text
    assert (
        "warning: this removed your current profile, use 'dataflare profile switch'"
        in current.stderr
    )
    assert "local\n" == run("profile").text
    assert work.is_dir()


def test_delete_cluster_wants_force_for_one_in_use(work):
    """Fluvio's question, as an error with the next step."""
    asked, forced = (
        run("profile", "delete-cluster", "work"),
        run("profile", "delete-cluster", "work", "-f"),
    )

    assert (1, b"") == (asked.code, asked.stdout)
    assert "The following profiles reference cluster work: work\n" in asked.stderr
    assert "Cluster work deleted\n" == forced.text
    assert 1 == run("profile", "delete-cluster", "work", "-f").code


def test_export_is_endpoint_and_tls(work):
    """TOML unless asked otherwise."""
    assert f'endpoint = "{work}"\n\n[tls]\npolicy = "Disabled"\n' == run("profile", "export").text
    exported = run("profile", "export", "other", "-O", "JSON").json
    assert {"endpoint": "/o", "tls": {"policy": "Disabled"}} == exported


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["switch", "wrok"], 1, 'error: Profile not found: wrok\n  did you mean "work"?\n'),
        (["delete", "nope"], 1, "error: Profile not found: nope\n"),
        (["rename", "nope", "x"], 1, "error: Profile not found: nope\n"),
        (["rename", "work", "other"], 1, "error: Profile already exists: other\n"),
        (["rename", "work", "a/b"], 2, "error: profile: expected a name"),
        (["rename", "local", "x"], 2, "error: the profile local is built in\n"),
        (["delete", "local"], 2, "error: the profile local is built in\n"),
        (["add", "..", "/x"], 2, "error: profile: expected a name"),
        (["add", "k", "kafka://b:9092"], 3, "error: kafka://b:9092: remote profiles come with"),
        (["add", "k", "127.0.0.1:9003"], 3, "error: 127.0.0.1:9003: remote profiles come with"),
        (["add", "k", "/x", "k8"], 2, "error: Invalid value for "),
        (["export", "nope"], 1, "error: Profile not found: nope\n"),
        (["sync"], 2, "error: No such command 'sync'"),
    ],
)
def test_errors(words, code, message, work):
    """Each has its exit code and next step, and changes nothing."""
    before = run("profile", "list", "-O", "json").stdout
    result = run("profile", *words)

    assert (code, b"") == (result.code, result.stdout)
    assert result.stderr.startswith(message)
    assert before == run("profile", "list", "-O", "json").stdout


def test_a_variable_that_counts_for_more_is_mentioned(work):
    """A switch without effect must not look like one."""
    result = run("profile", "switch", "other", env={"DATAFLARE_PROFILE": "work"})

    assert 0 == result.code
    assert (
        "warning: DATAFLARE_PROFILE is set and counts for more: work stays in use" in result.stderr
    )


def test_a_current_profile_that_is_gone_is_an_error(work):
    """Somebody edited the file; local must not take the data silently."""
    result = run("profile", env={"DATAFLARE_PROFILE": "gone"})

    assert (1, b"") == (result.code, result.stdout)
    assert "error: Profile not found: gone" in result.stderr
