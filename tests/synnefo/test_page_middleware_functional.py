"""API calls pass the middleware of pages by."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from synnefo import page_middleware

pytestmark = pytest.mark.unit


def answered(path: str) -> HttpRequest:
    seen: list[Any] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse()

    page_middleware.SessionMiddleware(view)(RequestFactory().get(path))
    return seen[0]


@pytest.mark.parametrize(
    "path",
    [
        "/astakos/identity/v2.0/tokens",
        "/astakos/account/v1.0/quotas",
        "/cyclades/compute/v2.0",
        "/stats/v1.0/cpu-bar/x",
    ],
)
def test_api_calls_have_no_session(path: str) -> None:
    assert not hasattr(answered(path), "session")


@pytest.mark.parametrize("path", ["/astakos/ui/landing", "/", "/astakos/identityx", "/pithos/ui/view/x"])
def test_pages_have_one(path: str) -> None:
    assert hasattr(answered(path), "session")


def test_base_paths_are_the_settings(settings: Settings) -> None:
    settings.ASTAKOS_BASE_URL = "https://accounts.example.org"
    assert "/identity/" in page_middleware.api_prefixes()
