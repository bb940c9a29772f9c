"""The first step of the OAuth2 provider: a code, after consent (identity contract 1.9)."""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from astakos import public
from astakos.logic import oauth2_clients
from astakos.models import ApprovalTerms, OAuth2Client, OAuth2Code, OAuth2Token, User
from synnefo import clock
from tests.astakos.conftest import Api, Person
from tests.astakos.oauth2_world import (  # noqa: F401  (fixtures)
    ADMINISTRATOR,
    SCOPE,
    SECRET,
    VIEW,
    _rules,
    asked,
    authorize,
    basic,
    browser,
    code_for,
    exchanged,
    stranger,
    token_for,
    view,
)

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.urls("tests.astakos.pages_urls")]


# -- authorization ---------------------------------------------------------------------------------------


def test_pithos_view_gets_a_code_a_token_and_the_user(
    browser: Client, view: OAuth2Client, user: Person, anonymous: Api
) -> None:
    uri = f"{VIEW}/account/container/object"
    answer = authorize(browser, redirect_uri=uri, state="", scope=SCOPE)
    assert answer["Cache-Control"] == "no-store"
    location = urlsplit(answer["Location"])
    assert answer["Location"].startswith(f"{uri}?code=")
    code, state = (parse_qs(location.query, keep_blank_values=True)[name][0] for name in ("code", "state"))
    assert (len(code), state) == (60, "")
    answer = exchanged(code, redirect_uri=uri, scope=SCOPE)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("application/json")
    assert answer["Cache-Control"] == "no-store"
    body = answer.json()
    token = body.pop("access_token")
    assert (len(token), body) == (30, {"token_type": "Bearer", "expires_in": 20})
    found = anonymous.get(f"identity/v2.0/tokens/{token}?belongsTo={SCOPE}").json()["access"]
    assert found["user"]["id"] == user.uuid
    assert "serviceCatalog" not in found
    assert "projects" not in found["user"]


def test_an_anonymous_visitor_signs_in_first_with_all_parameters_kept(
    client: Client, view: OAuth2Client
) -> None:
    answer = authorize(client, redirect_uri=VIEW, scope="/a b", state="s&t", junk="x")
    assert answer.status_code == 302
    path = urlsplit(answer["Location"])
    assert path.path == "/astakos/ui/login"
    back = urlsplit(parse_qs(path.query)["next"][0])
    assert back.path == "/astakos/oauth2/auth"
    kept = {name: values[0] for name, values in parse_qs(back.query).items()}
    assert kept == asked(redirect_uri=VIEW, scope="/a b", state="s&t")


def test_unsigned_terms_come_before_a_code(browser: Client, view: OAuth2Client) -> None:
    ApprovalTerms.objects.create(date=clock.now(), location="/terms.txt")
    User.objects.update(has_signed_terms=False)
    assert authorize(browser)["Location"].startswith("/astakos/ui/approval_terms?next=")
    assert not OAuth2Code.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"response_type": None},
        {"response_type": "token"},
        {"response_type": "code token"},
        {"client_id": None},
        {"client_id": "unknown"},
        {"client_id": "x" * 300},
        {"client_id": "a\0b"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": VIEW + "X"},
        {"redirect_uri": VIEW + "/../admin"},
        {"redirect_uri": VIEW + "/..%2fadmin"},
        {"redirect_uri": VIEW + "/x#part"},
        {"redirect_uri": "/pithos/ui/view"},
        {"redirect_uri": VIEW + "/" + "x" * 5000},
        {"scope": "x" * 5001},
        {"state": "x" * 5001},
        {"state": "a\0b"},
        {"code_challenge": "x" * 43, "code_challenge_method": "plain"},
        {"code_challenge": "x" * 43},
        {"code_challenge": "short", "code_challenge_method": "S256"},
    ],
)
def test_a_wrong_request_goes_nowhere(
    browser: Client, view: OAuth2Client, changes: dict[str, str | None]
) -> None:
    answer = authorize(browser, **changes)
    assert answer.status_code == 400
    assert "Location" not in answer
    assert not OAuth2Code.objects.exists()


def test_a_parameter_given_twice_is_refused(browser: Client, view: OAuth2Client) -> None:
    query = urlencode(asked()) + "&client_id=other"
    assert browser.get(f"/astakos/oauth2/auth?{query}").status_code == 400


