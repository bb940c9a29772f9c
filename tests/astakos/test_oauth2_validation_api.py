"""OAuth2 access tokens as resource servers see them (identity contract 1.4)."""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

import datetime as dt
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from astakos import public
from astakos.logic import housekeeping
from astakos.models import OAuth2Client, OAuth2Code, OAuth2Token
from synnefo import clock
from synnefo.errors import NotFound
from tests.astakos.conftest import Api, Person
from tests.astakos.oauth2_world import (  # noqa: F401  (fixtures)
    ADMINISTRATOR,
    SCOPE,
    SECRET,
    VIEW,
    _rules,
    browser,
    code_for,
    stranger,
    token_for,
    view,
)

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.urls("tests.astakos.pages_urls")]


# -- validation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (None, 200),
        (SCOPE, 200),
        (f"{SCOPE}/below", 200),
        (f"{SCOPE}X", 404),
        ("/account/container", 404),
        ("/", 404),
        ("", 404),
    ],
)
def test_a_token_belongs_to_its_scope_and_below(
    browser: Client, view: OAuth2Client, anonymous: Api, path: str | None, status: int
) -> None:
    query = "" if path is None else f"?belongsTo={quote(path)}"
    assert (
        anonymous.get(f"identity/v2.0/tokens/{token_for(browser, scope=SCOPE)}{query}").status_code == status
    )


def test_a_token_without_a_scope_belongs_nowhere(browser: Client, view: OAuth2Client, anonymous: Api) -> None:
    token = token_for(browser)
    OAuth2Token.objects.update(scope=None)
    assert anonymous.get(f"identity/v2.0/tokens/{token}").status_code == 200
    assert anonymous.get(f"identity/v2.0/tokens/{token}?belongsTo=/x").status_code == 404


def test_an_expired_token_is_deleted_on_sight(browser: Client, view: OAuth2Client, anonymous: Api) -> None:
    token = token_for(browser)
    OAuth2Token.objects.update(expires_at=clock.now())
    answer = anonymous.get(f"identity/v2.0/tokens/{token}")
    assert (answer.status_code, answer.json()["itemNotFound"]["message"]) == (404, "Token has expired")
    assert not OAuth2Token.objects.exists()
    assert "No such" in anonymous.get(f"identity/v2.0/tokens/{token}").json()["itemNotFound"]["message"]


def test_an_access_token_is_no_users_token_and_the_other_way_round(
    browser: Client, view: OAuth2Client, user: Person, anonymous: Api
) -> None:
    token = token_for(browser)
    headers = {"X-Auth-Token": token}
    assert anonymous.get("account/v1.0/authenticate", headers=headers).status_code == 401
    body = {"auth": {"token": {"id": token}}}
    assert anonymous.post("identity/v2.0/tokens", body).status_code == 401
    assert anonymous.get(f"identity/v2.0/tokens/{user.token}").status_code == 404
    assert anonymous.get(f"identity/v2.0/tokens/{token}/endpoints").status_code == 404


def test_a_validation_in_xml(browser: Client, view: OAuth2Client, user: Person, anonymous: Api) -> None:
    user.row.groups.add(Group.objects.create(name="helpdesk"))
    text = anonymous.get(f"identity/v2.0/tokens/{token_for(browser)}?format=xml").content.decode()
    assert f'<user id="{user.uuid}" name="Maria Doe">' in text
    assert 'name="helpdesk"' in text
    assert "serviceCatalog" not in text


def test_the_view_of_files_in_the_same_process(browser: Client, view: OAuth2Client, user: Person) -> None:
    uri = f"{VIEW}{SCOPE}"
    address = urlsplit(public.oauth2_authorization_url(client="pithos-view", redirect_uri=uri, scope=SCOPE))
    location = browser.get(f"{address.path}?{address.query}")["Location"]
    code = parse_qs(urlsplit(location).query)["code"][0]
    issued = public.exchange_oauth2_code(client="pithos-view", secret=SECRET, code=code, redirect_uri=uri)
    token = issued.token
    access = public.validate_oauth2_token(token, belongs_to=SCOPE)
    assert (access.credentials.user_id, access.scope, access.client) == (user.uuid, SCOPE, "pithos-view")
    with pytest.raises(NotFound):
        public.validate_oauth2_token(token, belongs_to="/other")


def test_expired_codes_and_tokens_are_cleaned_up(browser: Client, view: OAuth2Client) -> None:
    token_for(browser)
    code_for(browser)
    OAuth2Token.objects.update(expires_at=clock.now())
    OAuth2Code.objects.update(created_at=clock.now() - dt.timedelta(hours=1))
    assert housekeeping.delete_expired(ADMINISTRATOR)["OAuth2 codes and tokens"] == 2
