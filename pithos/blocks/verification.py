"""When a block is checked against its hash while it is read."""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict

_KEPT = 65536
_SECONDS = 3600.0
#: With the policy "sample" one read of so many is checked.
SAMPLE = 16

#: What identifies a state of a stored block: equal marks, equal content.
Mark = tuple[int, ...]


class Verification:
    """A policy: "always"; "cached", once per change of the block, hour and process; "sample"; "never"."""

    def __init__(self, policy: str) -> None:
        self.policy = policy
        self._good: OrderedDict[bytes, tuple[Mark, float]] = OrderedDict()
        self._lock = threading.Lock()

    def is_due(self, digest: bytes, mark: Mark) -> bool:
        """Tell whether a block in the state ``mark`` has to be checked now."""
        if self.policy == "always":
            return True
        if self.policy == "never":
            return False
        if self.policy == "sample":
            return random.randrange(SAMPLE) == 0  # noqa: S311  (which reads are checked is no secret)
        with self._lock:
            known = self._good.get(digest)
            return known is None or known[0] != mark or time.monotonic() > known[1]

    def passed(self, digest: bytes, mark: Mark) -> None:
        """Note that a block in the state ``mark`` is good."""
        if self.policy != "cached":
            return
        with self._lock:
            self._good[digest] = (mark, time.monotonic() + _SECONDS)
            self._good.move_to_end(digest)
            while len(self._good) > _KEPT:
                self._good.popitem(last=False)
