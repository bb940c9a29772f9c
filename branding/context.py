"""What every template knows: the brand and the shell around the page."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import cached_property

from branding import identity, navigation, preferences
from synnefo import request_id


class Shell:
    """What surrounds a page for one request; each part is made when the template first asks for it."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def user(self) -> Any:
        """Return the signed-in user, or ``None``; without a session cookie no session is opened."""
        if settings.SESSION_COOKIE_NAME not in self._request.COOKIES:
            return None
        user = getattr(self._request, "user", None)
        return user if user is not None and user.is_authenticated else None

    @cached_property
    def preferences(self) -> preferences.Preferences:
        """Return theme and language."""
        return preferences.of_request(self._request)

    @cached_property
    def navigation(self) -> list[navigation.Group]:
        """Return the areas at the side."""
        return navigation.groups(self._request)

    @cached_property
    def services(self) -> list[dict[str, Any]]:
        """Return the components to switch between."""
        return navigation.services(self._request)

    @property
    def extra_links(self) -> dict[str, str]:
        """Return an administrator's own links, {address: text}."""
        return navigation.extra_links()

    @property
    def languages(self) -> Any:
        """Return the languages to choose from, as (code, own name)."""
        return settings.LANGUAGES

    @property
    def here(self) -> str:
        """Return the address of this page, to come back to."""
        return self._request.get_full_path()

    @property
    def update_interval(self) -> int:
        """Return after how many milliseconds an open page asks what has changed."""
        return int(settings.UI_UPDATE_INTERVAL)

    @property
    def update_increase(self) -> int:
        """Return by how many milliseconds quiet makes it ask later."""
        return int(settings.UI_UPDATE_INTERVAL_INCREASE)

    @property
    def update_fast(self) -> int:
        """Return after how many milliseconds it asks while something is under way."""
        return int(settings.UI_UPDATE_INTERVAL_FAST)

    @property
    def update_longest(self) -> int:
        """Return the most milliseconds between two questions."""
        return int(settings.UI_UPDATE_INTERVAL_MAX)

    @property
    def request_id(self) -> str:
        """Return the id of this request, for error pages."""
        return request_id.current()


def branding(request: HttpRequest) -> dict[str, Any]:
    """Return the branding settings, the support address and the shell (administrator's contract 7.7)."""
    return identity.template_values() | {"shell": Shell(request)}
