"""Browser sessions: made at login only, ended at once; the cookie beside them; where ``next`` may lead."""

from __future__ import annotations

import datetime as dt
from urllib.parse import unquote, urlencode

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from astakos import public
from astakos.logic import accounts, sessions, token_renewal, user_changes
from astakos.models import ApprovalTerms, OAuth2Client, OAuth2Token, ScopedToken, SessionCatalog, User
from synnefo import clock
from synnefo.credentials import Credentials
from tests.astakos.conftest import MakeUser, Person

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.urls("tests.astakos.pages_urls")]
ADMINISTRATOR = Credentials.administrator()
COOKIE = "_pithos2_a"


def sign_in(client: Client, user: Person, **fields: str) -> None:
    assert client.post(f"/test/sign-in/{user.uuid}", fields).status_code == 200


def session_key(client: Client) -> str:
    return client.cookies["sessionid"].value


def is_in(client: Client) -> bool:
    return client.get("/test/login").status_code == 200


@pytest.fixture
def browser(client: Client, user: Person) -> Client:
    sign_in(client, user)
    return client


# -- sessions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["test/open", "test/login", "astakos/ui/whoami", "astakos/ui/get_menu"])
def test_an_anonymous_visit_makes_no_session(client: Client, path: str) -> None:
    client.get(f"/{path}")
    assert "sessionid" not in client.cookies
    assert not Session.objects.exists()


def test_a_login_is_recorded_with_browser_and_method(client: Client, user: Person) -> None:
    client.post(f"/test/sign-in/{user.uuid}", {"module": "local"}, headers={"User-Agent": "B" * 300})
    row = SessionCatalog.objects.get()
    assert (row.session_key, row.user.uuid, len(row.user_agent)) == (session_key(client), user.uuid, 255)
    assert user.row.auth_providers.get(module="local").last_login_at is not None
    assert client.cookies["astakos_last_login_method"].value == "local"


def test_a_planted_session_is_worth_nothing_after_the_login(client: Client, user: Person) -> None:
    planted = client.session
    planted["x"] = 1
    planted.save()
    client.cookies["sessionid"] = planted.session_key
    sign_in(client, user)
    assert session_key(client) != planted.session_key
    assert not Session.objects.filter(session_key=planted.session_key).exists()


def test_signing_in_again_gives_a_new_session_and_ends_the_old(browser: Client, user: Person) -> None:
    before = session_key(browser)
    sign_in(browser, user)
    assert session_key(browser) != before
    assert [row.session_key for row in SessionCatalog.objects.all()] == [session_key(browser)]


def test_signing_in_again_with_a_renewed_token_works(browser: Client, user: Person) -> None:
    sign_in(browser, user, renew="1")
    assert is_in(browser)
    assert public.authenticate(unquote(browser.cookies[COOKIE].value).split("|")[1]).user_id == user.uuid


def test_another_user_on_the_same_browser_gets_nothing_of_the_first(
    browser: Client, make_user: MakeUser
) -> None:
    other = make_user("other@lab.example")
    sign_in(browser, other)
    assert browser.get("/astakos/ui/whoami").json()["uuid"] == other.uuid
    assert SessionCatalog.objects.count() == 1


def test_a_session_ends_with_the_token(browser: Client, user: Person, settings: Settings) -> None:
    User.objects.update(auth_token_expires=clock.now() + dt.timedelta(minutes=5))
    sign_in(browser, user)
    left = Session.objects.get(session_key=session_key(browser)).expire_date - clock.now()
    assert dt.timedelta(minutes=4) < left <= dt.timedelta(minutes=5)


def test_a_session_lasts_no_longer_than_the_site_says(
    client: Client, user: Person, settings: Settings
) -> None:
    settings.SESSION_COOKIE_AGE = 600
    sign_in(client, user)
    left = Session.objects.get(session_key=session_key(client)).expire_date - clock.now()
    assert left <= dt.timedelta(minutes=10)


def test_a_login_with_an_expired_token_renews_it_and_ends_other_sessions(
    browser: Client, user: Person
) -> None:
    User.objects.update(auth_token_expires=clock.now() - dt.timedelta(seconds=1))
    second = Client()
    sign_in(second, user)
    assert user.row.auth_token_expires > clock.now()
    assert not is_in(browser)
    assert is_in(second)


