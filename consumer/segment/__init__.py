"""One Segment event: from the JSON text of a record to an `Event`, or the reason why it is none. Pure."""
