"""Settings: who has precedence, what a dataflare.toml may do, and `dataflare config`."""

import os
import stat
import subprocess
import sys

import pytest
from harness import command_line, process_environ, run

from dataflare_cli import model
from dataflare_cli.config import (
    BY_KEY,
    SETTINGS,
    Settings,
    default_data_dir,
    files,
    user_file_path,
)
from dataflare_cli.errors import ConfigError, NotFound, Unreachable, UsageError

# Each source, strongest first: how it sets lock-timeout, and the origin that is shown.
SOURCES = ("flag", "environment", "named", "tree", "switched", "user", "default")


@pytest.fixture
def tree(tmp_path):
    """A directory that is the working tree, two levels above where commands run."""
    path = tmp_path / "tree"
    (path / "a" / "b").mkdir(parents=True)
    return path


def user_file(home, text):
    path = home / ".config" / "dataflare" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def settings(tree, home, **more):
    return Settings(environ={"HOME": str(home), **more}, cwd=tree / "a" / "b")


@pytest.mark.parametrize("strongest", range(len(SOURCES)))
def test_precedence(strongest, tree, home):
    """Flag > environment > named profile > dataflare.toml > switched one > user's > default."""
    present = set(SOURCES[strongest:])
    texts = []
    if "user" in present:
        texts.append("lock-timeout = 5")
    texts.append('profile = "work"\n[profiles.work]')
    if "switched" in present:
        texts.append("lock-timeout = 3")
    texts.append("[profiles.named]\nlock-timeout = 6")
    file = user_file(home, "\n".join(texts))
    toml = tree / "dataflare.toml"
    if "tree" in present:
        toml.write_text("lock-timeout = 4", encoding="utf-8")
    environ = {"HOME": str(home)}
    if "named" in present:
        environ["DATAFLARE_PROFILE"] = "named"
    if "environment" in present:
        environ["DATAFLARE_LOCK_TIMEOUT"] = "2"
    flags = {"lock-timeout": ("--lock-timeout", "1s")} if "flag" in present else {}
    found = Settings(environ=environ, cwd=tree / "a" / "b", flags=flags).resolve("lock-timeout")

    expected = {
        "flag": (1, "flag --lock-timeout"),
        "environment": (2, "environment DATAFLARE_LOCK_TIMEOUT"),
        "named": (6, "profile named"),
        "switched": (3, "profile work"),
        "tree": (4, str(toml)),
        "user": (5, str(file)),
        "default": (30, "default"),
    }
    assert expected[SOURCES[strongest]] == (found.value, found.origin)


def test_the_profile_in_use_is_a_flag_a_variable_or_a_switch(home, tree):
    """-P > DATAFLARE_PROFILE > the file's choice > local."""
    user_file(home, 'profile = "c"\n[profiles.a]\n[profiles.b]\n[profiles.c]')
    environ = {"HOME": str(home), "DATAFLARE_PROFILE": "b"}
    flags = {"profile": ("-P/--profile", "a")}

    assert "a" == Settings(environ=environ, cwd=tree, flags=flags).profile
    assert "b" == Settings(environ=environ, cwd=tree).profile
    assert "c" == Settings(environ={"HOME": str(home)}, cwd=tree).profile
    assert "local" == Settings(environ={"HOME": str(tree)}, cwd=tree).profile


def test_every_setting_can_come_from_every_allowed_source(home, tree):
    """One key, one variable, one meaning: the table is all there is."""
    texts = {
        "data-dir": "sub",
        "output": "yaml",
        "consume-output": "records",
        "batch-size": "1000",
        "max-request-size": "2000",
        "smartmodule-memory": "5000000",
        "smartmodule-time": "250s",
        "smartmodule-records-out": "7",
        "smartmodule-bytes-out": "8",
        "lock-timeout": "1.5",
        "durability": "relaxed",
        "log-level": "debug",
    }

    assert set(BY_KEY) == set(texts)
    for key, text in texts.items():
        (variable, *_) = BY_KEY[key].names
        assert "DATAFLARE_" + key.replace("-", "_").upper() == variable
        found = settings(tree, home, **{variable: text}).resolve(key)
        assert f"environment {variable}" == found.origin
        user_file(home, f'{key} = "{text}"')
        assert str(found.value).endswith(text)
        assert "default" != settings(tree, home).resolve(key).origin


