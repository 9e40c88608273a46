"""Who is identified: the compacted topic, the local copy of it, and the one thread that owns both."""
