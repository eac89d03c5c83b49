"""Hears a stream without changing a byte of it."""


class Budget:
    """Bytes that all taps and the queue behind them may hold together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self, amount: int) -> bool:
        if self.used + amount > self.limit:
            return False
        self.used += amount
        return True

    def give(self, amount: int) -> None:
        self.used -= amount


class Tap:
    """mitmproxy's `flow.response.stream`: gets each chunk, still content-encoded, and b"" at the end.

    Always returns what it was given and never raises. Keeps at most `limit` bytes, and none once that or
    the shared budget is passed: `lost` says so.
    """

    def __init__(self, limit: int, budget: Budget) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self._limit = limit
        self._budget = budget
        self._deaf = False
        self.lost = False
        self.too_large = False

    def __call__(self, data: bytes) -> bytes | list[bytes]:
        if not data:
            # to mitmproxy an empty chunk ends a chunked body: at the end that would be one end too many
            return []
        if not self._deaf:
            self._keep(data)
        return data

    def take(self) -> bytes:
        """All that was heard. The caller now owes the budget `len` of it; the tap keeps nothing more."""
        self._deaf = True
        body = b"".join(self._chunks)
        self._chunks, self._size = [], 0
        return body

    def _keep(self, data: bytes) -> None:
        self.too_large = self._size + len(data) > self._limit
        if self.too_large or not self._budget.take(len(data)):
            self.lost = self._deaf = True
            self._budget.give(self._size)
            self._chunks, self._size = [], 0
            return
        self._chunks.append(data)
        self._size += len(data)
