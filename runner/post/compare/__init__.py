"""Runs of one scenario under several coordination models, side by side."""
