"""customfit-consumer: Segment events from Kafka to CustomFit.ai, each user's identify before their tracks.

Where to start reading: loop/pipeline.py (the one loop), then sequencing/rule.py (the rule). ARCHITECTURE.md has the
map.
"""

__version__ = "0.1.0"
