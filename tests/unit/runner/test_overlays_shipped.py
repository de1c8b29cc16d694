"""Every shipped overlay lies over every shipped study."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.check import planned
from runner.shipped import shipped_configs, shipped_studies
from runner.study import load_study

OVERLAYS = sorted((shipped_configs() / "overlays").glob("*.yaml"))


@pytest.mark.parametrize("study", sorted(shipped_studies()))
@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_an_overlay_changes_a_study_that_stays_valid(overlay: Path, study: str, tmp_path: Path) -> None:
    ground = shipped_studies()[study]
    top = tmp_path / "top.yaml"
    top.write_text(f"include: ['{ground}', '{overlay}']\n")
    loaded = load_study(top)
    assert loaded.config_hash != load_study(ground).config_hash
    assert planned(loaded, "loopback").spans
