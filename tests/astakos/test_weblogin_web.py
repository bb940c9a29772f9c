"""Native clients get uuid and token from a page that asks first (identity contract 1.8)."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from astakos import public
from astakos.models import ApprovalTerms, SessionCatalog, User
from synnefo import clock
from synnefo.errors import Unauthorized
from tests.astakos.conftest import Api, Person

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.urls("tests.astakos.pages_urls")]
PATH = "/astakos/weblogin/login"
NEXT = "pithos://redirect/here?old=1#part"


def sign_in(client: Client, user: Person) -> None:
    assert client.post(f"/test/sign-in/{user.uuid}").status_code == 200


@pytest.fixture
def browser(client: Client, user: Person) -> Client:
    sign_in(client, user)
    return client


def back_of(answer: object) -> str:
    return parse_qs(urlsplit(answer["Location"]).query)["next"][0]  # type: ignore[index]


def test_the_page_names_the_scheme_and_hands_nothing_over(browser: Client, user: Person) -> None:
    page = browser.get(PATH, {"next": NEXT})
    text = page.content.decode()
    assert page.status_code == 200
    assert "pithos://" in text
    assert user.token not in text
    assert page["Cache-Control"] == "no-store"
    assert page["Referrer-Policy"] == "no-referrer"
    assert "form-action 'self' pithos:" in page["Content-Security-Policy"]


def test_consent_hands_over_uuid_and_token_in_place_of_the_query(browser: Client, user: Person) -> None:
    answer = browser.post(PATH, {"next": NEXT, "decision": "allow"})
    assert answer.status_code == 302
    assert answer["Location"] == f"pithos://redirect/here?uuid={user.uuid}&token={user.token}#part"
    assert answer["Cache-Control"] == "no-store"
    assert answer["Referrer-Policy"] == "no-referrer"


def test_a_refusal_hands_nothing_over(browser: Client) -> None:
    answer = browser.post(PATH, {"next": NEXT, "decision": "deny"})
    assert answer["Location"].endswith("/astakos/ui/landing")


def test_another_site_cannot_consent(user: Person) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user.row)
    assert strict.post(PATH, {"next": NEXT, "decision": "allow"}).status_code == 403


@pytest.mark.parametrize(
    ("following", "status"),
    [
        ("", 400),
        ("https://evil.example/", 403),
        ("http://testserver/", 403),
        ("javascript:alert(1)", 403),
        ("/astakos/ui", 403),
        ("//x", 403),
        ("pithos", 403),
        ("pithosx://a", 403),
        ("pithos://a\r\nX: y", 403),
        ("pithos://a b", 403),
        (" pithos://a", 403),
        ("pithos://" + "x" * 5000, 403),
    ],
)
def test_only_allowed_addresses(browser: Client, following: str, status: int) -> None:
    answer = browser.get(PATH, {"next": following} if following else {})
    assert answer.status_code == status
    assert answer["Content-Type"].startswith("text/plain")
    assert browser.post(PATH, {"next": following, "decision": "allow"}).status_code == status


def test_dangerous_schemes_stay_out_whatever_is_allowed(browser: Client, settings: Settings) -> None:
    settings.ASTAKOS_REDIRECT_ALLOWED_SCHEMES = ("javascript", "https")
    for address in ("javascript://x/%0aalert(1)", "https://evil.example/"):
        assert browser.get(PATH, {"next": address}).status_code == 403
    assert browser.get(PATH, {"next": "https://testserver/x"}).status_code == 200


def test_an_anonymous_visitor_signs_in_and_comes_back_without_force(client: Client, user: Person) -> None:
    answer = client.get(f"{PATH}?next=pithos%3A%2F%2Fx&force&renew")
    assert urlsplit(answer["Location"]).path == "/astakos/ui/login"
    assert back_of(answer) == f"http://testserver{PATH}?next=pithos%3A%2F%2Fx&renew="
    sign_in(client, user)
    assert client.get(back_of(answer)).status_code == 200


def test_unsigned_terms_come_first(browser: Client) -> None:
    ApprovalTerms.objects.create(date=clock.now(), location="/terms.txt")
    User.objects.update(has_signed_terms=False)
    for answer in (
        browser.get(PATH, {"next": NEXT}),
        browser.post(PATH, {"next": NEXT, "decision": "allow"}),
    ):
        assert urlsplit(answer["Location"]).path == "/astakos/ui/approval_terms"


def test_force_ends_the_session_first(browser: Client) -> None:
    answer = browser.get(f"{PATH}?next=pithos%3A%2F%2Fx&force")
    assert urlsplit(answer["Location"]).path == "/astakos/ui/login"
    assert not SessionCatalog.objects.exists()


def test_force_and_renew_with_a_value_do_not_count(browser: Client, user: Person) -> None:
    assert browser.get(f"{PATH}?next=pithos%3A%2F%2Fx&force=1&renew=1").status_code == 200
    browser.post(PATH, {"next": NEXT, "renew": "1", "decision": "allow"})
    assert public.authenticate(user.token).user_id == user.uuid


def test_renew_hands_over_a_new_token_and_ends_other_sessions(browser: Client, user: Person) -> None:
    second = Client()
    sign_in(second, user)
    page = browser.get(f"{PATH}?next=pithos%3A%2F%2Fx&renew")
    assert 'name="renew"' in page.content.decode()
    assert public.authenticate(user.token).user_id == user.uuid
    answer = browser.post(PATH, {"next": "pithos://x", "renew": "", "decision": "allow"})
    token = parse_qs(urlsplit(answer["Location"]).query)["token"][0]
    assert public.authenticate(token).user_id == user.uuid
    with pytest.raises(Unauthorized):
        public.authenticate(user.token)
    assert second.get("/test/login").status_code == 302
    assert browser.get("/test/login").status_code == 200


def test_the_catalog_tells_where(db: None, anonymous: Api) -> None:
    public.register_component(
        name="astakos",
        base_url="http://testserver/astakos",
        ui_url="http://testserver/astakos/ui",
        services=public.service_definitions(),
    )
    answer = anonymous.call("POST", "identity/v2.0/tokens")
    services = {item["name"]: item["endpoints"][0] for item in answer.json()["access"]["serviceCatalog"]}
    assert services["astakos_weblogin"]["SNF:webloginURL"] == "http://testserver/astakos/weblogin"
    assert services["astakos_oauth2"]["publicURL"] == "http://testserver/astakos/oauth2"


def test_the_prefix_leads_to_its_own_slash(client: Client) -> None:
    answer = client.get("/astakos/weblogin")
    assert (answer.status_code, answer["Location"]) == (301, "/astakos/weblogin/")
