"""The one loop, which owns all mutable state. Start reading at pipeline.py."""
