"""What operators see: one snapshot a turn of the loop, and metrics, health, status and log lines made from it."""
