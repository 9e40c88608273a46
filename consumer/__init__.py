"""Forward Segment events from Kafka to CustomFit.ai, each user's identify before their tracks."""

__version__ = "0.1.0"
