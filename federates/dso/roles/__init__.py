"""What a DSO does under a coordination model: one role per file, chosen by key."""
