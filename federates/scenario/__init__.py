"""What a study describes, as arrays: the bulk system, the LDAs, their series and forecasts."""
