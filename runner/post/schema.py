"""The page that describes the results: every table with units, written from the tables themselves."""

from __future__ import annotations

from federates.core.tables import TABLES, Table
from runner.post.compare.comparison import COMPARED
from runner.post.metrics.catalog import FAMILIES
from runner.post.summary import FIGURES, LDA_FIGURES

INTRODUCTION = """\
# Results

Runs land in `results/<study>/<run-id>/`; a run-id is the begin of the run in UTC and the first digits of the
study's hash. This page is written from the program's own tables: `python -m runner.post.schema`.

## A run's folder

| path | what | when |
|---|---|---|
| `study.yaml` | the resolved study: run it again and the table hashes are equal | at the start |
| `run.json` | versions, hashes of settings and inputs, seeds, multiplicity, machine, command | at the start |
| `forward.npz`, `commitment.csv` | commitment and first price forecast, alike for all models | at the start |
| `status.json` | how the run stands; replaced as it goes on | while it runs |
| `tables/<table>/<federate>.<span>.<part>.parquet` | the tables below | while it runs |
| `logs/<host>.log`, `errors/<host>.json` | logs of the processes, and what ended one | while it runs |
| `state/<span>/<federate>.npz` | state from which the next federation starts | at the end of a span |
| `done.json` | hash of every table, duration by phase | last; without it the run does not count |
| `report.html` | every figure on one page that opens from its file | after the end; anew: `tandem report` |

A part is complete from the moment it can be seen: it is written under a hidden name, synchronised to disk
and renamed. So a run can be read while it goes on and after it was killed. A span is the part of the study
that one federation covers, such as a market day; the parts of a span that is over may be merged into
`all.<span>.00000.parquet`.

`results/.forward/<plan hash>.zip` keeps the forward plan of each scenario for the next run of it, under any
coordination model; `scenario` in `run.json` has the plan's hash and says whether it was reused. A plan that
cannot be read is made anew; `tandem run --fresh-plan` does so in any case, and the folder may be deleted.

## Reading

Every row has `t_s`, the study time in seconds at which that begins which the row is about, and `id`. Second 0
is `study_start` in the files' metadata and `clock.start` in `run.json`, in local standard time. Numbers are
float64; unit and meaning of each column stand in the files' field metadata.

```python
import pyarrow.dataset as ds
bus = ds.dataset("results/STUDY/RUN/tables/bus").to_table()

import pandas as pd
bus = pd.read_parquet("results/STUDY/RUN/tables/bus")
bus["t"] = pd.Timestamp("2020-07-15") + pd.to_timedelta(bus["t_s"], unit="s")

import polars as pl
bus = pl.read_parquet("results/STUDY/RUN/tables/bus/*.parquet")

import duckdb
bus = duckdb.sql("from 'results/STUDY/RUN/tables/bus/*.parquet'")
```

Signs: interface demand positive = import into the LDA; generation positive = injection; storage positive =
discharge; reactive power follows active power. An LDA's `multiplicity` (in `run.json`) counts at the
interface only; a table says of each power whether it is included.

## Hashes

`done.json` holds a SHA-256 of each table, but for those marked *clock*, whose values are times of the
machine. It is taken over the rows sorted by time and id, whatever the division into files: two runs with
equal hashes have equal rows, bit for bit. `runner.post.hashes.verify` computes them again from the files.
"""


COMPARISONS = """\
## Comparisons

`tandem compare` writes to `results/<study>/compare/<id>/`: `compare.html`, one page that opens from its
file; `compare.md`; `compare.csv` and `compare.json`, every metric of every run and its difference from
the reference, M4 where it is among them, else the first; `verdicts.json`, each statement with its
figure, its threshold and whether the runs support it. Only finished runs with one `scenario_hash` are
compared. A run that breaks feeder limits or leaves load unserved has a cost and no place. A metric
without a value has a reason.
"""


def tables_markdown() -> str:
    """The page on results, in Markdown."""
    tables = sorted(TABLES.values(), key=lambda table: table.name)
    return "\n".join([INTRODUCTION, _figures(), _metrics(), "## Tables\n", *map(_section, tables)])


def _metrics() -> str:
    lines = [COMPARISONS]
    for title, metrics in (
        ("Of a run beside the reference", COMPARED),
        *((family.title, family.metrics) for family in FAMILIES),
    ):
        lines += [f"{title}:", "", "| metric | tables | meaning |", "|---|---|---|"]
        for metric in metrics:
            tables = ", ".join(f"`{name}`" for name in metric.needs) or "-"
            lines.append(f"| `{metric.key}` | {tables} | {metric.meaning} |")
        lines.append("")
    return "\n".join(lines)


def _figures() -> str:
    groups = (("", FIGURES), ("Of each LDA", LDA_FIGURES))
    lines = [
        "## Key figures",
        "",
        "`runner.post.summary` takes them from the tables; a figure whose table was not recorded is absent.",
    ]
    for heading, figures in groups:
        lines += ["", *([f"{heading}:", ""] if heading else [])]
        lines += ["| figure | table | meaning |", "|---|---|---|"]
        lines += [f"| `{f.key}` | `{f.table}` | {f.meaning} |" for f in figures]
    return "\n".join([*lines, ""])


def _section(table: Table) -> str:
    clock = " (clock)" if table.wall_clock else ""
    lines = [
        f"### `{table.name}`{clock}",
        "",
        f"{table.meaning[0].upper()}{table.meaning[1:]}. `id`: {table.id_is}.",
        "",
        "| column | unit | meaning |",
        "|---|---|---|",
        *(f"| `{c.name}` | {c.unit} | {c.meaning} |" for c in table.columns),
    ]
    if table.text is not None:
        lines.append(f"| `{table.text}` | text | {table.text_is} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    from pathlib import Path

    Path("results/README.md").write_text(tables_markdown(), encoding="utf-8")
