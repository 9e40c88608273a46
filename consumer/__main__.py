"""`python -m consumer`: the same as the command `customfit-consumer`."""

from consumer.cli import main

main()
