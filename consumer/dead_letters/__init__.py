"""Events that could not be delivered: written, listed, shown, replayed."""
