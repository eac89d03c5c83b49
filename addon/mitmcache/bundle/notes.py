"""What a test's recording has beside its answers.

{"variables": names of those that held the credentials of its calls,
 "requests": {key: {"group": ..., "shape": ...}}}     so that a miss can be explained; see cache/shape.py
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mitmcache.bundle.file import BadBundle


@dataclass(frozen=True, slots=True)
class Notes:
    variables: list[str] = field(default_factory=list)
    requests: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    def text(self) -> bytes:
        """The same for the same notes, and readable in a diff."""
        return json.dumps(asdict(self), sort_keys=True, indent=1).encode() + b"\n"


def parse(data: bytes) -> Notes:
    """Of b"", which is what a bundle without any has, too. Raises BadBundle."""
    try:
        found = json.loads(data or b"{}")
        variables = [str(name) for name in found.get("variables", [])]
        requests = {
            str(key): {"group": str(one["group"]), "shape": dict(one["shape"])}
            for key, one in found.get("requests", {}).items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadBundle("its notes cannot be read") from error
    return Notes(variables, requests)