def test_dataflare_log_is_the_short_name_of_the_log_level(tree, home):
    """Design names it DATAFLARE_LOG; the regular name works, too, and counts for more."""
    short = settings(tree, home, DATAFLARE_LOG="info")
    both = settings(tree, home, DATAFLARE_LOG="info", DATAFLARE_LOG_LEVEL="error")

    assert ("info", "error") == (short.log_level, both.log_level)
    assert settings(tree, home).log_level is None


def test_limits_are_those_of_the_model():
    """The table repeats numbers of model.py, which takes long to import."""
    assert model.BATCH_BYTES_MAX == BY_KEY["batch-size"].default
    assert model.REQUEST_BYTES_DEFAULT == BY_KEY["max-request-size"].default
    assert model.BATCH_BYTES_MAX == BY_KEY["batch-size"].read(str(model.BATCH_BYTES_MAX))
    assert model.REQUEST_BYTES_MAX == BY_KEY["max-request-size"].read(model.REQUEST_BYTES_MAX)
    limits = model.GuestLimits()
    assert limits.memory_bytes == BY_KEY["smartmodule-memory"].default
    assert f"{limits.time_s:g}s" == BY_KEY["smartmodule-time"].default
    assert limits.records_out == BY_KEY["smartmodule-records-out"].default
    assert limits.bytes_out == BY_KEY["smartmodule-bytes-out"].default


@pytest.mark.parametrize("environ", [{}, {"XDG_DATA_HOME": "/x", "XDG_CONFIG_HOME": "/y"}])
def test_the_default_places_are_those_of_platformdirs(environ, home, monkeypatch):
    """We compute them ourselves, as importing platformdirs takes 25 ms."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    environ = {"HOME": str(home), **environ}
    script = (
        "import platformdirs as dirs;"
        "print(dirs.user_data_dir('dataflare'), dirs.user_config_dir('dataflare'))"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], env=process_environ(), capture_output=True, timeout=60
    )

    places = (str(default_data_dir(environ)), str(user_file_path(environ).parent))
    assert places == tuple(said.stdout.decode().split())


def test_relative_xdg_paths_are_ignored(home):
    """The specification says so; data would follow the working directory else."""
    environ = {"HOME": str(home), "XDG_DATA_HOME": "rel"}

    assert home / ".local/share/dataflare" == default_data_dir(environ)


def test_paths_are_relative_to_where_they_are_written(tree, home):
    """A variable's to the working directory, a file's to the file; ~ is the home."""
    (tree / "dataflare.toml").write_text('data-dir = "streams"', encoding="utf-8")
    user_file(home, 'profile = "p"\n[profiles.p]\ndata-dir = "~/d"')

    assert tree / "a/b/x" == settings(tree, home, DATAFLARE_DATA_DIR="x").data_dir
    assert tree / "streams" == settings(tree, home).data_dir
    assert home / "d" == settings(tree, home, DATAFLARE_PROFILE="p").data_dir


def test_the_local_profile_named_is_no_sandbox(tree, home):
    """`-P local` means the user's own store, also inside a repository with a sandbox."""
    (tree / "dataflare.toml").write_text('data-dir = "streams"', encoding="utf-8")
    found = settings(tree, home, DATAFLARE_PROFILE="local").data_dir

    assert default_data_dir({"HOME": str(home)}) == found


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1", 1), ("0", 0), ("500ms", 0.5), ("30s", 30), ("2m", 120), ("1h", 3600), ("1.5 s", 1.5)],
)
def test_times_are_numbers_of_seconds_or_have_a_unit(text, seconds):
    """As everywhere on the command line."""
    assert seconds == BY_KEY["lock-timeout"].read(text)


# ----------------------------------------------------------------- dataflare.toml