def test_deactivation_ends_sessions_and_tokens_at_once(
    browser: Client, user: Person, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    assert is_in(browser)
    _derived_tokens(user.row)
    with django_capture_on_commit_callbacks(execute=True):
        accounts.deactivate(ADMINISTRATOR, user_id=user.row.pk)
    assert not is_in(browser)
    assert not Session.objects.exists()
    assert not SessionCatalog.objects.exists()
    assert not OAuth2Token.objects.exists()
    assert not ScopedToken.objects.exists()


def test_an_inactive_user_is_out_even_if_a_session_survived(browser: Client) -> None:
    User.objects.update(is_active=False)
    assert not is_in(browser)


def _derived_tokens(user: User) -> None:
    now, later = clock.now(), clock.now() + dt.timedelta(minutes=1)
    application = OAuth2Client.objects.create(name="c", identifier="c", type="public")
    for kind in ("online", "offline"):
        OAuth2Token.objects.create(
            user=user, client=application, code_digest=kind, created_at=now, expires_at=later,
            redirect_uri="https://c", access_token=kind,
        )  # fmt: skip
    ScopedToken.objects.create(
        user=user, digest="s", audit_id="a", parent_digest="p", created=now, expires=later
    )


def test_a_renewal_ends_online_tokens_and_the_sessions_it_is_told_to(browser: Client, user: Person) -> None:
    second = Client()
    sign_in(second, user)
    _derived_tokens(user.row)
    acting = Credentials(user_id=user.uuid)
    token_renewal.renew_token(acting, user_id=user.row.pk)
    assert [row.access_token for row in OAuth2Token.objects.all()] == ["offline"]
    assert not ScopedToken.objects.exists()
    assert is_in(browser)
    assert is_in(second)
    token_renewal.renew_token(acting, user_id=user.row.pk, end_sessions_besides=session_key(second))
    assert not is_in(browser)
    assert is_in(second)
    token_renewal.renew_token(acting, user_id=user.row.pk, end_sessions_besides=None)
    assert not is_in(second)


def test_an_administrators_renewal_ends_tokens_but_no_session(browser: Client, user: Person) -> None:
    _derived_tokens(user.row)
    changes = user_changes.UserChanges(renew_token=True)
    user_changes.modify(ADMINISTRATOR, user_id=user.row.pk, changes=changes)
    assert [row.access_token for row in OAuth2Token.objects.all()] == ["offline"]
    assert is_in(browser)


def test_an_administrators_new_password_ends_all_sessions(browser: Client, user: Person) -> None:
    changes = user_changes.UserChanges(password="another-password")
    user_changes.modify(ADMINISTRATOR, user_id=user.row.pk, changes=changes)
    assert not is_in(browser)


def test_a_logout_ends_this_session_and_online_tokens_only(browser: Client, user: Person) -> None:
    second = Client()
    sign_in(second, user)
    _derived_tokens(user.row)
    browser.post("/test/sign-out")
    assert not is_in(browser)
    assert is_in(second)
    assert [row.access_token for row in OAuth2Token.objects.all()] == ["offline"]
    assert ScopedToken.objects.exists()
    assert browser.cookies[COOKIE].value == ""


def test_expired_sessions_are_deleted_with_their_catalog(browser: Client) -> None:
    Session.objects.update(expire_date=clock.now() - dt.timedelta(days=1))
    assert sessions.delete_expired() == 1
    assert not Session.objects.exists()


# -- access ----------------------------------------------------------------------------------------------


def test_a_guarded_page_leads_to_the_login_and_back(client: Client) -> None:
    answer = client.get("/test/login?a=1&b=%C3%BC")
    assert answer.status_code == 302
    assert answer["Location"] == "/astakos/ui/login?next=%2Ftest%2Flogin%3Fa%3D1%26b%3D%25C3%25BC"


def test_unsigned_terms_come_before_the_page(browser: Client, user: Person) -> None:
    ApprovalTerms.objects.create(date=clock.now(), location="/terms.txt")
    User.objects.update(has_signed_terms=False)
    assert browser.get("/test/login").status_code == 200
    answer = browser.get("/test/terms")
    assert answer["Location"] == "/astakos/ui/approval_terms?next=%2Ftest%2Fterms&show_form="
    User.objects.update(has_signed_terms=True)
    assert browser.get("/test/terms").status_code == 200


def test_a_missing_required_login_method_leads_to_the_profile(browser: Client, settings: Settings) -> None:
    settings.ASTAKOS_IM_MODULES = ["local", "shibboleth"]
    settings.ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_REQUIRED_POLICY = True
    answer = browser.get("/test/ready")
    assert (answer.status_code, answer["Location"]) == (302, "/astakos/ui/profile")


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/astakos/ui/landing?x=1#y",
        "http://testserver/pithos/ui",
        "https://testserver/x",
        "https://demo.other.example/ui/x",
        "https://site.example/x",
        "https://deep.sub.site.example:8443/x",
        "https://SUB.Site.Example/x",
    ],
)
def test_next_may_lead_to_our_own_places(client: Client, settings: Settings, address: str) -> None:
    assert judged(client, settings, address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "//evil.example",
        "///evil.example",
        "////evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "http:evil.example",
        "https:evil.example",
        "https:/evil.example",
        "https:///evil.example",
        "http:\\\\evil.example",
        "javascript:alert(1)",
        "JaVaScRiPt://testserver/%0aalert(1)",
        "data:text/html,x",
        "pithos://x",
        "ftp://testserver/x",
        "https://testserver@evil.example",
        "https://user:pass@testserver/",
        "https://evil.example#@testserver",
        "https://evil.example?@testserver",
        "https://evil.example\\@testserver",
        "https://evil.example:80/",
        "https://evil.EXAMPLE/",
        "https://testserver.evil.example/",
        "https://eviltestserver/",
        "https://evilsite.example/",
        "https://site.example.evil.example/",
        "https://testserver:8000/",
        "https://testserver:x/",
        "https://[::1",
        "https://testserver\x00.evil.example/",
        "/\x09/evil.example",
        "\x01//evil.example",
        "/\n/evil.example",
        " //evil.example",
        " https://evil.example",
        "/x\r\nSet-Cookie: a=b",
        "https://evil.example\u3002site.example.example/",
        "https://ｅvil.site.example/",
        "https://evil.example\u2100.site.example/",
        "https://\u202etestserver/",
        "astakos/ui",
        "?next=x",
        "#x",
        "/" + "x" * 20_000,
    ],
)
def test_next_never_leads_elsewhere(client: Client, settings: Settings, address: str) -> None:
    assert judged(client, settings, address) == "/default"


