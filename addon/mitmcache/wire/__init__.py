"""The forms a streamed reply comes in, and the codings round it: bytes in, events out.

Nothing in here reads, writes, waits or looks at a clock. Read `events` first, then `forms`.
"""
