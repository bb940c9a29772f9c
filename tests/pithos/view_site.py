"""A live site under two names: the main one and the one for users' files."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from astakos.logic import oauth2_clients
from synnefo.credentials import Credentials
from tests.pithos.conftest import Person

SECRET = "a-secret-of-the-view"


class Site:
    """A live site under two names: the main one and the one for users' files."""

    def __init__(self, port: int) -> None:
        self.main = f"http://127.0.0.1:{port}"
        self.files = f"http://localhost:{port}"

    def view(self, person: Person, name: str, base: str | None = None) -> str:
        return f"{base or self.files}/pithos/ui/view/{person.uuid}/docs/{quote(name)}"


@pytest.fixture
def site(live_server: Any, settings: Any) -> Site:
    """The site, with the OAuth2 client of its view."""
    site = Site(urlsplit(live_server.url).port)
    settings.ASTAKOS_BASE_URL = f"{site.main}/astakos"
    settings.PITHOS_BASE_URL = f"{site.main}/pithos"
    settings.PITHOS_UNSAFE_DOMAIN = site.files.removeprefix("http://")
    settings.PITHOS_OAUTH2_CLIENT_CREDENTIALS = ("pithos-view", SECRET)
    settings.OAUTH2_REQUIRE_TLS = False
    oauth2_clients.add(
        Credentials.administrator(),
        identifier="pithos-view",
        secret=SECRET,
        is_trusted=True,
        urls=[f"{site.files}/pithos/ui/view", f"{site.main}/pithos/ui/view"],
    )
    return site
