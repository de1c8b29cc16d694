"""One-shot tools that need engines: each takes arguments as JSON and gives a finding as JSON."""
