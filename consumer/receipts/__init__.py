"""Receipts: what the destination has accepted, written down in a topic, so that an audit can prove it."""
