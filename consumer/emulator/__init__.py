"""A stand-in for CustomFit's API. It judges the consumer, so it imports nothing of it."""
