"""The second step of the OAuth2 provider: a token for the code (identity contract 1.9)."""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from astakos.logic import accounts, oauth2, oauth2_clients, token_renewal
from astakos.models import OAuth2Client, OAuth2Code, OAuth2Token
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, NotFound
from tests.astakos.conftest import Person
from tests.astakos.oauth2_world import (  # noqa: F401  (fixtures)
    ADMINISTRATOR,
    VIEW,
    _rules,
    asked,
    basic,
    browser,
    code_for,
    exchange,
    exchanged,
    stranger,
    token_for,
    view,
)
from tests.astakos.test_commissions_race import in_threads
from tests.markers import needs_postgres

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.urls("tests.astakos.pages_urls")]


# -- exchange --------------------------------------------------------------------------------------------


def test_a_code_is_good_once(browser: Client, view: OAuth2Client) -> None:
    code = code_for(browser)
    assert exchanged(code).status_code == 200
    answer = exchanged(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert answer.json()["exception"]


def test_a_code_dies_after_a_minute(browser: Client, view: OAuth2Client) -> None:
    code = code_for(browser)
    OAuth2Code.objects.update(created_at=clock.now() - dt.timedelta(seconds=61))
    assert exchanged(code).json()["error"] == "invalid_grant"


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_exchanges_at_once_one_wins(browser: Client, view: OAuth2Client) -> None:
    for _ in range(5):
        code = code_for(browser)
        answers = in_threads([lambda code=code: exchanged(code).status_code] * 4)  # type: ignore[misc]
        assert sorted(answers) == [200, 400, 400, 400]
    assert OAuth2Token.objects.count() == 5


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "token"}, "unsupported_grant_type"),
        ({"grant_type": "https://x.example"}, "unsupported_grant_type"),
        ({"code": ""}, "invalid_request"),
        ({"code": "unknown"}, "invalid_grant"),
        ({"code": "x" * 300}, "invalid_grant"),
        ({"client_id": "other"}, "invalid_request"),
        ({"redirect_uri": VIEW + "/other"}, "invalid_grant"),
        ({"redirect_uri": "nonsense"}, "invalid_grant"),
        ({"code_verifier": "v" * 43}, "invalid_grant"),
    ],
)
def test_errors_have_the_codes_of_the_standard(
    browser: Client, view: OAuth2Client, fields: dict[str, str], error: str
) -> None:
    code = code_for(browser)
    answer = exchange({"grant_type": "authorization_code", "code": code, **fields})
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.json().keys() == {"error", "exception"}