def test_without_a_redirect_uri_the_first_registered_one_counts(browser: Client, user: Person) -> None:
    urls = ["https://b.example/x?keep=1", "https://a.example/"]
    oauth2_clients.add(ADMINISTRATOR, identifier="pithos-view", secret=SECRET, urls=urls, is_trusted=True)
    location = authorize(browser, state="z")["Location"]
    assert location.startswith("https://b.example/x?keep=1&code=")
    assert location.endswith("&state=z")
    assert OAuth2Code.objects.get().scope == "https://b.example/x?keep=1"


def test_only_the_first_word_of_the_scope_counts(browser: Client, view: OAuth2Client) -> None:
    code_for(browser, scope="/first /second")
    assert OAuth2Code.objects.get().scope == "/first"


def test_codes_are_stored_as_digests_and_secrets_too(browser: Client, view: OAuth2Client) -> None:
    code = code_for(browser)
    token = token_for(browser)
    stored = json.dumps(
        [list(model.objects.values()) for model in (OAuth2Client, OAuth2Code, OAuth2Token)], default=str
    )
    for secret in (code, token, SECRET):
        assert secret not in stored


@pytest.mark.parametrize(
    ("headers", "status"),
    [(basic(), 302), (basic(secret="wrong"), 400), (basic("app"), 400), ({"Authorization": "Basic !"}, 400)],
)
def test_a_client_that_authenticates_at_the_first_step_must_be_right(
    browser: Client, view: OAuth2Client, headers: dict[str, str], status: int
) -> None:
    answer = browser.get("/astakos/oauth2/auth", asked(), headers=headers)
    assert answer.status_code == status


def test_plain_http_is_refused(browser: Client, view: OAuth2Client, settings: Settings) -> None:
    settings.OAUTH2_REQUIRE_TLS = True
    assert authorize(browser).status_code == 400
    assert exchanged("x").status_code == 400
    assert "TLS" in exchanged("x").json()["exception"]
    settings.DEBUG = True
    assert authorize(browser).status_code == 302


# -- consent ---------------------------------------------------------------------------------------------


def test_a_stranger_needs_consent(browser: Client, stranger: OAuth2Client) -> None:
    page = authorize(browser, client_id="app", scope="/files", state='"><script>x')
    assert page.status_code == 200
    text = page.content.decode()
    assert "app.example" in text
    assert "/files" in text
    assert "<script>x" not in text
    assert "form-action 'self' https://app.example" in page["Content-Security-Policy"]
    assert not OAuth2Code.objects.exists()
    fields = asked(client_id="app", scope="/files", state="s")
    answer = browser.post("/astakos/oauth2/auth", {**fields, "decision": "allow"})
    assert answer["Location"].startswith("https://app.example/cb?code=")
    assert answer["Location"].endswith("&state=s")


def test_a_denial_is_told_to_the_client(browser: Client, stranger: OAuth2Client) -> None:
    fields = asked(client_id="app", state="s", decision="deny")
    answer = browser.post("/astakos/oauth2/auth", fields)
    assert answer["Location"] == "https://app.example/cb?error=access_denied&state=s"
    assert not OAuth2Code.objects.exists()


def test_a_post_without_a_decision_asks_again(browser: Client, stranger: OAuth2Client) -> None:
    assert browser.post("/astakos/oauth2/auth", asked(client_id="app")).status_code == 200
    assert not OAuth2Code.objects.exists()


def test_another_site_cannot_consent_for_the_user(user: Person, stranger: OAuth2Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get())
    answer = strict.post("/astakos/oauth2/auth", asked(client_id="app", decision="allow"))
    assert answer.status_code == 403
    assert not OAuth2Code.objects.exists()


def test_the_login_form_may_lead_to_the_program_that_waits(client: Client, view: OAuth2Client) -> None:
    """Browsers apply the page's form-action to redirections as well."""
    uri = "https://files.example/pithos/ui/view/a/b/c"
    view.redirect_urls.create(url="https://files.example/pithos/ui/view")
    address = urlsplit(public.oauth2_authorization_url(client="pithos-view", redirect_uri=uri, scope="/a"))
    away = client.get(f"{address.path}?{address.query}")["Location"]
    page = client.get(away)
    assert page.status_code == 200
    policy = dict(part.split(" ", 1) for part in page["Content-Security-Policy"].split("; ") if " " in part)
    assert "https://files.example" in policy["form-action"].split()
    # An address that nobody registered is not let in.
    stranger = client.get(away.replace("files.example", "evil.example"))
    assert "evil.example" not in stranger["Content-Security-Policy"]
