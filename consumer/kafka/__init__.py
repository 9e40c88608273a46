"""Kafka's side: the group's member, its client, topics and rights; the schema registry. No decisions about events."""
