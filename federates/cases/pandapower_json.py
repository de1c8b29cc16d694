"""pandapower networks saved as JSON, as transmission cases.

pandapower itself converts lines, transformers and costs into MATPOWER's layout (its optimal power flow
model: ``poly_cost`` and ``pwl_cost`` count, a unit without cost is free). Iron losses of transformers are
left out there. Loads and static generators that are not controllable become fixed demand.

pandapower imports the classes that such a file names: read files from sources you trust.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from federates.cases.case import TransmissionCase
from federates.cases.ppc import BLOCKS, Matrices, case_of
from federates.core.errors import ConfigError, MissingInputError

UNLIMITED_MW = 1e6
"""Ratings and capacities from here on mean that there is none."""
_HEAD_CHARACTERS = 200
_LIMIT_DECIMALS = 6  # pandapower widens the limits of units by 1e-10 MW


def read_pandapower(path: Path, *, blocks: int = BLOCKS) -> TransmissionCase:
    """Network saved by ``pandapower.to_json`` as a transmission case.

    Buses bear their names where these are unique, else their index; units ``<bus>_G1`` ... and branches
    ``<from>-<to>`` follow. Buses joined by a closed switch are one bus, named after the first. How rows
    become units and branches: :mod:`federates.cases.ppc`.

    Parameters
    ----------
    path : Path
        The ``.json`` file.
    blocks : int
        Blocks into which a polynomial cost above degree one is cut.

    Raises
    ------
    MissingInputError
        If there is no such file.
    ConfigError
        If the file is not a pandapower network, or has no costs, direct-current lines, a unit without
        capacity, or something that a market cannot use.
    """
    if not path.is_file():
        raise MissingInputError(f"no pandapower network {path}")
    text = path.read_text(encoding="utf-8")
    if '"pandapowerNet"' not in text[:_HEAD_CHARACTERS]:
        raise ConfigError(f"{path}: not a pandapower network; save it with pandapower.to_json")
    import pandapower
    from pandapower.converter.pypower.to_ppc import to_ppc

    net = pandapower.from_json_string(text)
    _check_tables(path, net)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of tables written by older pandapower
            ppc = to_ppc(net, init="flat", mode="opf", trafo_model="pi")
    except (KeyError, UserWarning, ValueError, NotImplementedError) as error:
        raise ConfigError(f"{path}: pandapower cannot convert the network: {error}") from error
    bus, branch = ppc["bus"].real.copy(), ppc["branch"].real[:, :11].copy()
    branch[branch[:, 5] >= UNLIMITED_MW, 5] = 0.0
    gen = ppc["gen"].real.copy()
    gen[:, 8:10] = gen[:, 8:10].round(_LIMIT_DECIMALS)
    if (gen[:, 8] >= UNLIMITED_MW).any():
        raise ConfigError(f"{path}: a unit in service has no max_p_mw; give every ext_grid, gen and sgen one")
    return case_of(
        Matrices(
            name=path.stem,
            source=f"pandapower network {path.name}",
            base_mva=float(ppc["baseMVA"]),
            bus=bus,
            gen=gen,
            branch=branch,
            gencost=ppc["gencost"].real,
            bus_names=_bus_names(net, len(bus)),
            where=lambda matrix, row: f"{path}: {matrix} row {row} of pandapower's converted network",
        ),
        blocks=blocks,
    )


def _check_tables(path: Path, net: object) -> None:
    tables = {name: getattr(net, name) for name in ("poly_cost", "pwl_cost", "dcline")}
    if tables["poly_cost"].empty and tables["pwl_cost"].empty:
        raise ConfigError(f"{path}: no poly_cost and no pwl_cost; the market needs costs")
    if not tables["dcline"].empty and tables["dcline"]["in_service"].any():
        raise ConfigError(f"{path}: direct-current lines cannot be read; set them out of service")


def _bus_names(net: object, buses: int) -> tuple[str, ...]:
    """Name of each converted bus: that of its first network bus, where these names are usable."""
    table = net.bus  # type: ignore[attr-defined]
    place = net._pd2ppc_lookups["bus"]  # type: ignore[attr-defined]  # noqa: SLF001
    names = [f"aux {row}" for row in range(buses)]
    indices = [""] * buses
    for index in reversed(table.index[table["in_service"]].tolist()):
        row = int(place[index])
        if 0 <= row < buses:
            indices[row] = str(index)
            names[row] = str(table.at[index, "name"] or "").strip()
    proper = all(names) and len(set(names)) == buses and "None" not in names and "nan" not in names
    return tuple(names) if proper else tuple(i or names[k] for k, i in enumerate(indices))
