"""Violations of feeders' limits in the plant, each with its cause."""
