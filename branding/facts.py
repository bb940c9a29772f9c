"""What a component's tile on the overview says of the visitor's things there (web contract 8, A-02)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from synnefo.credentials import Credentials
from synnefo.errors import ServiceUnavailable

log = logging.getLogger(__name__)

#: Returns pairs of a name and a value, both in the visitor's language.
Source = Callable[[Credentials], list[tuple[str, str]]]
_sources: dict[str, Source] = {}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a visitor's things in one component."""

    pairs: list[tuple[str, str]]
    is_available: bool = True


def provide(component: str, source: Source) -> None:
    """Register where the facts of a component come from."""
    _sources[component] = source


def of_component(component: str, credentials: Credentials) -> Facts:
    """Return the facts of a component; one that does not answer leaves the others alone."""
    source = _sources.get(component)
    if source is None:
        return Facts([])
    try:
        return Facts(source(credentials))
    except ServiceUnavailable:
        log.warning("facts of %s: unavailable", component, exc_info=True)
        return Facts([], is_available=False)
