"""A checkpoint holds exactly what was put into it, and is refused anywhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federates.core.errors import MissingInputError
from federates.transport.checkpoint import Checkpoint


def checkpoint(acted_s: int | None = 86_345) -> Checkpoint:
    return Checkpoint(
        state={"schema": np.array([3.0]), "soc_mwh": np.array([0.1, 0.2, 1e-300])},
        messages={"iso.awards>dso_a.awards": b"\x00\x01TDM1\x00", "x.y>z.w": b""},
        acted_s=acted_s,
        boundary_s=86_400,
    )


@pytest.mark.parametrize("acted_s", [None, 0, -1, 86_345])
def test_what_is_read_is_what_was_written(tmp_path: Path, acted_s: int | None) -> None:
    written = checkpoint(acted_s)
    written.write(tmp_path / "state/a.npz")
    read = Checkpoint.read(tmp_path / "state/a.npz", 86_400)
    assert read.messages == written.messages
    assert read.acted_s == acted_s
    assert {n: v.tobytes() for n, v in read.state.items()} == {
        n: v.tobytes() for n, v in written.state.items()
    }


def test_the_same_state_gives_the_same_bytes_and_leaves_no_other_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        checkpoint().write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_another_boundary_is_refused(tmp_path: Path) -> None:
    checkpoint().write(tmp_path / "a.npz")
    with pytest.raises(MissingInputError, match="at 86400 s, wanted is form 1 at 172800 s"):
        Checkpoint.read(tmp_path / "a.npz", 172_800)


def test_a_missing_state_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"nowhere\.npz is missing"):
        Checkpoint.read(tmp_path / "nowhere.npz", 0)
