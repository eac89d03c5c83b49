"""Answers too large for the proxy's memory: spooled to disk as they pass, judged and packed by a process of
their own, and read back piece by piece."""
