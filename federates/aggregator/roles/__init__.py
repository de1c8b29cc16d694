"""What an aggregator does under a coordination model: one role per file, chosen by key."""
