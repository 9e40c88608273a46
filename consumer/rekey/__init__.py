"""`rekey`: copies a topic whose records are not keyed by user to one where they are, each record exactly once."""
