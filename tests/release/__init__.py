"""Whether what is committed may be released."""
