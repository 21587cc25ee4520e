"""`dataflare smartmodule watch`: changes by other processes, as they happen."""

import json
from pathlib import Path

import pytest
import wat

from tests.harness import run, run_process, start_process


@pytest.fixture
def files(data_dir: Path, tmp_path: Path) -> Path:
    """A directory with modules as files; nothing is stored yet."""
    (tmp_path / "puppet.wasm").write_bytes(wat.puppet())
    (tmp_path / "map.wasm").write_bytes(wat.puppet(kind="map"))
    return tmp_path


@pytest.fixture
def stored(files: Path) -> Path:
    """The same, and `puppet` is stored."""
    run("smartmodule", "create", "puppet", "--wasm-file", files / "puppet.wasm")
    return files


def test_watch_tells_of_every_change(stored):
    """What is there, then created, replaced and deleted, as it happens, by other processes."""
    with start_process("smartmodule", "watch", "-O", "json") as watcher:
        assert watcher.stdout is not None

        def following() -> tuple[str, str, str]:
            assert watcher.stdout is not None
            row = json.loads(watcher.stdout.readline())
            assert row["at_ms"] >= row["smartmodule"]["created_ms"]
            return row["event"], row["smartmodule"]["name"], row["smartmodule"]["kind"]

        assert ("present", "puppet", "filter") == following()
        run_process("smartmodule", "create", "new", "--wasm-file", stored / "map.wasm")
        assert ("created", "new", "map") == following()
        run_process("smartmodule", "create", "puppet", "--wasm-file", stored / "map.wasm")
        assert ("replaced", "puppet", "map") == following()
        run_process("smartmodule", "delete", "new")
        assert ("deleted", "new", "map") == following()
        watcher.terminate()
        assert (b"", b"") == watcher.communicate(timeout=60)
    assert 143 == watcher.returncode


def test_watch_in_a_table(stored):
    """The event, then what a list shows, one below the other; --timeout ends it with 124."""
    (stored / "large.wasm").write_bytes(wat.with_metadata(wat.puppet(), {"summary": "x" * 20_000}))
    run("smartmodule", "create", "a-name-that-is-long", "--wasm-file", stored / "large.wasm")
    result = run("smartmodule", "watch", "--timeout", "50ms")
    listed = {line.split()[0]: line.split() for line in run("smartmodule", "list").lines[1:]}

    assert [["present", *listed["a-name-that-is-long"]], ["present", *listed["puppet"]]] == [
        line.split() for line in result.lines
    ]
    for word in ("filter", "20"):  # its kind, and the time it was created at
        assert 1 == len({line.index(f"  {word}") for line in result.lines})
    assert (124, "error: --timeout of 0.05 s has passed\n") == (result.code, result.stderr)


def test_watch_where_nothing_is_stored_yet(files, data_dir):
    """It makes the data directory, so that it can wait there."""
    with start_process("smartmodule", "watch", "-O", "json") as watcher:
        assert watcher.stdout is not None
        while not (data_dir / "bells" / "0").exists():
            assert watcher.poll() is None
        run_process("smartmodule", "create", "new", "--wasm-file", files / "map.wasm")
        # It may have looked for the first time only now.
        assert json.loads(watcher.stdout.readline())["event"] in ("created", "present")
