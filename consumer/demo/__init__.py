"""The whole program on one machine, with sample events and a proof of the promise."""
