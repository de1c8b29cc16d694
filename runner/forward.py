"""The forward plan of a run: taken from an earlier run of the same scenario, or made.

Plans are kept below the folder of results in ``.forward/<plan hash>.zip``: the hash itself and the two files
that a run has, ``forward.npz`` and ``commitment.csv``. A file is there whole or not at all, two runs at once
leave the same one, and whoever doubts it deletes the folder.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from federates.core.errors import MissingInputError
from federates.core.forward import FILE, ForwardPlan
from federates.core.run_folder import write_whole
from runner.scenario import plan_hash
from runner.study import LoadedStudy
from runner.tool import call_tool

FOLDER = ".forward"
COMMITMENT = "commitment.csv"
KEY = "plan_hash"
_FILES = (FILE, COMMITMENT)
DAY_BESIDES_S = 1_200.0
"""How long a day's plan may take besides its search for a commitment, on a machine with much to do. [s]"""
_LONGEST_BYTES = 1 << 30
"""Greatest length of a kept file: more than a plan of a year takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A plan in the folder of plans, or why there is none."""

    plan_hash: str
    """What the plan is of."""
    path: Path
    """Where it is kept."""
    files: Mapping[str, bytes] | None
    """What a run gets of it; None: it has to be made."""
    remark: str = ""
    """What is wrong with a file that is there and cannot be used."""


def kept_plan(loaded: LoadedStudy, results: Path, *, fresh: bool = False) -> Kept:
    """The plan that is kept for a study; ``fresh``: none, whatever is there."""
    digest = plan_hash(loaded)
    path = results / FOLDER / f"{digest}.zip"
    if fresh or not path.exists():
        return Kept(plan_hash=digest, path=path, files=None)
    try:
        return Kept(plan_hash=digest, path=path, files=_read(path, digest))
    except (OSError, ValueError, KeyError, MissingInputError, zipfile.BadZipFile, zlib.error) as error:
        remark = f"the kept forward plan {path} cannot be used ({error}); it was made anew"
        return Kept(plan_hash=digest, path=path, files=None, remark=remark)


def provide_plan(loaded: LoadedStudy, run_dir: Path, kept: Kept) -> str:
    """Give a run its plan: what is kept, or one made now and kept; returns a remark on what went wrong.

    Raises
    ------
    TandemError
        If no plan can be made.
    """
    if kept.files is not None:
        for name, content in kept.files.items():
            write_whole(run_dir / name, content)
        return ""
    arguments = {"study": loaded.resolved, "run_dir": str(run_dir.resolve())}
    limit_s = len(loaded.study.clock.days) * (loaded.study.federation.solver_limit_s + DAY_BESIDES_S)
    call_tool("forward", arguments, limit_s)
    try:
        _keep(run_dir, kept)
    except OSError as error:
        return f"the forward plan could not be kept for the next run: {error}"
    return kept.remark


def _read(path: Path, digest: str) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        if any(item.file_size > _LONGEST_BYTES for item in archive.infolist()):
            raise ValueError("it is too long")
        if archive.read(KEY) != digest.encode():
            raise ValueError("it is of another scenario")
        files = {name: archive.read(name) for name in _FILES}
    ForwardPlan.read(io.BytesIO(files[FILE]))
    return files


def _keep(run_dir: Path, kept: Kept) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(KEY, kept.plan_hash)
        for name in _FILES:
            archive.writestr(name, (run_dir / name).read_bytes())
    write_whole(kept.path, buffer.getvalue())
