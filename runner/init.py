"""A folder of one's own to begin with: a shipped study, what it names, and the schema for the editor."""

from __future__ import annotations

import shutil
from pathlib import Path

from federates.core.errors import ConfigError
from runner.faults import did_you_mean
from runner.schema import schema_text
from runner.shipped import OVERLAY_SCHEMA_NAME, SCHEMA_NAME, shipped_configs, shipped_studies
from runner.study import LoadedStudy, load_study

README = """# A Tandem study

`studies/{name}.yaml` is the study; edit it, then:

    tandem check studies/{name}.yaml     # everything that is wrong, with its line
    tandem run studies/{name}.yaml       # results land in results/{name}/

One value can be changed for one run: `tandem run studies/{name}.yaml --set horizon.duration='2 h'`.
A study can stand on another: `include: {name}.yaml` takes all of it, and what follows replaces parts.

Editors that speak YAML Language Server check the file while you type: its first line names
`schema/{schema}`. Every key is explained there.
"""


def start_folder(folder: Path, template: str) -> tuple[Path, ...]:
    """Write a shipped study and all that it names into ``folder``; paths written, the study's first.

    Raises
    ------
    ConfigError
        If there is no such template, or a file to be written exists already: nothing is written then.
    """
    studies = shipped_studies()
    if template not in studies:
        raise ConfigError(f"no template {template!r}; {did_you_mean(template, studies)}")
    loaded = load_study(studies[template])
    wanted = _wanted(loaded, folder)
    texts = {
        folder / "schema" / SCHEMA_NAME: schema_text(),
        folder / "schema" / OVERLAY_SCHEMA_NAME: schema_text(overlay=True),
        folder / "README.md": README.format(name=template, schema=SCHEMA_NAME),
    }
    taken = [path for path in (*wanted, *texts) if path.exists()]
    if taken:
        raise ConfigError(f"{taken[0]} exists already; choose another folder")
    for target, source in wanted.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
    for target, text in texts.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return (*wanted, *texts)


def _wanted(loaded: LoadedStudy, folder: Path) -> dict[Path, Path]:
    """Source by target: the study's files and what they name, laid out as they are shipped."""
    root = shipped_configs().resolve()
    sources = [Path(name).resolve() for name in loaded.files]
    sources += [item.path for item in loaded.inputs]
    return {folder / source.relative_to(root): source for source in sources}
