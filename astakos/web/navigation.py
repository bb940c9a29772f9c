"""The account's part of the areas at the side, and the switch between services (web contract 4.1)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.urls import Resolver404, resolve
from django.utils.translation import gettext_lazy as _

from astakos.logic.catalog import cloud_bar_services
from astakos.logic.preferences import save_preferences
from astakos.web.sessions import page_user
from branding import navigation, preferences
from branding.navigation import Item
from synnefo.credentials import Credentials

_TITLES = {"astakos": _("Account"), "pithos": _("Files"), "cyclades": _("Compute")}


def _with_invitations(request: HttpRequest) -> bool:
    return bool(getattr(settings, "ASTAKOS_INVITATIONS_ENABLED", False))


def _with_projects(request: HttpRequest) -> bool:
    return getattr(settings, "ASTAKOS_PROJECTS_VISIBLE", True) is not False


_ACCOUNT = (
    Item("astakos-landing", _("Overview"), "home"),
    Item("astakos-profile", _("Profile"), "user"),
    Item("astakos-invitations", _("Invitations"), "mail", _with_invitations),
    Item("astakos-api-access", _("API access"), "key"),
    Item("astakos-usage", _("Usage"), "gauge"),
    Item("astakos-projects", _("Projects"), "project", _with_projects),
    Item("astakos-feedback", _("Contact"), "help"),
)


def register() -> None:
    """Tell the shell about the account's pages, the services and where choices are kept."""
    navigation.add_section(navigation.Section(10, _("Account"), _ACCOUNT))
    navigation.provide_services(services)
    navigation.provide_extra_links(lambda: dict(settings.ASTAKOS_PROFILE_EXTRA_LINKS))
    preferences.provide_saver(_save)


def _save(request: HttpRequest, choices: dict[str, str]) -> None:
    user = page_user(request)
    if user is not None:
        save_preferences(Credentials(user_id=user.uuid), choices=choices)


def title_of(service: dict[str, Any]) -> str:
    """Return what people call a component."""
    name = str(service["name"])
    shown = service["cloudbar"].get("title") or service["verbose_name"]
    return str(_TITLES[name]) if shown == name and name in _TITLES else str(shown)


def page_of(service: dict[str, Any], request: HttpRequest) -> str:
    """Return the address of a component's pages, empty when this site should have them and does not."""
    url = str(service["url"])
    parts = urlsplit(url)
    if parts.netloc and parts.netloc.lower() != request.get_host().lower():
        return url
    for path in (parts.path, f"{parts.path.rstrip('/')}/"):
        try:
            view = resolve(path).func
        except Resolver404:
            continue
        # Routes of APIs, such as those that only add a slash, are no pages.
        if not hasattr(view, "verbs"):
            return path
    return ""


def services(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the components to switch between that have pages."""
    if not settings.CLOUDBAR_ACTIVE:
        return []
    shown = [service for service in cloud_bar_services() if service["cloudbar"].get("show")]
    links = [
        {"url": url, "label": title_of(service), "current": bool(url) and request.path.startswith(url)}
        for service in shown
        if (url := page_of(service, request))
    ]
    return links
