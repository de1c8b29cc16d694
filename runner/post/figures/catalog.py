"""THE list of a report's figures, by section."""

from runner.post.figures import areas, bulk, federation, feeders, prices, reserves, settlement
from runner.post.figures.drawing import Figure, Section

SECTIONS: tuple[Section, ...] = (
    prices.SECTION,
    reserves.SECTION,
    settlement.SECTION,
    areas.SECTION,
    feeders.SECTION,
    bulk.SECTION,
    federation.SECTION,
)
"""Sections in the order of the page."""
FIGURES: tuple[Figure, ...] = tuple(figure for section in SECTIONS for figure in section.figures)
"""Every figure."""
