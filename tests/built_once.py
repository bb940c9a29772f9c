"""What Django would build again for many tests, though it comes out the same in all of a process."""

from __future__ import annotations

from typing import Any

from django import urls
from whitenoise.middleware import WhiteNoiseMiddleware

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