HOSTILE = {
    "an absolute path": 'data-dir = "/etc"',
    "a path that climbs": 'data-dir = "../../x"',
    "a path that climbs in the middle": 'data-dir = "a/../../x"',
    "the directory itself": 'data-dir = "."',
    "somebody's home": 'data-dir = "~/x"',
    "a link out": 'data-dir = "link/x"',
    "an address": 'data-dir = "kafka://host:9092"',
    "an address in Fluvio's form": 'data-dir = "host:9003"',
    "a NUL": 'data-dir = "a\\u0000b"',
    "an empty path": 'data-dir = ""',
    "no text": "data-dir = 7",
    "a profile": 'profile = "x"',
    "profiles": '[profiles.local]\ndata-dir = "/etc"',
    "durability": 'durability = "relaxed"',
    "a log level": 'log-level = "debug"',
    "a command": 'editor = "rm -rf /"',
    "a hook": '[hooks]\npre = "x"',
    "a bad choice": 'output = "html"',
    "a bad number": "batch-size = 0",
    "a boolean": "batch-size = true",
    "a negative time": "lock-timeout = -1",
    "an endless time": "lock-timeout = inf",
    "no number": "lock-timeout = nan",
    "no TOML": "data-dir = ",
    "the same key twice": 'output = "json"\noutput = "json"',
    "no UTF-8": b'output = "\xff"',
    "much": b"#" * 70_000,
    "deep": b"a = " + b"[" * 5000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_tree_file_is_refused(text, tree, home):
    """A cloned repository sets a closed list of harmless things, or is an error that names it."""
    file = tree / "dataflare.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    (tree / "link").symlink_to("/tmp")
    result = run("config", "show", cwd=tree / "a" / "b")

    assert (2, b"") == (result.code, result.stdout)
    assert result.stderr.startswith(f"error: {file}: ")


def test_a_tree_file_that_is_no_file_does_not_block(tree, home):
    """A FIFO named dataflare.toml would hang every Tab."""
    os.mkfifo(tree / "dataflare.toml")

    with pytest.raises(ConfigError, match="is not a regular file"):
        settings(tree, home).resolve("output")


def test_a_tree_file_may_set_what_the_table_allows(tree, home):
    """A repository carries its own sandbox."""
    (tree / "dataflare.toml").write_text(
        'data-dir = "sandbox/data"\noutput = "JSON"\nconsume-output = "records"\n'
        'batch-size = 1000\nmax-request-size = 2000\nlock-timeout = "2m"\n',
        encoding="utf-8",
    )
    found = settings(tree, home)

    assert (tree / "sandbox/data", "json", "records") == (
        found.data_dir,
        found.output,
        found.consume_output,
    )
    assert (1000, 2000, 120) == (found.batch_size, found.max_request_size, found.lock_timeout_s)
    assert 10 == sum(each.in_tree for each in SETTINGS)


def test_the_nearest_tree_file_counts(tree, home):
    """As with every such file; they do not add up."""
    (tree / "dataflare.toml").write_text('output = "json"\nlock-timeout = 1', encoding="utf-8")
    (tree / "a" / "dataflare.toml").write_text('output = "yaml"', encoding="utf-8")
    found = settings(tree, home)

    assert ("yaml", 30) == (found.output, found.lock_timeout_s)


def _owned(uid: int, mode: int) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, uid, 0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("owner", "directory_mode", "is_planted"),
    [
        (os.geteuid() + 1, 0o41777, True),  # /tmp, where anybody leaves anything
        (os.geteuid() + 1, 0o40777, True),
        (os.geteuid() + 1, 0o40755, False),  # a repository checked out by another user, as in CI
        (os.geteuid(), 0o41777, False),
        (0, 0o41777, False),
    ],
)
def test_a_strangers_file_where_everybody_may_write_is_ignored(owner, directory_mode, is_planted):
    """Somebody's /tmp/dataflare.toml must not say where the data of others goes."""
    file, directory = _owned(owner, 0o100644), _owned(0, directory_mode)

    assert is_planted is files._is_planted(file, directory)


# ------------------------------------------------------------------ the user's file

MALFORMED = {
    "an unknown key": ("dta-dir = 1", "unknown key 'dta-dir'"),
    "an unknown key of a profile": ("[profiles.x]\naddress = 1", "unknown key 'address'"),
    "profiles that are none": ("profiles = 1", "profiles: expected a table"),
    "a profile that is none": ("[profiles]\nx = 1", "profiles.x: expected a table"),
    "a profile with a bad name": ('[profiles."a/b"]', "expected a name"),
    "a current profile that is none": ("profile = 1", "expected a name"),
    "no TOML": ("[", "is not valid TOML"),
}


