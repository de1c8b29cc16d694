"""Studies: read, put together, validated and hashed, before anything starts."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml
from pydantic import ValidationError

from federates.core.settings import Study
from runner.faults import Fault, KeyPath, Place, StudyError, did_you_mean, dotted, fault_at
from runner.fields import path_keys
from runner.overlay import read_tree, with_sets
from runner.shipped import shipped_configs
from runner.wording import faults_of
from runner.yaml_source import Node, Plain, Yaml12Dumper

VERSION = 1
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file, or a folder of files, that a study names."""

    key: str
    """Key that names it, dotted."""
    path: Path
    """Where it is, absolute."""
    sha256: str
    """Hash of its content; of a folder: of its files' names and contents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedStudy:
    """A valid study and where it came from."""

    study: Study
    """The settings; every path in them is absolute."""
    file: Path
    """The study's file, as the user named it."""
    files: tuple[str, ...]
    """Every YAML file that was read."""
    resolved: dict[str, Plain]
    """The study as one mapping: includes merged, defaults filled in, quantities in canonical units."""
    config_hash: str
    """SHA-256 of ``resolved`` as canonical JSON, each named file by its content."""
    inputs: tuple[InputFile, ...]
    """Files that the study names."""
    tree: Node
    """The study with the places of its keys."""

    def fault(self, path: KeyPath, what: str, remedy: str = "") -> Fault:
        """Fault at a key, or at the nearest key above it that is written."""
        node = self.tree.nearest(path)
        place = node.place if isinstance(node.value, str | int | float) else node.key_place
        return fault_at(place, path, what, remedy)

    def digest(self, settings: Plain) -> str:
        """SHA-256 of settings as canonical JSON, each file that the study names by its content."""
        return _digest(settings, self.inputs)

    def as_yaml(self) -> str:
        """The resolved study as a study file."""
        return yaml.dump(self.resolved, Dumper=Yaml12Dumper, sort_keys=False, allow_unicode=True, width=100)


def load_study(path: Path, sets: Sequence[str] = ()) -> LoadedStudy:
    """The study of a file with its includes and ``--set`` options.

    Raises
    ------
    StudyError
        With every fault that can be seen without an engine.
    """
    read = read_tree(path)
    tree, misset = with_sets(read.root, sets)
    _refuse_newer(tree)
    study = _validated(tree.plain(), tree, (*read.faults, *misset))
    plain = cast("dict[str, Plain]", tree.plain())
    inputs = tuple(_inputs(tree, plain))
    if inputs:
        study = _validated(plain, tree)
    resolved = cast("dict[str, Plain]", study.model_dump(mode="json"))
    return LoadedStudy(
        study=study,
        file=path,
        files=read.files,
        resolved=resolved,
        config_hash=_digest(resolved, inputs),
        inputs=inputs,
        tree=tree,
    )


def _refuse_newer(tree: Node) -> None:
    version = tree.child("schema_version")
    if version is not None and isinstance(version.value, int) and version.value > VERSION:
        what = f"this study is made for a newer version of Tandem (form {version.value}, here {VERSION})"
        raise StudyError([fault_at(version.place, ("schema_version",), what, "update Tandem")])


def _validated(plain: Plain, tree: Node, known: Sequence[Fault] = ()) -> Study:
    try:
        study = Study.model_validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        places = {(fault.file, fault.line, fault.column) for fault in known}
        found = [f for f in faults_of(error, Study, tree) if (f.file, f.line, f.column) not in places]
        raise StudyError((*known, *found)) from None
    if known:
        raise StudyError(known)
    return study


def _inputs(tree: Node, plain: dict[str, Plain]) -> Iterator[InputFile]:
    """Named files; their absolute paths are put into ``plain``."""
    faults: list[Fault] = []
    for at in path_keys(Study, tree):
        node = tree.nearest(at)
        if node.value is None:  # a path that may be left out, as a run writes down its study
            continue
        found = _located(str(node.value), node.place)
        if found is None:
            shown = os.path.normpath(_folder(node.place) / str(node.value))
            what = f"{str(node.value)!r} does not exist (looked for {shown})"
            faults.append(fault_at(node.place, at, what, _near(Path(shown), node.place)))
            continue
        holder: Plain = plain
        for part in at[:-1]:
            holder = cast("dict[str | int, Plain]", holder)[part]
        cast("dict[str | int, Plain]", holder)[at[-1]] = str(found)
        yield InputFile(key=dotted(at), path=found, sha256=content_hash(found))
    if faults:
        raise StudyError(faults)


def _folder(place: Place) -> Path:
    """Folder that a path is relative to: of the file that names it; for an option, the working folder."""
    return Path(place.file).parent if place.line else Path()


def _located(name: str, place: Place) -> Path | None:
    candidates = [_folder(place) / name]
    if Path(name).name == name:
        candidates.append(shipped_configs() / "feeders" / name)
    return next((c.resolve() for c in candidates if c.exists()), None)


def _near(missing: Path, place: Place) -> str:
    names = [p.name for p in missing.parent.iterdir()] if missing.parent.is_dir() else []
    hint = did_you_mean(missing.name, names)
    if hint.startswith("did you"):
        return hint
    return f"paths are relative to {f'the folder of {place.file}' if place.line else 'the working folder'}"


def content_hash(path: Path) -> str:
    """SHA-256 of a file; of a folder: over the sorted names and hashes of its files."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(f"{file.relative_to(path).as_posix()}\0{content_hash(file)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _digest(settings: Plain, inputs: tuple[InputFile, ...]) -> str:
    by_path = {str(item.path): f"sha256:{item.sha256}" for item in inputs}
    text = json.dumps(_by_content(settings, by_path), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _by_content(value: Plain, by_path: dict[str, str]) -> Plain:
    if isinstance(value, dict):
        return {key: _by_content(item, by_path) for key, item in value.items()}
    if isinstance(value, list):
        return [_by_content(item, by_path) for item in value]
    return by_path.get(value, value) if isinstance(value, str) else value
