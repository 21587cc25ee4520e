"""The pytest option --soak: only with it tests marked `soak` are run, and get an hour each.

A plugin rather than a hook in conftest.py, so that the option exists whatever
directory or file pytest is called with (pyproject.toml loads it by `-p`).
"""

import pytest

SOAK_S_MAX = 3600


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the tests that take minutes, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    soaking = [item for item in items if item.get_closest_marker("soak") is not None]
    if config.getoption("--soak"):
        for item in soaking:
            item.add_marker(pytest.mark.timeout(SOAK_S_MAX))
    elif soaking:
        config.hook.pytest_deselected(items=soaking)
        items[:] = [item for item in items if item not in soaking]
