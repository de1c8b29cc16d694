"""Transmission cases and their series, whatever file or package they come from."""
