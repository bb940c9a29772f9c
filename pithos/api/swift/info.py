"""What this Swift can do (object-storage contract 22.1)."""

from __future__ import annotations

from importlib import metadata

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from pithos.api import bodies, headers
from pithos.api.rendering import dumps, reply
from pithos.api.swift import bulk
from pithos.logic import static_manifests
from pithos.logic.metadata import swift_limits
from pithos.paths import MAX_CONTAINER, MAX_OBJECT

_METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]
_DIGESTS = ["sha1", "sha256", "sha512"]


def show(request: HttpRequest) -> HttpResponseBase:
    """Return limits and features; anybody may know them."""
    longest = settings.PITHOS_API_LIST_LIMIT
    limits = swift_limits()
    document = {
        "swift": {
            "version": metadata.version("synnefo") if _is_installed() else "0",
            "max_file_size": bodies.MAX_BODY,
            "max_object_name_length": MAX_OBJECT,
            "max_container_name_length": MAX_CONTAINER,
            "max_meta_count": limits.items,
            "max_meta_overall_size": limits.size,
            "max_meta_name_length": headers.MAX_META_NAME - len("X-Object-Meta-"),
            "max_meta_value_length": headers.MAX_META_VALUE,
            "container_listing_limit": longest,
            "account_listing_limit": longest,
            "allow_account_management": False,
        },
        "dlo": {},
        "slo": {
            "max_manifest_segments": static_manifests.MAX_SEGMENTS,
            "max_manifest_size": static_manifests.MAX_BYTES,
            "min_segment_size": 1,
        },
        "bulk_delete": {"max_deletes_per_request": bulk.MAX_DELETES},
        "bulk_upload": {"max_containers_per_extraction": bulk.MAX_FILES},
        "tempurl": {"methods": _METHODS, "allowed_digests": _DIGESTS},
        "formpost": {"allowed_digests": _DIGESTS},
        "container_quotas": {},
        "object_versioning": {},
    }
    return reply("json", dumps(document), status=200)


def _is_installed() -> bool:
    try:
        metadata.version("synnefo")
    except metadata.PackageNotFoundError:
        return False
    return True
