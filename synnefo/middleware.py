"""What happens around every web request: its id, its log line, the address it comes from."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from synnefo import metrics, request_id
from synnefo.logs import mask_path

log = logging.getLogger("synnefo.access")

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class RequestIdMiddleware:
    """Give every request an id, return it as ``X-Request-Id`` and write one access line.

    The path is logged without its query string and without parts that are secrets.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer *request* under its new id."""
        started = time.monotonic()
        with request_id.bound(request_id.new()) as current:
            response = self.get_response(request)
            response["X-Request-Id"] = current
            response.setdefault("X-OpenStack-Request-Id", current)
            elapsed = time.monotonic() - started
            metrics.observe_request(request.method or "", elapsed)
            if log.isEnabledFor(logging.INFO):
                path = mask_path(request.path)
                log.info("%s %s %s %.1fms", request.method, path, response.status_code, elapsed * 1000)
        return response


class TrustedProxyMiddleware:
    """Believe forwarded addresses, schemes and names of users only when a configured front server says them.

    From anybody else those headers are removed, so that nothing behind can be deceived by them.
    """

    #: What a front server that authenticates people says about them (mod_shib and the like).
    _IDENTITY = ("HTTP_REMOTE_USER", "HTTP_EPPN", "HTTP_SHIB_")
    _FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_PROTOCOL")

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer *request* with the client's own address and scheme."""
        trusted = settings.TRUSTED_PROXIES
        meta = request.META
        if meta.get("REMOTE_ADDR") not in trusted:
            for header in [name for name in meta if name.startswith(self._IDENTITY)]:
                del meta[header]
        else:
            hops = [hop.strip() for hop in meta.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
            client = next((hop for hop in reversed(hops) if hop not in trusted), None)
            if client:
                meta["REMOTE_ADDR"] = client[:64]
            scheme = meta.get("HTTP_X_FORWARDED_PROTO") or meta.get("HTTP_X_FORWARDED_PROTOCOL")
            if scheme in ("http", "https"):
                meta["wsgi.url_scheme"] = scheme
        for header in self._FORWARDED:
            meta.pop(header, None)
        return self.get_response(request)
