"""The label `model`, whose values come from callers, and so have to be bounded."""

MOST = 200
LONGEST = 100
OTHER = "other"
NONE = "none"
"""The request names no model."""


class Models:
    """The first `most` models that were proven keep their names, all else is `other`.

    Proven is a model that an answer came from, whoever stored it: a name that is only asked for is whatever
    its caller likes.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known = {"": NONE}

    def label(self, model: str, *, proven: bool) -> str:
        """Printable, at most LONGEST characters, and the same for a model ever after it was proven."""
        known = self._known.get(model)
        if known is not None:
            return known
        full = len(self._known) > self._most
        if not proven or full or len(model) > LONGEST or not model.isprintable():
            return OTHER
        self._known[model] = model
        return model
