"""The whole day of the default study is looked at only when it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--run-dir",
        type=Path,
        metavar="RUN_DIR",
        help="look at this run of the default study with `-m day`, instead of running it anew",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "day: the whole default study; left out unless asked for by -m")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("day")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
