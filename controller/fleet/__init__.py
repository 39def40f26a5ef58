"""What is known of the fleet, as values: a node's facts, how a message changes them, and the one word for a node.

Nothing here does I/O or looks at a clock. The words are defined in `docs/fleet-states.md`.
"""
