"""Django cache over python-memcached, storing JSON only.

Django dropped its own backend for this library. Values are JSON text: a pickle in a cache that others can
write to would let them run code here.
"""

from __future__ import annotations

import json
from typing import Any

import memcache
from django.core.cache.backends.memcached import BaseMemcachedCache


class _JsonPickler:
    """What python-memcached takes for a pickler; it writes JSON and refuses anything else."""

    def __init__(self, file: Any, protocol: int | None = None) -> None:
        self._file = file

    def dump(self, value: Any) -> None:
        """Write *value* as JSON."""
        self._file.write(json.dumps(value).encode())

    def load(self) -> Any:
        """Read one JSON value."""
        return json.loads(self._file.read())


class MemcachedCache(BaseMemcachedCache):
    """``CACHES`` backend for memcached; servers are tried again a few seconds after a failure."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params, library=memcache, value_not_found_exception=ValueError)
        self._options: dict[str, Any] = {
            "pickler": _JsonPickler,
            "unpickler": _JsonPickler,
            "dead_retry": 5,
            "socket_timeout": 1,
            **self._options,
        }

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        """Return the cached value; a server that is down answers *default*."""
        value = self._cache.get(  # type: ignore[attr-defined]  # of the base class
            self.make_and_validate_key(key, version=version)
        )
        return default if value is None else value
