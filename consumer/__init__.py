"""customfit-consumer: Segment events from Kafka to CustomFit.ai, each user's identify before their tracks.

Where to start reading: pipeline.py (the one loop), then lanes.py (the rule), then sequencer.py. ARCHITECTURE.md has the
map.
"""

__version__ = "0.1.0"