@pytest.mark.parametrize(("text", "problem"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_user_file_is_an_error(text, problem, home):
    """Absent is fine, malformed never is; nothing overwrites what a person wrote."""
    file = user_file(home, text)
    shown, changed = run("config", "show"), run("config", "set", "output", "json")

    assert (2, 2) == (shown.code, changed.code)
    assert problem in shown.stderr
    assert str(file) in shown.stderr
    assert text == file.read_text(encoding="utf-8")


def test_a_close_key_is_suggested(home):
    """The next step is in the message."""
    user_file(home, "data_dir = '/x'")

    assert '  did you mean "data-dir"?' in run("config", "show").stderr


def test_an_unreadable_user_file_is_an_error(home):
    """A directory in its place is not the same as no file."""
    user_file(home, "").unlink()
    (home / ".config/dataflare/config.toml").mkdir()

    assert 2 == run("config", "show").code


def test_an_unknown_profile_is_not_found(home, tree):
    """With close matches."""
    user_file(home, "[profiles.work]")

    with pytest.raises(NotFound) as caught:
        settings(tree, home, DATAFLARE_PROFILE="wrok").resolve("output")
    assert ("work",) == caught.value.suggestions
    assert 1 == run("-P", "wrok", "config", "show").code


@pytest.mark.parametrize("address", ["kafka://b:9092", "fluvio://h", "localhost:9003"])
def test_remote_clusters_are_refused_by_name(address, tree, home):
    """-c takes a directory for now and says so; a variable's mistake names the variable."""
    flags = {"data-dir": ("-c/--cluster", address)}
    with pytest.raises(Unreachable, match="remote clusters come with the connectors"):
        Settings(environ={}, cwd=tree, flags=flags).resolve("data-dir")
    with pytest.raises(ConfigError, match="DATAFLARE_DATA_DIR"):
        settings(tree, home, DATAFLARE_DATA_DIR=address).resolve("data-dir")


def test_a_directory_with_a_colon_needs_a_slash(tree):
    """./HOST:PORT is a path."""
    flags = {"data-dir": ("-c/--cluster", "./localhost:9003")}

    assert tree / "localhost:9003" == Settings(environ={}, cwd=tree, flags=flags).data_dir


def test_bad_flags_are_usage_errors(tree):
    """At once, also where nothing needs the value."""
    with pytest.raises(UsageError, match="--lock-timeout: expected seconds"):
        Settings(environ={}, cwd=tree, flags={"lock-timeout": ("--lock-timeout", "x")}).resolve(
            "lock-timeout"
        )
    assert 2 == run("--lock-timeout", "soon", "version").code
    assert 2 == run("--log-level", "loud", "version").code


def test_bad_variables_name_themselves():
    """A typo in a CI file is found by its message."""
    result = run("config", "show", env={"DATAFLARE_BATCH_SIZE": "16 KiB"})

    assert 2 == result.code
    assert "error: environment variable DATAFLARE_BATCH_SIZE: expected a number" in result.stderr


def test_cluster_is_another_word_for_data_dir(tmp_path):
    """And excludes both --data-dir and -P."""
    chosen = run("-c", tmp_path / "x", "config", "show", "-O", "json").json[1]

    assert {
        "key": "data-dir",
        "value": str(tmp_path / "x"),
        "origin": "flag -c/--cluster",
    } == chosen
    assert 2 == run("-c", "x", "-P", "y", "config", "show").code
    assert 2 == run("-c", "x", "--data-dir", "y", "config", "show").code


# ------------------------------------------------------------------- the commands


def test_show_has_every_setting_and_its_origin(home):
    """The answer to: why does it do that?"""
    result = run("config", "show", "--origin", env={"DATAFLARE_DURABILITY": "relaxed"})

    assert ["SETTING", "VALUE", "ORIGIN"] == result.lines[0].split()
    assert ["profile", *BY_KEY] == [line.split()[0] for line in result.lines[1:]]
    assert ["durability", "relaxed"] in [line.split()[:2] for line in result.lines]
    assert "environment DATAFLARE_DURABILITY" in result.text
    assert "ORIGIN" not in run("config", "show").text


def test_set_and_unset_change_the_file(home, tmp_path):
    """What set says, show shows and unset takes back."""
    file = home / ".config/dataflare/config.toml"
    assert 0 == run("config", "set", "output", "JSON").code
    assert 0 == run("config", "set", "data-dir", "here", cwd=tmp_path).code
    assert f"{file}\n" == run("config", "path").text

    values = {each["key"]: each["value"] for each in run("config", "show").json}
    assert ("json", str(tmp_path / "here")) == (values["output"], values["data-dir"])
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert [file] == list(file.parent.iterdir())

    assert 0 == run("config", "unset", "output").code
    assert run("config", "show").text.startswith("  SETTING")
    assert 1 == run("config", "unset", "output").code


def test_set_with_a_profile_changes_that_profile(home):
    """-P means the same before every command."""
    run("profile", "add", "work", "/w")
    run("profile", "switch", "local")
    assert 0 == run("-P", "work", "config", "set", "lock-timeout", "2m").code

    assert "120" in run("-P", "work", "config", "show").text
    assert "120" not in run("config", "show").text
    assert 0 == run("-P", "work", "config", "unset", "lock-timeout").code
    assert "120" not in run("-P", "work", "config", "show").text


def test_set_profile_is_switch(home):
    """One truth, two spellings."""
    run("profile", "add", "work", "/w")
    run("config", "set", "profile", "local")
    assert "local\n" == run("profile").text
    run("config", "set", "profile", "work")
    assert "work\n" == run("profile").text
    run("config", "unset", "profile")
    assert "local\n" == run("profile").text
    assert 1 == run("config", "set", "profile", "nope").code


def test_set_refuses_what_it_does_not_know():
    """Before anything is written."""
    unknown, wrong = run("config", "set", "outptu", "json"), run("config", "set", "output", "x")

    assert (2, "error: unknown setting 'outptu'\n  did you mean output?\n") == (
        unknown.code,
        unknown.stderr,
    )
    assert 2 == wrong.code


def test_a_linked_file_stays_a_link(home, tmp_path):
    """Dotfiles live in a repository and are linked."""
    real = tmp_path / "dotfiles" / "dataflare.toml"
    real.parent.mkdir()
    real.write_text("", encoding="utf-8")
    user_file(home, "").unlink()
    link = home / ".config/dataflare/config.toml"
    link.symlink_to(real)
    run("config", "set", "output", "json")

    assert link.is_symlink()
    assert 'output = "json"' in real.read_text(encoding="utf-8")


def test_writers_at_the_same_time_lose_nothing():
    """Profiles added by eight processes at a time are all there."""
    env = process_environ()
    names = [f"p{number}" for number in range(16)]
    for group in (names[:8], names[8:]):
        running = [
            subprocess.Popen(
                command_line("profile", "add", name, "/x"), env=env, stdout=subprocess.DEVNULL
            )
            for name in group
        ]
        assert [0] * len(group) == [each.wait(60) for each in running]

    assert ["local", *sorted(names)] == [
        each["name"] for each in run("profile", "list", "-O", "json").json
    ]


def test_settings_are_the_defaults_of_options(home):
    """What -O would say, DATAFLARE_OUTPUT says; the command line counts for more."""
    assert isinstance(run("profile", "list", env={"DATAFLARE_OUTPUT": "json"}).json, list)
    shown = run("profile", "list", "-O", "table", env={"DATAFLARE_OUTPUT": "json"})
    assert shown.text.startswith("     PROFILE")
    failed = run("-P", "x", "profile", env={"DATAFLARE_OUTPUT": "json"})
    assert "error: Profile not found: x" in failed.stderr


def test_settings_reach_the_commands_they_are_for(data_dir):
    """Formats and limits are the defaults of produce and consume, and of nothing else."""
    run("produce", "t", "--create", stdin=b"12345\n")
    shown = run("consume", "t", "-B", "-d", env={"DATAFLARE_CONSUME_OUTPUT": "records"})
    refused = run("produce", "t", stdin=b"12345\n", env={"DATAFLARE_MAX_REQUEST_SIZE": "3"})
    allowed = run(
        *("produce", "t", "--max-request-size", "5"),
        stdin=b"12345\n",
        env={"DATAFLARE_MAX_REQUEST_SIZE": "3"},
    )

    assert ("12345", "t") == (shown.json["value"], shown.json["topic"])
    assert (1, 0) == (refused.code, allowed.code)
    assert "exceeded maximum request size (3 bytes)" in refused.stderr
    assert (
        "12345\n12345\n" == run("consume", "t", "-B", "-d", env={"DATAFLARE_OUTPUT": "json"}).text
    )
