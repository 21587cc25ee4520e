"""What every test gets: a home of its own, and no setting from outside."""

import os
from pathlib import Path

import pytest

AMBIENT = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "PYTHONWARNINGS", "PAGER")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away what could change results; HOME, and with it every default, is temporary."""
    for name in list(os.environ):
        if name.startswith(("DATAFLARE_", "XDG_")) or name in AMBIENT:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The test's home directory."""
    return tmp_path / "home"


@pytest.fixture
def data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A data directory that commands of this test use by default; it does not exist yet."""
    path = tmp_path / "data"
    monkeypatch.setenv("DATAFLARE_DATA_DIR", str(path))
    return path
