"""What every template knows about this cloud's name."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

_NAMES = (
    "BRANDING_SERVICE_NAME",
    "BRANDING_SERVICE_URL",
    "BRANDING_COMPANY_NAME",
    "BRANDING_COMPANY_URL",
)


def branding(request: HttpRequest) -> dict[str, str]:
    """Return the branding settings and the support address (administrator's contract 7.7)."""
    return {name: getattr(settings, name) for name in _NAMES} | {"BRANDING_SUPPORT": settings.CONTACT_EMAIL}
