"""`python -m tests.simulation`: one made-up world, or many."""

import sys

from tests.simulation.simulation import main

sys.exit(main(sys.argv[1:]))
