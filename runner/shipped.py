"""Where the studies, feeders and the schema that come with Tandem are."""

from __future__ import annotations

from pathlib import Path

SCHEMA_NAME = "study.schema.json"
OVERLAY_SCHEMA_NAME = "overlay.schema.json"


def shipped_configs() -> Path:
    """Folder of the shipped configuration: in an installed package beside this file, else in the checkout."""
    here = Path(__file__).resolve().parent
    installed = here / "shipped_configs"
    return installed if installed.is_dir() else here.parent / "configs"


def located_case(name: Path) -> Path:
    """Where a case file is: as named, else a shipped case, with or without its ending."""
    shipped = shipped_configs() / "cases" / f"{name.stem}.m"
    return (
        shipped
        if not name.exists() and name.name in {shipped.name, shipped.stem} and shipped.is_file()
        else name
    )


def shipped_studies() -> dict[str, Path]:
    """Shipped studies by name."""
    return {path.stem: path for path in sorted((shipped_configs() / "studies").glob("*.yaml"))}
