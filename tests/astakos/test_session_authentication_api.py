"""REST calls of our own pages: a session and the CSRF token together, or nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client

from tests.astakos.conftest import Api, MakeUser, Person

pytestmark = [pytest.mark.db, pytest.mark.django_db]
PASSWORD = "correct horse battery"
QUOTAS = "/astakos/account/v1.0/quotas"


@pytest.fixture
def person(service: Api, make_user: MakeUser) -> Person:
    return make_user("maria@example.org", password=PASSWORD)


@pytest.fixture
def page(person: Person) -> Client:
    """A signed-in browser that has the CSRF cookie."""
    browser = Client(enforce_csrf_checks=True)
    form = browser.get("/astakos/ui/login").content.decode()
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert found is not None
    fields = {"username": "maria@example.org", "password": PASSWORD, "csrfmiddlewaretoken": found.group(1)}
    assert browser.post("/astakos/ui/local", fields).status_code == 303
    return browser


def token_of(page: Client) -> str:
    return page.cookies["csrftoken"].value


@pytest.mark.parametrize("path", [QUOTAS, "/pithos/object-store/v1/{uuid}", "/cyclades/compute/v2.0/servers"])
def test_a_page_calls_the_apis_with_its_session(page: Client, person: Person, path: str) -> None:
    headers = {"X-CSRFToken": token_of(page), "Sec-Fetch-Site": "same-origin"}
    assert page.get(path.format(uuid=person.uuid), headers=headers).status_code < 300


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-CSRFToken": ""},
        {"X-CSRFToken": "a" * 32},
        {"X-CSRFToken": "a" * 64},
        {"X-CSRFToken": "é"},
        {"X-CSRFToken": "TOKEN", "Sec-Fetch-Site": "cross-site"},
        {"X-CSRFToken": "TOKEN", "Sec-Fetch-Site": "same-site"},
        {"X-CSRFToken": "TOKEN", "Sec-Fetch-Site": "none"},
        {"X-CSRFToken": "TOKEN", "Origin": "https://elsewhere.example"},
    ],
)
def test_a_session_alone_is_nobody(page: Client, headers: dict[str, str]) -> None:
    sent = {name: value.replace("TOKEN", token_of(page)) for name, value in headers.items()}
    assert page.get(QUOTAS, headers=sent).status_code == 401
    assert page.post("/astakos/account/v1.0/feedback", headers=sent).status_code == 401


def test_a_token_wins_over_the_session(page: Client, make_user: MakeUser) -> None:
    other = make_user("other@example.org")
    headers = {"X-CSRFToken": token_of(page), "X-Auth-Token": other.token}
    body = json.dumps({"uuids": [other.uuid]})
    answer = page.post(
        "/astakos/account/v1.0/user_catalogs", body, content_type="application/json", headers=headers
    )
    assert answer.json()["uuid_catalog"] == {other.uuid: "other@example.org"}
    assert page.get(QUOTAS, headers={**headers, "X-Auth-Token": "wrong"}).status_code == 401


def test_an_ended_session_is_nobody(page: Client, person: Person) -> None:
    headers = {"X-CSRFToken": token_of(page)}
    page.session.flush()
    assert page.get(QUOTAS, headers=headers).status_code == 401


def test_an_inactive_user_is_refused(page: Client, person: Person) -> None:
    row: Any = person.row
    row.is_active = False
    row.save()
    assert page.get(QUOTAS, headers={"X-CSRFToken": token_of(page)}).status_code == 401
