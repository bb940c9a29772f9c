"""What Django would build again for many tests, though it comes out the same in all of a process."""

from __future__ import annotations

import os
import ssl
from typing import Any

import httpx._transports.default as httpx_transports
from django import urls
from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.test.client import ClientHandler
from whitenoise.middleware import WhiteNoiseMiddleware

from tests.remembered import changed_settings

#: Modules have settings in common; directories of single tests do not come back.
_MOST_HANDLERS = 50
_FILES: dict[tuple[object, ...], dict[str, Any]] = {}


def static_files() -> None:
    """Look for the static files once; every test's client makes the middleware that does it anew."""
    find = WhiteNoiseMiddleware.add_files_from_finders

    def found(self: Any) -> None:
        key = (self.static_prefix, self.max_age, self.allow_all_origins, self.charset)
        if key not in _FILES:
            find(self)
            _FILES[key] = dict(self.files)
        self.files.update(_FILES[key])

    WhiteNoiseMiddleware.add_files_from_finders = found


def routes() -> None:
    """Keep the resolver of each table of routes when a test with a table of its own begins or ends."""
    # Resolvers are remembered by their table, and tables do not change.
    urls.clear_url_caches = lambda: None


def tls_contexts() -> None:
    """Read the authorities once; every httpx client reads them anew, also for plain HTTP."""
    make = httpx_transports.create_ssl_context
    contexts: dict[tuple[object, ...], ssl.SSLContext] = {}

    def context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
        if verify is not True or cert is not None:
            return make(verify=verify, cert=cert, trust_env=trust_env)
        key = (trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        if key not in contexts:
            contexts[key] = make(trust_env=trust_env)
        return contexts[key]

    httpx_transports.create_ssl_context = context


def middleware() -> None:
    """Let the clients of all tests with the same settings share what stands before the views."""
    first: dict[tuple[object, ...], BaseHandler] = {}

    def load(self: ClientHandler, is_async: bool = False) -> None:
        changed = changed_settings()
        if is_async or changed is None:
            BaseHandler.load_middleware(self, is_async)
            return
        key = (tuple(settings.MIDDLEWARE), changed)
        if key not in first:
            if len(first) >= _MOST_HANDLERS:
                first.clear()
            first[key] = BaseHandler()
            first[key].load_middleware()
        # Requests bring what is different from client to client.
        vars(self).update(vars(first[key]))

    ClientHandler.load_middleware = load
