"""The captcha on pages: what a template shows and what the page's policy allows for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.http import HttpRequest

from astakos.logic import captcha


def origins(request: HttpRequest) -> Iterable[str]:
    """Return where the captcha's script and frame come from."""
    box = captcha.box()
    return box.origins if box is not None else ()


#: For ``with_sources``: everything that the services' own guides ask for.
SOURCES: dict[str, Callable[[HttpRequest], Iterable[str]]] = {
    "script_src": origins,
    "frame_src": origins,
    "style_src": origins,
    "connect_src": origins,
}
