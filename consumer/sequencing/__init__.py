"""What may be sent next, how each record ends, and which offset may be committed. Pure.

No socket, clock, thread or randomness: inputs are events, outcomes and `now`; outputs are requests and actions.
Start with rule.py (the rule), then sequencer.py.
"""
