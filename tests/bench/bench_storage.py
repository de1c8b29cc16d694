"""CPU time of valuing 800 batteries in one call: ``python -m tests.bench.bench_storage``.

Hourly through a day, and as before a five-minute interval: the first hour in twelve parts. Beside the sure
price path, which is one outcome per stretch, stands what is used: three outcomes.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from federates.core.arrays import FloatArray
from federates.der.storage_value import PRICE_SPREAD, StorageFleet, marginal_values
from tests.reference.storage_day import storage_fleet

BATTERIES = 800
REPEATS = 9
LENGTHS_H = {
    "24 x 1 h": np.ones(24),
    "12 x 5 min + 23 x 1 h": np.concatenate([np.full(12, 1 / 12), np.ones(23)]),
}


def fleet() -> StorageFleet:
    """Batteries of 2 to 6 hours, all different."""
    rng = np.random.default_rng(1)
    power = rng.uniform(5.0, 100.0, BATTERIES)
    return storage_fleet(rng, power, power * rng.uniform(2.0, 6.0, BATTERIES))


def valued_ms(batteries: StorageFleet, length_h: FloatArray, spread: float) -> float:
    """Median CPU time of a call. [ms]"""
    price = 40.0 + 15.0 * np.sin(np.arange(length_h.size) / 4.0)
    spent = []
    for _ in range(REPEATS):
        begin = time.process_time()
        marginal_values(batteries, price, length_h, float(price.mean()), spread=spread)
        spent.append(1e3 * (time.process_time() - begin))
    return statistics.median(spent)


if __name__ == "__main__":
    stores = fleet()
    for name, length_h in LENGTHS_H.items():
        sure, used = (valued_ms(stores, length_h, spread) for spread in (0.0, PRICE_SPREAD))
        print(f"{BATTERIES} batteries, {name:22} sure prices {sure:5.1f} ms, three outcomes {used:5.1f} ms")
