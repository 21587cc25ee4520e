"""Files that are read whole and replaced whole."""

import os
from pathlib import Path
from threading import Thread

import pytest

from dataflare_cli.errors import ConfigError, NotFound, Unreachable
from dataflare_cli.text import files
from dataflare_cli.text.files import read_file, replace_file, tidy_path


def names_in(directory):
    # The home directory of the tests is there, too.
    return sorted({each.name for each in directory.iterdir()} - {"home"})


def test_a_file_has_a_limit(tmp_path):
    """A byte more is an error that has the name which the caller gave."""
    path = tmp_path / "f"
    path.write_bytes(b"12345")

    assert b"12345" == read_file(path, 5)
    with pytest.raises(ConfigError, match=r"^it: is larger than 4 bytes$"):
        read_file(path, 4, "it")
    with pytest.raises(NotFound, match="File not found: none"):
        read_file(tmp_path / "none", 4, "none")


def test_a_file_is_replaced_as_a_whole(tmp_path):
    """Who has it open reads on in the old one, and nothing is left beside the new one."""
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with path.open("rb") as before:
        replace_file(path, b"new")
        assert b"old" == before.read()

    assert b"new" == path.read_bytes()
    assert ["f"] == names_in(tmp_path)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_permissions_stay(mode, tmp_path):
    """Those of the file that is replaced, whatever the umask would leave of them."""
    path = tmp_path / "f"
    path.touch()
    path.chmod(mode)
    before = os.umask(0o077)
    try:
        replace_file(path, b"")
    finally:
        os.umask(before)

    assert mode == path.stat().st_mode & 0o7777


def test_a_new_file_has_the_permissions_of_any_other(tmp_path):
    """Those that the umask leaves, of 0666, unless it is private."""
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / "f", b"x")
        replace_file(tmp_path / "secret", b"x", is_private=True)
    finally:
        os.umask(before)

    assert 0o640 == (tmp_path / "f").stat().st_mode & 0o777
    assert 0o600 == (tmp_path / "secret").stat().st_mode & 0o777


def test_a_link_that_was_put_there_is_not_followed(tmp_path, monkeypatch):
    """Even by one who knew the name of the draft: what it leads to stays as it is."""
    victim, path = tmp_path / "victim", tmp_path / "f"
    victim.write_bytes(b"precious")
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: "known")
    link = tmp_path / ".dataflare.known.new"
    link.symlink_to(victim)
    with pytest.raises(Unreachable, match="File exists"):
        replace_file(path, b"new")

    assert b"precious" == victim.read_bytes()
    # It is another one's, which a failure here does not take away.
    assert [".dataflare.known.new", "victim"] == names_in(tmp_path)


def test_a_link_is_replaced(tmp_path):
    """Who wants it to stay resolves it first."""
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    replace_file(tmp_path / "link", b"new")

    assert b"old" == (tmp_path / "real").read_bytes()
    assert b"new" == (tmp_path / "link").read_bytes()


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    """Neither a draft nor a file that is half written; errors have the caller's name."""
    (tmp_path / "directory").mkdir()
    with pytest.raises(Unreachable, match=r"^it: Is a directory"):
        replace_file(tmp_path / "directory", b"", "it")
    with pytest.raises(Unreachable, match="No such file or directory"):
        replace_file(tmp_path / "none" / "f", b"")
    (tmp_path / "f").write_bytes(b"old")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        replace_file(tmp_path / "f", b"new")
    assert b"old" == (tmp_path / "f").read_bytes()
    assert ["directory", "f"] == names_in(tmp_path)


def test_many_may_replace_a_file_at_once(tmp_path):
    """Each has a draft of its own: one of them wins, with all of its bytes."""
    path = tmp_path / "f"
    texts = [bytes([65 + each]) * 100_000 for each in range(8)]
    threads = [Thread(target=replace_file, args=(path, each)) for each in texts]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert path.read_bytes() in texts
    assert ["f"] == names_in(tmp_path)


def test_a_tidy_path_leads_to_the_same_file(tmp_path):
    """`..` behind a link is not where the link stands; a link behind `..` stays one."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "f").write_bytes(b"right")
    (tmp_path / "f").write_bytes(b"wrong")
    (tmp_path / "link").symlink_to("a/b")
    (tmp_path / "a" / "name").symlink_to("f")
    root = tmp_path.resolve()

    assert root / "a" / "f" == tidy_path(tmp_path / "link" / ".." / "f")
    assert root / "a" / "name" == tidy_path(tmp_path / "link" / ".." / "name")
    assert root / "gone" == tidy_path(tmp_path / "none" / ".." / "gone")
    assert Path("a/f") == tidy_path(Path("./a/f"))
    assert tmp_path / "link" / "f" == tidy_path(tmp_path / "link" / "f")
