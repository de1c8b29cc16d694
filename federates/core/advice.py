"""What is advised in a day-ahead market of several rounds, as its receivers read it."""

from __future__ import annotations

from federates.core.arrays import FloatArray
from federates.core.errors import MissingInputError
from federates.core.messages import PriceAdvice
from federates.core.protocol import Grant, In
from federates.core.time import SimTime


def advised_usd_per_mwh(grant: Grant, port: In[PriceAdvice], midnight: SimTime, name: str) -> FloatArray:
    """Prices to expect on the day that begins at ``midnight``, shape (24,). [$/MWh]

    Raises
    ------
    MissingInputError
        If the round before has advised ``name`` nothing for that day.
    """
    got = grant.inbox.only(port)
    if got is None or got.message.interval_s != midnight:
        raise MissingInputError(f"{name} at {grant.now} s: no advice of the day-ahead round before has come")
    return got.message.price_usd_per_mwh
