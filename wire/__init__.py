"""What every party agrees on: topics, messages, their encoding and their signature.

Nothing here does I/O, and nothing here needs more than msgspec and the standard library, so that a subscriber, a
historian or a test can be written from this package alone. `docs/wire.md` is the same contract in prose.
"""
