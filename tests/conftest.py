"""What needs a run of the whole default study, or the extra ``reference``, is asked for by ``-m``."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # a law holds or not, however slow the machine is
settings.load_profile("unhurried")

ASKED_FOR = {
    "day": "the whole default study; left out unless asked for by -m",
    "duck": "falsifiers of `duck_day`, some ten minutes; left out unless asked for by -m",
    "reference": "against other programs (extra `reference`, .ci/reference); left out unless asked for by -m",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--run-dir",
        type=Path,
        metavar="RUN_DIR",
        help="look at this run of the default study (`-m day`), or at the runs of `duck_day` in this folder "
        "(`-m duck`), instead of running anew",
    )


def pytest_configure(config: pytest.Config) -> None:
    for marker, meaning in ASKED_FOR.items():
        config.addinivalue_line("markers", f"{marker}: {meaning}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    silent = [marker for marker in ASKED_FOR if marker not in config.option.markexpr]
    left_out = [item for item in items if any(item.get_closest_marker(marker) for marker in silent)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
