"""What stands in the way of a release."""


class Problem(Exception):
    """The release must not be made; the message says what is to be put right."""
