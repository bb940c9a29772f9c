"""The areas at the side of every page; each service adds its own (web contract 4.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse


def _always(request: HttpRequest) -> bool:
    return True


@dataclass(frozen=True)
class Item:
    """A page people navigate to; ``label`` may be a lazy translation, ``icon`` is a name of icons.svg."""

    url_name: str
    label: Any
    icon: str
    visible: Callable[[HttpRequest], bool] = _always


@dataclass(frozen=True)
class Section:
    """A group of items; sections are shown by their order."""

    order: int
    label: Any
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Link:
    """An item with its address, as the template shows it."""

    url: str
    label: Any
    icon: str
    current: bool


@dataclass(frozen=True)
class Group:
    """A section of links."""

    label: Any
    links: list[Link] = field(default_factory=list)


#: Answers the components to switch between: dictionaries with ``url`` and ``label``.
ServiceSource = Callable[[HttpRequest], list[dict[str, Any]]]
#: Answers an administrator's own links, {address: text}.
ExtraLinks = Callable[[], dict[str, str]]
_sections: list[Section] = []
_extra_links: list[ExtraLinks] = []
_service_sources: list[ServiceSource] = []


def add_section(section: Section) -> None:
    """Add *section* to the side of every page."""
    _sections.append(section)


def provide_services(source: ServiceSource) -> None:
    """Register where the switch between services gets them from; the last one wins."""
    _service_sources.append(source)


def provide_extra_links(source: ExtraLinks) -> None:
    """Register where the account menu gets an administrator's own links from; the last one wins."""
    _extra_links.append(source)


def extra_links() -> dict[str, str]:
    """Return an administrator's own links."""
    return _extra_links[-1]() if _extra_links else {}


def services(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the components to switch between."""
    return _service_sources[-1](request) if _service_sources else []


def groups(request: HttpRequest) -> list[Group]:
    """Return the sections with the pages that exist here and that the visitor may see."""
    found = []
    for section in sorted(_sections, key=lambda section: section.order):
        links = [
            link for item in section.items if item.visible(request) and (link := _link(item, request.path))
        ]
        if links:
            found.append(Group(section.label, links))
    return found


def _link(item: Item, path: str) -> Link | None:
    try:
        url = reverse(item.url_name)
    except NoReverseMatch:
        return None
    return Link(url, item.label, item.icon, path.rstrip("/") == url.rstrip("/") or path.startswith(f"{url}/"))
