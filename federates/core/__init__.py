"""The vocabulary that every part of the federation shares: no engine, no file, no process."""
