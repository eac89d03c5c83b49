"""What an exchange says: its usage in numbers, and its conversation as text. Pure, and never raises.

Read `documents` first (a reply's body as JSON documents), then `usage` and its tables. `transcript` puts
a stream's pieces together (`assemble*`), reads requests and replies as turns (`turns*`, `blocks`), and
writes these down (`render`).
"""
