"""Runs that several files look at, each of them run once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.build import TINY
from tests.federation.study_runs import NOON_OF_SUN, Runs, run


@pytest.fixture(scope="session")
def stressed(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Run folder of the stressed study on loopback under a coordination model; look, but change nothing."""
    done: dict[str, Path] = {}

    def of(model: str) -> Path:
        if model not in done:
            out = tmp_path_factory.mktemp(model)
            done[model] = run(TINY, out, *NOON_OF_SUN, f"coordination={model}").run_dir
        return done[model]

    return of
