"""What the market's tables say of a clearing."""

from __future__ import annotations

import numpy as np
import pytest

from federates.cases.case import TransmissionCase
from federates.cases.rows import BranchRow, BusRow
from federates.core.tables import LINE_PRICE
from federates.iso.market import RealTimeInputs, RealTimeMarket
from federates.iso.records import MarketRecords
from federates.iso.store_plan import StorePlan
from federates.recording.memory import MemoryRecorder
from tests.unit.iso.market_cases import case_of, offer

RATING_MW = 60.0


def line(from_bus: int, to_bus: int) -> TransmissionCase:
    """A cheap unit at bus 1, a dear one and 150 MW of load at bus 2, one line written either way round."""
    return case_of(
        [BusRow(id="1", base_kv=138.0), BusRow(id="2", base_kv=138.0, load_mw=150.0)],
        [BranchRow(id="L", from_bus=from_bus, to_bus=to_bus, r_pu=0.01, x_pu=0.1, rating_mw=RATING_MW)],
        [offer("A", 0, 100.0, 50.0), offer("B", 1, 200.0, 80.0)],
    )


@pytest.mark.parametrize(("ends", "flow_mw"), [((0, 1), RATING_MW), ((1, 0), -RATING_MW)])
def test_a_mw_of_rating_is_worth_as_much_whichever_way_the_line_is_written(
    ends: tuple[int, int], flow_mw: float
) -> None:
    case, recorder = line(*ends), MemoryRecorder()
    market = RealTimeMarket(case, np.zeros(0, dtype=np.int64), 300)
    nothing = np.zeros(2)
    inputs = RealTimeInputs(
        load_mw=np.array([[0.0, 150.0]]),
        available_mw=np.array([[100.0, 200.0]]),
        inflow_mw=np.zeros((1, 2)),
        required_mw=np.zeros((1, 0)),
        must_take=np.zeros(2, dtype=np.bool_),
        previous_mw=np.array([60.0, 90.0]),
        committed=np.ones((1, 2), dtype=np.bool_),
        stores=StorePlan(
            energy_mwh=nothing, target_mwh=nothing, short_usd_per_mwh=nothing, spare_usd_per_mwh=nothing
        ),
        out=np.zeros(2, dtype=np.bool_),
    )
    cleared = market.clear(inputs, [], None)
    MarketRecords(recorder, case, ()).real_time(0, cleared, [], inputs, None)
    assert recorder.ids(LINE_PRICE) == ("L",)
    assert recorder.column(LINE_PRICE, "flow_mw") == pytest.approx([flow_mw])
    # a MW more through the line replaces what arrives of it: 80 (1 - 2 x 0.01 x 60 / 100) - 50
    assert recorder.column(LINE_PRICE, "shadow_price_usd_per_mwh") == pytest.approx([29.04])