@pytest.mark.parametrize(
    "headers",
    [{}, basic(secret="wrong"), basic("nobody"), basic("a\0b"), {"Authorization": "Bearer x"},
     {"Authorization": "Basic"}, {"Authorization": "Basic !!!"}, {"Authorization": "Basic /w=="}],
)  # fmt: skip
def test_a_client_that_cannot_authenticate_gets_401(
    browser: Client, view: OAuth2Client, headers: dict[str, str]
) -> None:
    code = code_for(browser)
    answer = exchange({"grant_type": "authorization_code", "code": code, "client_id": ""}, headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer["WWW-Authenticate"].startswith("Basic")
    assert exchanged(code).status_code == 200


def test_a_confidential_client_cannot_do_without_its_secret(browser: Client, view: OAuth2Client) -> None:
    fields = {"grant_type": "authorization_code", "code": code_for(browser), "client_id": "pithos-view"}
    assert exchange(fields, {}).status_code == 401


def test_a_secret_may_come_encoded_as_the_standard_says(browser: Client, db: None) -> None:
    secret = "per%cent + colon:"
    oauth2_clients.add(ADMINISTRATOR, identifier="pithos-view", secret=secret, urls=[VIEW], is_trusted=True)
    for sent in (secret, quote(secret, safe="")):
        fields = {"grant_type": "authorization_code", "code": code_for(browser)}
        assert exchange(fields, basic(secret=sent)).status_code == 200


@pytest.mark.usefixtures("one_period")
def test_many_wrong_secrets_shut_an_address_out(browser: Client, view: OAuth2Client) -> None:
    fields = {"grant_type": "authorization_code", "code": code_for(browser)}
    for _ in range(30):
        assert exchange(fields, basic(secret="wrong")).status_code == 401
    answer = exchange(fields)
    assert (answer.status_code, answer.json()["error"]) == (429, "temporarily_unavailable")
    assert exchange(fields, REMOTE_ADDR="192.0.2.7").status_code == 200


def test_a_code_is_good_for_its_own_client_only(
    browser: Client, view: OAuth2Client, stranger: OAuth2Client
) -> None:
    code = code_for(browser)
    answer = exchange({"grant_type": "authorization_code", "code": code, "client_id": "app"}, {})
    assert answer.json()["error"] == "invalid_grant"
    assert exchanged(code).status_code == 200


def test_the_redirect_uri_may_be_spelt_otherwise(browser: Client, view: OAuth2Client) -> None:
    code = code_for(browser, redirect_uri=f"{VIEW}/%7ea")
    other = "HTTPS://CLOUD.example:443/pithos/x/../ui/view/~a"
    assert exchanged(code, redirect_uri=other).status_code == 200


def test_pkce_needs_the_verifier(browser: Client, stranger: OAuth2Client) -> None:
    verifier = "v" * 64
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    fields = asked(client_id="app", code_challenge=challenge, code_challenge_method="S256", decision="allow")
    answer = browser.post("/astakos/oauth2/auth", fields)
    code = parse_qs(urlsplit(answer["Location"]).query)["code"][0]
    fields = {"grant_type": "authorization_code", "client_id": "app", "code": code}
    for wrong in ("", "w" * 64, "short", "ü" * 50):
        assert exchange({**fields, "code_verifier": wrong}, {}).json()["error"] == "invalid_grant"
    assert exchange({**fields, "code_verifier": verifier}, {}).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/x-www-form-urlencoded; charset=UTF-8", 200),
        ("application/json", 400),
        ("multipart/form-data; boundary=x", 400),
        ("", 400),
    ],
)
def test_the_body_must_be_a_form(browser: Client, view: OAuth2Client, content_type: str, status: int) -> None:
    fields = {"grant_type": "authorization_code", "code": code_for(browser)}
    assert exchange(fields, content_type=content_type).status_code == status


def test_other_verbs_are_not_allowed(client: Client, view: OAuth2Client) -> None:
    answer = client.get("/astakos/oauth2/token")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert client.put("/astakos/oauth2/auth").status_code == 405


@pytest.mark.parametrize("event", ["deactivate", "renew", "log out", "remove client"])
def test_codes_and_tokens_end_with(browser: Client, view: OAuth2Client, user: Person, event: str) -> None:
    code, token = code_for(browser), token_for(browser)
    if event == "deactivate":
        accounts.deactivate(ADMINISTRATOR, user_id=user.row.pk)
    elif event == "renew":
        token_renewal.renew_token(Credentials(user_id=user.uuid), user_id=user.row.pk)
    elif event == "log out":
        browser.post("/test/sign-out")
    else:
        oauth2_clients.remove(ADMINISTRATOR, client_id=view.pk)
    assert exchanged(code).status_code in (400, 401)
    with pytest.raises(NotFound):
        oauth2.validate_access_token(token=token, belongs_to=None)


# -- whatever is sent ------------------------------------------------------------------------------------

NAMES = (
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "decision",
    "grant_type",
    "code",
    "code_verifier",
    "next",
    "renew",
    "force",
)
VALUES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["code", "pithos-view", VIEW, "authorization_code", "S256", "allow", "pithos://x", "\0"]),
)


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    fields=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8),
    path=st.sampled_from(["oauth2/auth", "oauth2/token", "weblogin/login", "ui/whoami"]),
    authorization=st.one_of(st.just(""), st.just(basic()["Authorization"]), st.text("Basic =ü:", max_size=9)),
    is_post=st.booleans(),
)
def test_nothing_that_is_sent_gives_a_500(
    browser: Client,
    view: OAuth2Client,
    fields: dict[str, str],
    path: str,
    authorization: str,
    is_post: bool,
) -> None:
    text = urlencode(fields, errors="replace")
    send: Callable[..., Any] = browser.post if is_post else browser.get
    headers = {"Authorization": authorization.encode("utf-8").decode("latin-1")} if authorization else {}
    if is_post:
        answer = send(
            f"/astakos/{path}", text, content_type="application/x-www-form-urlencoded", headers=headers
        )
    else:
        answer = send(f"/astakos/{path}?{text}", headers=headers)
    assert answer.status_code < 500


def test_a_request_is_checked_before_anybody_is_asked() -> None:
    with pytest.raises(BadRequest):
        oauth2.read_request({"response_type": "id_token"})