def judged(client: Client, settings: Settings, address: str) -> str:
    settings.ASTAKOS_COOKIE_DOMAIN = ".site.example"
    public.register_component(
        name="other",
        base_url="https://demo.other.example/x",
        ui_url="https://demo.other.example/ui",
        services=(),
    )
    return client.get(f"/test/next?{urlencode({'next': address})}").content.decode()


def test_without_a_cookie_domain_no_other_host_is_ours(client: Client) -> None:
    answer = client.get("/test/next", {"next": "https://site.example/"})
    assert answer.content == b"/default"


# -- cookie ----------------------------------------------------------------------------------------------


def test_the_cookie_has_uuid_and_token_and_is_kept_from_scripts(browser: Client, user: Person) -> None:
    morsel = browser.cookies[COOKIE]
    assert morsel.value == f"{user.uuid}%7C{user.token}"
    assert (morsel["httponly"], morsel["secure"], morsel["samesite"], morsel["path"]) == (
        True,
        True,
        "Lax",
        "/",
    )


def test_settings_restore_the_readable_cookie(client: Client, user: Person, settings: Settings) -> None:
    settings.ASTAKOS_COOKIE_HTTPONLY = settings.ASTAKOS_COOKIE_SECURE = False
    settings.ASTAKOS_COOKIE_NAME, settings.ASTAKOS_COOKIE_DOMAIN = "okeanos", ".lab.example"
    settings.ASTAKOS_TRANSLATE_UUIDS = True
    sign_in(client, user)
    morsel = client.cookies["okeanos"]
    assert unquote(morsel.value).startswith("maria@lab.example|")
    assert (morsel["httponly"], morsel["secure"], morsel["domain"]) == ("", "", ".lab.example")


def test_a_missing_or_wrong_cookie_is_corrected_without_a_redirect(browser: Client, user: Person) -> None:
    for wrong in ("", "x", f"{user.uuid}|old"):
        browser.cookies[COOKIE] = wrong
        answer = browser.get("/test/open")
        assert answer.status_code == 200
        assert answer.cookies[COOKIE].value == f"{user.uuid}%7C{user.token}"
    assert COOKIE not in browser.get("/test/open").cookies


def test_a_renewed_token_reaches_the_cookie_with_the_next_page(browser: Client, user: Person) -> None:
    token = token_renewal.renew_token(Credentials(user_id=user.uuid), user_id=user.row.pk)
    assert browser.get("/test/open").cookies[COOKIE].value == f"{user.uuid}%7C{token}"


def test_an_anonymous_visitors_cookie_is_deleted(client: Client) -> None:
    client.cookies[COOKIE] = "x|y"
    answer = client.get("/test/open")
    assert answer.cookies[COOKIE]["max-age"] == 0
    client.cookies[COOKIE] = "x|y"
    assert client.get("/astakos/ui/get_menu").cookies[COOKIE]["max-age"] == 0


def test_a_switched_off_cookie_is_not_set(client: Client, user: Person, settings: Settings) -> None:
    settings.ASTAKOS_COOKIE_ENABLED = False
    sign_in(client, user)
    assert COOKIE not in client.cookies


def test_api_calls_neither_read_sessions_nor_touch_the_cookie(browser: Client, user: Person) -> None:
    browser.cookies[COOKIE] = "x|y"
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = browser.get("/astakos/account/v1.0/authenticate", headers={"X-Auth-Token": user.token})
    assert answer.status_code == 200
    assert COOKIE not in answer.cookies
    assert not [q for q in queries.captured_queries if "django_session" in q["sql"]]


def test_whoami_tells_our_own_pages_without_the_token(browser: Client, user: Person) -> None:
    answer = browser.get("/astakos/ui/whoami", headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.json() | {"expires": ""} == {
        "authenticated": True,
        "uuid": user.uuid,
        "email": "maria@lab.example",
        "name": "Maria Doe",
        "expires": "",
    }
    assert user.token not in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"
    assert Client().get("/astakos/ui/whoami").json() == {"authenticated": False}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_whoami_refuses_other_sites(browser: Client, site: str) -> None:
    assert browser.get("/astakos/ui/whoami", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert browser.post("/astakos/ui/whoami").status_code == 405
