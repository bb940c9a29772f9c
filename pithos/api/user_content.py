"""What users stored, shown by browsers: on which host, and with which of a page's powers.

A file may be a page that wants to act for whoever looks at it. It is served from a host that shares no
cookies with the rest of the site, where there is one, and always without scripts and without an origin of its
own (object-storage contract 20.3, web contract 12.6).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from pithos.api.service import PithosService, authenticate
from synnefo.errors import Forbidden

#: Types that browsers show without interpreting; everything else is saved, not shown, on the main host.
_HARMLESS = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/avif",
        "text/plain",
        "video/mp4",
        "video/webm",
        "video/ogg",
        "audio/mpeg",
        "audio/mp4",
        "audio/ogg",
        "audio/wav",
        "audio/x-wav",
        "audio/webm",
    }
)
_PDF = "application/pdf"


def unsafe_domain() -> str:
    """Return the host for users' files, empty if there is none of its own."""
    return (settings.PITHOS_UNSAFE_DOMAIN or "").lower()


class UserContentService(PithosService):
    """Routes of users' files: asked on another host, they send the browser to the right one."""

    def _dispatch(self, request: HttpRequest, *args: Any) -> HttpResponseBase:
        domain = unsafe_domain()
        if not domain or request.get_host().lower() == domain:
            return super()._dispatch(request, *args)
        if request.method not in ("GET", "HEAD"):
            raise Forbidden("Users' files are served by another host.")
        response = HttpResponseRedirect(f"{request.scheme}://{domain}{request.get_full_path()}")
        response["Referrer-Policy"] = "no-referrer"
        return response


public_service = UserContentService(
    "pithos-public", authenticate, unknown_path="There is no such public object."
)


def protect(response: HttpResponseBase) -> HttpResponseBase:
    """Add the headers that keep a file from acting as a page of this site, and return the answer."""
    media = media_of(response.get("Content-Type", ""))
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "no-referrer"
    response["Cross-Origin-Resource-Policy"] = "same-site"
    response["Content-Security-Policy"] = policy(media)
    if not unsafe_domain() and media not in _HARMLESS:
        _, semicolon, rest = response.get("Content-Disposition", "").partition(";")
        response["Content-Disposition"] = f"attachment{semicolon}{rest}"
    return response


def media_of(content_type: str) -> str:
    """Return a content type without its parameters."""
    return content_type.split(";", 1)[0].strip().lower()


def policy(media: str) -> str:
    """Return what a browser that opens a file of this type may do with it: nothing on behalf of the site."""
    directives = ["default-src 'none'", "style-src 'unsafe-inline'"]
    if media == _PDF and unsafe_domain():
        # Browsers refuse to start their PDF viewer inside a sandbox.
        directives.append("object-src 'self'")
    else:
        directives += ["img-src 'self' data:", "media-src 'self'", _sandbox(media)]
    directives.append(f"frame-ancestors {' '.join(_main_origins())}")
    return "; ".join(directives)


def _sandbox(media: str) -> str:
    """Return the sandbox: a player asks for its own file again, which takes the origin and its cookie."""
    is_played = media in _HARMLESS and media.startswith(("audio/", "video/"))
    return "sandbox allow-same-origin" if is_played else "sandbox"


def _main_origins() -> list[str]:
    parts = [urlsplit(url) for url in (settings.ASTAKOS_BASE_URL, settings.PITHOS_BASE_URL)]
    return sorted({f"{part.scheme}://{part.netloc}" for part in parts})
