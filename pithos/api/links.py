"""URLs that object storage hands out."""

from __future__ import annotations

from django.conf import settings


def public_url(public_id: str) -> str:
    """Return the address under which anybody can read a published object."""
    return f"{settings.PITHOS_BASE_URL.rstrip('/')}/public/{public_id}"
