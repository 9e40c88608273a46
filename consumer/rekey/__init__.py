"""`rekey`: a topic whose records have no key of their user, written anew under that key, each exactly once."""
