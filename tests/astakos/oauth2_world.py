"""Clients, a browser that is signed in, and the calls of the OAuth2 tests."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from astakos.logic import oauth2_clients
from astakos.models import OAuth2Client
from synnefo.credentials import Credentials
from tests.astakos.conftest import Person

ADMINISTRATOR = Credentials.administrator()
VIEW = "https://cloud.example/pithos/ui/view"
SECRET = "a-secret-of-the-view"
SCOPE = "/account/container/object"


@pytest.fixture(autouse=True)
def _rules(settings: Settings) -> None:
    settings.OAUTH2_REQUIRE_TLS = False
    settings.ASTAKOS_COOKIE_SECURE = False


@pytest.fixture
def view(db: None) -> OAuth2Client:
    """A confidential client that users are not asked about."""
    return oauth2_clients.add(
        ADMINISTRATOR, identifier="pithos-view", secret=SECRET, urls=[VIEW], is_trusted=True
    ).client


@pytest.fixture
def stranger(db: None) -> OAuth2Client:
    """A public client that users are asked about."""
    return oauth2_clients.add(
        ADMINISTRATOR, identifier="app", urls=["https://app.example/cb"], is_public=True
    ).client


@pytest.fixture
def browser(client: Client, user: Person) -> Client:
    assert client.post(f"/test/sign-in/{user.uuid}").status_code == 200
    return client


def asked(**changes: str | None) -> dict[str, str]:
    values = {"response_type": "code", "client_id": "pithos-view", **changes}
    return {name: value for name, value in values.items() if value is not None}


def authorize(browser: Client, **changes: str | None) -> Any:
    return browser.get("/astakos/oauth2/auth", asked(**changes))


def code_for(browser: Client, **changes: str | None) -> str:
    answer = authorize(browser, **changes)
    assert answer.status_code == 302, answer.content
    return parse_qs(urlsplit(answer["Location"]).query)["code"][0]


def basic(name: str = "pithos-view", secret: str = SECRET) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def exchange(fields: dict[str, str], headers: dict[str, str] | None = None, **extra: Any) -> Any:
    return Client().post(
        "/astakos/oauth2/token",
        urlencode(fields),
        content_type=extra.pop("content_type", "application/x-www-form-urlencoded"),
        headers=basic() if headers is None else headers,
        **extra,
    )


def exchanged(code: str, **fields: str) -> Any:
    return exchange({"grant_type": "authorization_code", "code": code, **fields})


def token_for(browser: Client, **changes: str | None) -> str:
    answer = exchanged(code_for(browser, **changes))
    assert answer.status_code == 200, answer.content
    return str(answer.json()["access_token"])
