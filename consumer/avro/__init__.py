"""Which format a value is in, and Avro in all three framings → the JSON text of an event."""
