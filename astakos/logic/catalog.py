"""The service catalog: what every client looks up first (identity contract 1.3)."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import transaction

from astakos.models import Component, Service

_CACHE_KEY = "astakos:service-catalog"
_REGION = "default"
_WEBLOGIN = "astakos_weblogin"

#: Presentation of the components that come with Synnefo; ``ASTAKOS_COMPONENTS_META`` is merged over it.
_COMPONENTS_META: dict[str, dict[str, Any]] = {
    "astakos": {"order": 1, "dashboard": {"order": 3, "show": True}, "cloudbar": {"show": False}},
    "pithos": {"order": 2, "dashboard": {"order": 1, "show": True}, "cloudbar": {"show": True}},
    "cyclades": {"order": 3, "dashboard": {"order": 2, "show": True}, "cloudbar": {"show": True}},
}
_UNKNOWN_ORDER = 1000


@dataclass(frozen=True, slots=True)
class Catalog:
    """The catalog as token answers carry it, and the same as JSON; nobody changes it."""

    entries: list[dict[str, Any]]
    text: str
    good_until: float


#: What this process answered last: token answers are many, and each has the whole catalog in it.
_kept: list[Catalog] = []


def current_catalog() -> Catalog:
    """Return the catalog, at most ``ASTAKOS_ENDPOINT_CACHE_TIMEOUT`` s old in the cache of all processes.

    A process looks there again after ``ASTAKOS_ENDPOINT_LOCAL_CACHE_TIMEOUT`` s.
    """
    now = time.monotonic()
    if _kept and _kept[0].good_until > now:
        return _kept[0]
    text: str | None = cache.get(_CACHE_KEY)
    if text is None:
        text = json.dumps(_read_catalog(), ensure_ascii=False)
        cache.set(_CACHE_KEY, text, settings.ASTAKOS_ENDPOINT_CACHE_TIMEOUT)
    catalog = Catalog(json.loads(text), text, now + settings.ASTAKOS_ENDPOINT_LOCAL_CACHE_TIMEOUT)
    _kept[:] = [catalog]
    return catalog


def service_catalog() -> list[dict[str, Any]]:
    """Return the entries of the current catalog; they are shared, so nobody changes them."""
    return current_catalog().entries


def forget_cached_catalog() -> None:
    """Let the next reader see a change as soon as it is committed."""

    def forget() -> None:
        cache.delete(_CACHE_KEY)
        _kept.clear()

    transaction.on_commit(forget)


def _read_catalog() -> list[dict[str, Any]]:
    catalog = []
    for service in Service.objects.select_related("component").prefetch_related("endpoints__data"):
        endpoints = []
        for endpoint in service.endpoints.all():
            entry: dict[str, Any] = {row.key: row.value for row in endpoint.data.all()}
            entry["SNF:uiURL"] = service.component.url
            entry["region"] = _REGION
            if service.name == _WEBLOGIN:
                entry["SNF:webloginURL"] = entry.get("publicURL")
            endpoints.append(entry)
        catalog.append(
            {"name": service.name, "type": service.type, "endpoints": endpoints, "endpoints_links": []}
        )
    return catalog


def cloud_bar_services() -> list[dict[str, Any]]:
    """Return the registered components with pages, in the order of the cloud bar (identity contract 6.3)."""
    entries = []
    for component in Component.objects.filter(url__isnull=False).order_by("id"):
        name = component.name
        meta: dict[str, Any] = {
            "name": name,
            "url": component.url,
            "order": _UNKNOWN_ORDER,
            "verbose_name": name,
            "cloudbar": {"show": True},
            "dashboard": {"show": True, "order": _UNKNOWN_ORDER, "description": f"{name.title()} service"},
        }
        meta = _merged(
            _merged(meta, _COMPONENTS_META.get(name, {})), settings.ASTAKOS_COMPONENTS_META.get(name, {})
        )
        entries.append(meta)
    return sorted(entries, key=lambda entry: (entry["order"], entry["name"]))


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return *base* with *changes* laid over it, dictionaries inside merged alike."""
    result = dict(base)
    for key, value in changes.items():
        inner = result.get(key)
        result[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return result
