"""Matching of routing keys against topic patterns."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=1024)
def matches(pattern: str, routing_key: str) -> bool:
    """Return whether a key matches a pattern: ``*`` stands for one word, ``#`` for any number of words."""
    words = routing_key.split(".") if routing_key else []
    reachable = {0}
    for part in pattern.split(".") if pattern else []:
        if part == "#":
            reachable = set(range(min(reachable), len(words) + 1)) if reachable else set()
        else:
            reachable = {at + 1 for at in reachable if at < len(words) and part in ("*", words[at])}
    return len(words) in reachable
