"""What one run of the proxy has stored, so that it can be told from what earlier ones have."""

from collections import OrderedDict

MOST = 16384


class Run:
    """Remembers the last MOST answers exactly, by key and time of creation: what others store meanwhile, in
    the same folder or bucket, is not ours. Of what came before, every answer of that time counts as ours."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._own: OrderedDict[str, float] = OrderedDict()
        self._began = 0.0
        self._forgotten = 0.0

    def add(self, key: str, created: float) -> None:
        self._began = self._began or created
        self._own[key] = created
        self._own.move_to_end(key)
        if len(self._own) > self._most:
            self._forgotten = max(self._forgotten, self._own.popitem(last=False)[1])

    def has(self, key: str, created: float) -> bool:
        return self._own.get(key) == created or self._began <= created <= self._forgotten
