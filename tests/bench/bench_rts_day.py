"""Where the time of a finished run went: federation against the federates' own computing.

    python tests/bench/bench_rts_day.py results/rts_day/<run-id>

Overhead = wall / max(busy of all federates / cores, critical path) - 1, where busy is what federates computed
by their own clocks and the critical path of a market interval is ISO + transmission + the slowest LDA.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from pathlib import Path

from runner.post.load import load


def main(run_dir: Path) -> None:
    """Print the table."""
    timing = load(run_dir, "timing")
    busy: dict[str, float] = defaultdict(float)
    by_interval: dict[int, dict[str, float]] = defaultdict(dict)
    rows = zip(timing["t_s"].to_pylist(), timing["id"].to_pylist(), timing["busy_s"].to_pylist(), strict=True)
    for t, federate, seconds in rows:
        busy[federate] += seconds
        lda = federate.split("_")[1] if "_" in federate else federate
        by_interval[t][lda] = by_interval[t].get(lda, 0.0) + seconds
    critical = sum(
        parts.get("iso", 0.0)
        + parts.get("transmission", 0.0)
        + max((s for lda, s in parts.items() if lda not in {"iso", "transmission"}), default=0.0)
        for parts in by_interval.values()
    )
    wall = json.loads((run_dir / "done.json").read_text())["wall_s"]["run"]
    cores = os.cpu_count() or 1
    bound = max(sum(busy.values()) / cores, critical)
    for federate, seconds in sorted(busy.items(), key=lambda item: -item[1]):
        print(f"{federate:32s} {seconds:8.1f} s busy")
    total = sum(busy.values())
    print(f"busy {total:.1f} s on {cores} cores, critical path {critical:.1f} s, wall {wall:.1f} s")
    print(f"overhead over max(busy / cores, critical path): {wall / bound - 1:.1%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
