"""What a run cost, broke, paid and communicated: named metrics with unit, definition and source."""
