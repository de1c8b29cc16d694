"""Coordination models: who offers to whom, and who sets a DER's output."""
