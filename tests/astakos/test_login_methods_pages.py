"""Login methods in the browser: forms, redirects, callbacks, second factor (web contract 8: A-03, A-15)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from django.test import Client

from astakos.logic import ldap_login, second_factor
from astakos.logic.external_identity import ExternalIdentity
from astakos.models import PendingThirdPartyUser, TotpDevice, User, UserAuthProvider
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.errors import ServiceUnavailable
from tests.astakos.conftest import MakeUser
from tests.lab.authenticator import Authenticator
from tests.lab.oidc_server import CLIENT_ID, CLIENT_SECRET, OidcServer

pytestmark = pytest.mark.db
UI = "/astakos/ui"
ADMIN = Credentials.administrator()
SHIBBOLETH = {
    "HTTP_REMOTE_USER": "persistent-maria",
    "HTTP_EPPN": "maria@university.example",
    "HTTP_SHIB_INETORGPERSON_DISPLAYNAME": "Maria van Doe",
    "HTTP_SHIB_INETORGPERSON_GIVENNAME": "Mary",
    "HTTP_SHIB_MAIL": "maria@university.example",
    "HTTP_SHIB_EP_AFFILIATION": "staff",
}


@pytest.fixture(autouse=True)
def _modules(settings: Any) -> None:
    settings.ASTAKOS_IM_MODULES = ["local", "shibboleth", "ldap", "google"]


@pytest.fixture
def maria(make_user: MakeUser) -> User:
    return make_user().row


def post_password(client: Client, password: str = "a-password", **fields: str) -> Any:
    return client.post(f"{UI}/local", {"username": "Maria@lab.example", "password": password, **fields})


def is_logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def give(user: User, module: str, identifier: str) -> UserAuthProvider:
    return UserAuthProvider.objects.create(
        user=user, module=module, identifier=identifier, created=clock.now()
    )


def texts(client: Client) -> str:
    return client.get(f"{UI}/login").content.decode()


# -- password ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["local", "login/local"])
def test_a_password_logs_in_and_leads_on(client: Client, maria: User, path: str) -> None:
    response = client.post(
        f"{UI}/{path}",
        {"username": "MARIA@lab.example", "password": "a-password", "next": f"{UI}/profile"},
    )
    assert (response.status_code, response["Location"]) == (303, f"{UI}/profile")
    assert is_logged_in(client)
    assert response.cookies["astakos_last_login_method"].value == "local"


def test_a_wrong_password_shows_the_form_again_without_it(client: Client, maria: User) -> None:
    response = post_password(client, "wrong-password")
    assert response.status_code == 422
    assert b"Maria@lab.example" in response.content and b"wrong-password" not in response.content
    assert not is_logged_in(client)


def test_a_login_never_leads_elsewhere(client: Client, maria: User) -> None:
    response = post_password(client, next="https://evil.example/")
    assert response.status_code == 303
    assert "evil" not in response["Location"]


@pytest.mark.usefixtures("one_period")
def test_too_many_attempts_wait(client: Client, maria: User) -> None:
    for _attempt in range(3):
        response = post_password(client, "wrong")
    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0


def test_a_login_needs_the_forms_token(maria: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert post_password(client).status_code == 403


def test_the_session_gets_another_key(client: Client, maria: User) -> None:
    client.get(f"{UI}/login")
    session = client.session
    session["planted"] = 1
    session.save()
    planted = session.session_key
    post_password(client)
    assert client.session.session_key != planted


def test_a_waiting_identity_is_attached_after_the_login(client: Client, maria: User) -> None:
    from astakos.logic import third_party

    token = third_party.remember(ExternalIdentity(module="google", identifier="g"))
    post_password(client, key=token)
    assert maria.auth_providers.filter(module="google", identifier="g").exists()


# -- second factor -----------------------------------------------------------------------------------------


@pytest.fixture
def secret(maria: User) -> str:
    secret = second_factor.begin_totp(ADMIN, user_id=maria.pk).secret
    second_factor.confirm_totp(ADMIN, user_id=maria.pk, code=pyotp.TOTP(secret).at(clock.now()))
    TotpDevice.objects.update(last_step=0)
    return secret


def test_the_password_alone_opens_nothing(client: Client, maria: User, secret: str) -> None:
    response = post_password(client, next=f"{UI}/profile")
    assert (response.status_code, response["Location"]) == (303, f"{UI}/login/second_factor")
    assert not is_logged_in(client)
    assert "login" in client.get(f"{UI}/profile")["Location"]
    assert client.get(f"{UI}/second_factor").status_code == 302
    assert client.get(response["Location"]).status_code == 200
    code = pyotp.TOTP(secret).at(clock.now())
    response = client.post(response["Location"], {"code": code})
    assert (response.status_code, response["Location"]) == (303, f"{UI}/profile")
    assert is_logged_in(client)


@pytest.mark.usefixtures("one_period")
def test_a_wrong_code_is_asked_for_again(client: Client, maria: User, secret: str) -> None:
    post_password(client)
    response = client.post(f"{UI}/login/second_factor", {"code": "000000"})
    assert response.status_code == 422
    assert not is_logged_in(client)
    for _attempt in range(5):
        response = client.post(f"{UI}/login/second_factor", {"code": "000000"})
    assert response.status_code == 429


def test_a_code_without_a_password_is_worth_nothing(client: Client, maria: User, secret: str) -> None:
    code = pyotp.TOTP(secret).at(clock.now())
    response = client.post(f"{UI}/login/second_factor", {"code": code})
    assert response["Location"].endswith("/login")
    assert not is_logged_in(client)


def test_a_password_changed_meanwhile_ends_the_half_login(client: Client, maria: User, secret: str) -> None:
    post_password(client)
    maria.set_password("another")
    maria.save()
    response = client.post(f"{UI}/login/second_factor", {"code": pyotp.TOTP(secret).at(clock.now())})
    assert response["Location"].endswith("/login")
    assert not is_logged_in(client)


def test_a_half_login_ends_after_a_while(client: Client, maria: User, secret: str, settings: Any) -> None:
    post_password(client)
    settings.ASTAKOS_SECOND_FACTOR_MAX_AGE = -1
    response = client.post(f"{UI}/login/second_factor", {"code": pyotp.TOTP(secret).at(clock.now())})
    assert response["Location"].endswith("/login")


def test_a_passkey_logs_in(client: Client, maria: User) -> None:
    authenticator = Authenticator()
    options, challenge = second_factor.begin_passkey(user=maria)
    second_factor.add_passkey(
        ADMIN, user_id=maria.pk, name="x", answer=authenticator.make(options), challenge=challenge
    )
    post_password(client)
    page = client.get(f"{UI}/login/second_factor")
    answer = authenticator.use(page.context["options"])
    assert client.post(f"{UI}/login/second_factor", {"answer": answer}).status_code == 303
    assert is_logged_in(client)


def test_policy_may_require_a_second_factor(client: Client, maria: User, settings: Any) -> None:
    settings.ASTAKOS_SECOND_FACTOR_POLICY = "required"
    response = post_password(client, next=f"{UI}/profile")
    assert response["Location"] == f"{UI}/login/second_factor/set_up"
    page = client.get(response["Location"])
    assert page.status_code == 200 and not is_logged_in(client)
    code = pyotp.TOTP(page.context["setup"].secret).at(clock.now())
    response = client.post(response["Location"], {"code": code})
    assert response.status_code == 303 and is_logged_in(client)
    page = client.get(response["Location"])
    assert len(page.context["codes"]) == second_factor.RECOVERY_CODES
    assert page.context["following"] == f"{UI}/profile"
    assert client.get(response["Location"]).context["codes"] is None


def test_who_is_protected_cannot_set_up_another_application_half_way(
    client: Client, maria: User, secret: str
) -> None:
    post_password(client)
    assert client.get(f"{UI}/login/second_factor/set_up")["Location"].endswith("/login/second_factor")


def test_second_factors_are_managed_on_their_page(client: Client, maria: User) -> None:
    post_password(client)
    page = client.get(f"{UI}/second_factor/totp")
    code = pyotp.TOTP(page.context["setup"].secret).at(clock.now())
    assert client.post(f"{UI}/second_factor/totp", {"code": "1"}).status_code == 422
    assert client.post(f"{UI}/second_factor/totp", {"code": code}).status_code == 303
    page = client.get(f"{UI}/second_factor/passkeys/add")
    answer = Authenticator().make(page.context["options"])
    response = client.post(f"{UI}/second_factor/passkeys/add", {"answer": answer, "name": "Laptop"})
    assert response.status_code == 303
    assert b"Laptop" in client.get(f"{UI}/second_factor").content
    passkey = maria.passkeys.get()
    for path in (f"passkeys/{passkey.pk}/remove", "recovery", "totp/remove"):
        assert client.get(f"{UI}/second_factor/{path}").status_code == 405
        assert client.post(f"{UI}/second_factor/{path}").status_code == 303
    assert not second_factor.factors_of(maria).is_protected


# -- Shibboleth --------------------------------------------------------------------------------------------


def shibboleth(client: Client, settings: Any, *, peer: str = "127.0.0.1", **headers: str) -> Any:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    return client.get(f"{UI}/login/shibboleth", REMOTE_ADDR=peer, **{**SHIBBOLETH, **headers})


def test_headers_of_the_trusted_server_sign_up(client: Client, db: None, settings: Any) -> None:
    response = shibboleth(client, settings)
    target = urlsplit(response["Location"])
    assert target.path == f"{UI}/signup" and "third_party_token" in parse_qs(target.query)
    row = PendingThirdPartyUser.objects.get()
    assert (row.provider, row.identifier, row.first_name, row.last_name, row.affiliation) == (
        "shibboleth", "persistent-maria", "Maria", "van Doe", "staff",
    )  # fmt: skip
    assert row.info["eppn"] == "maria@university.example"
    assert row.info["headers"]["Shib-Mail"] == "maria@university.example"


def test_headers_of_anybody_else_are_not_believed(client: Client, maria: User, settings: Any) -> None:
    give(maria, "shibboleth", "persistent-maria")
    response = shibboleth(client, settings, peer="192.0.2.7")
    assert response["Location"].startswith(f"{UI}/login")
    assert not is_logged_in(client)
    shibboleth(client, settings)
    assert is_logged_in(client)


def test_remote_user_of_the_servers_own_environment_counts(client: Client, maria: User) -> None:
    give(maria, "shibboleth", "persistent-maria")
    client.get(f"{UI}/login/shibboleth", REMOTE_USER="persistent-maria", REMOTE_ADDR="192.0.2.7")
    assert is_logged_in(client)


def test_a_login_without_identifier_says_so(client: Client, db: None, settings: Any) -> None:
    response = shibboleth(client, settings, HTTP_REMOTE_USER="")
    assert response["Location"].startswith(f"{UI}/login")
    assert "no unique identifier" in texts(client)


def test_a_login_without_name_is_refused_only_where_names_are_required(
    client: Client, db: None, settings: Any
) -> None:
    nameless = {"HTTP_SHIB_INETORGPERSON_DISPLAYNAME": "", "HTTP_SHIB_INETORGPERSON_GIVENNAME": ""}
    assert "signup" in shibboleth(client, settings, **nameless)["Location"]
    settings.ASTAKOS_SHIBBOLETH_REQUIRE_NAME_INFO = True
    assert "signup" not in shibboleth(client, settings, **nameless)["Location"]


def test_names_come_from_the_server_in_utf8(client: Client, db: None, settings: Any) -> None:
    name = "Μαρία Ντόε".encode().decode("latin-1")
    shibboleth(client, settings, HTTP_SHIB_INETORGPERSON_DISPLAYNAME=name)
    assert PendingThirdPartyUser.objects.get().first_name == "Μαρία"


def test_an_eppn_is_migrated_when_wanted(client: Client, maria: User, settings: Any) -> None:
    row = give(maria, "shibboleth", "maria@university.example")
    shibboleth(client, settings)
    assert not is_logged_in(client)
    settings.ASTAKOS_SHIBBOLETH_MIGRATE_EPPN = True
    shibboleth(client, settings)
    row.refresh_from_db()
    assert row.identifier == "persistent-maria" and is_logged_in(client)


def test_test_identities_need_debug(client: Client, maria: User, settings: Any) -> None:
    give(maria, "shibboleth", "debug-user")
    settings.SHIBBOLETH_TEST_REMOTE_USER = "debug-user"
    client.get(f"{UI}/login/shibboleth")
    assert not is_logged_in(client)


def test_a_disabled_method_has_no_page(client: Client, db: None, settings: Any) -> None:
    settings.ASTAKOS_IM_MODULES = ["local"]
    for path in ("shibboleth", "ldap", "google", "google/authenticated", "saml", "saml/metadata"):
        assert client.get(f"{UI}/login/{path}").status_code == 404


# -- LDAP --------------------------------------------------------------------------------------------------


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A directory that knows Maria, or raises what ``answers["error"]`` says."""
    answers: dict[str, Any] = {}

    def check(*, username: str, password: str) -> ExternalIdentity | None:
        if "error" in answers:
            raise answers["error"]
        return ExternalIdentity(module="ldap", identifier="guid-1") if password == "right" else None

    monkeypatch.setattr(ldap_login, "check_password", check)
    return answers


def post_ldap(client: Client, password: str = "right", path: str = "login/ldap") -> Any:
    return client.post(f"{UI}/{path}", {"username": "maria", "password": password, "next": f"{UI}/profile"})


def test_a_directory_password_logs_in(client: Client, maria: User, directory: dict[str, Any]) -> None:
    give(maria, "ldap", "guid-1")
    assert client.get(f"{UI}/login/ldap").status_code == 200
    assert post_ldap(client)["Location"] == f"{UI}/profile"
    assert is_logged_in(client)


@pytest.mark.usefixtures("one_period")
def test_a_wrong_directory_password_is_asked_for_again(
    client: Client, maria: User, directory: dict[str, Any]
) -> None:
    for _attempt in range(3):
        assert post_ldap(client, "wrong").status_code == 422
    assert post_ldap(client, "wrong").status_code == 429


def test_a_directory_that_is_down_leaves_the_other_methods(
    client: Client, maria: User, directory: dict[str, Any]
) -> None:
    directory["error"] = ServiceUnavailable("The directory does not answer.")
    response = post_ldap(client)
    assert response.status_code == 503 and b"does not answer" in response.content
    assert post_password(client).status_code == 303


def test_a_directory_identity_is_added(client: Client, maria: User, directory: dict[str, Any]) -> None:
    assert client.get(f"{UI}/login/ldap/add").status_code == 302
    post_password(client)
    assert client.get(f"{UI}/login/ldap/add").status_code == 200
    assert post_ldap(client, path="login/ldap/add").status_code == 303
    assert maria.auth_providers.filter(module="ldap", identifier="guid-1").exists()


# -- Google through a real OpenID Connect provider -----------------------------------------------------------


@pytest.fixture(scope="module")
def running() -> Iterator[OidcServer]:
    server = OidcServer().start()
    yield server
    server.stop()


@pytest.fixture
def provider(running: OidcServer, settings: Any) -> OidcServer:
    pytest.importorskip("social_core")
    running.reset()
    settings.ASTAKOS_GOOGLE_CLIENT_ID, settings.ASTAKOS_GOOGLE_SECRET = CLIENT_ID, CLIENT_SECRET
    settings.ASTAKOS_GOOGLE_ISSUER = running.url
    return running


def log_in_by_google(client: Client, provider: OidcServer, query: str = "") -> Any:
    asked = client.get(f"{UI}/login/google{query}")
    assert asked.status_code == 303 and asked["Location"].startswith(provider.url)
    return client.get(f"{UI}/login/google/authenticated?{provider.authorize(asked['Location'])}")


def test_google_logs_in_who_is_known(client: Client, maria: User, provider: OidcServer) -> None:
    give(maria, "google", "1234567890")
    response = log_in_by_google(client, provider, f"?next={UI}/profile")
    assert (response.status_code, response["Location"]) == (303, f"{UI}/profile")
    assert is_logged_in(client)


def test_google_signs_up_who_is_unknown_even_with_a_known_address(
    client: Client, maria: User, provider: OidcServer
) -> None:
    provider.claims["email"] = maria.email
    assert "third_party_token" in log_in_by_google(client, provider)["Location"]
    assert not is_logged_in(client)


def test_google_is_added_to_and_switched_in_an_account(
    client: Client, maria: User, provider: OidcServer
) -> None:
    post_password(client)
    assert log_in_by_google(client, provider)["Location"] == f"{UI}/profile"
    row = maria.auth_providers.get(module="google")
    maria.auth_providers.filter(module="local").delete()
    provider.claims["sub"] = "another"
    log_in_by_google(client, provider, f"?switch_from={row.pk}")
    row.refresh_from_db()
    assert row.identifier == "another"


def test_methods_change_only_after_a_recent_proof(
    client: Client, maria: User, provider: OidcServer, settings: Any
) -> None:
    post_password(client)
    settings.UI_STEPUP_MAX_AGE = -1
    assert "confirm" in log_in_by_google(client, provider)["Location"]
    row = maria.auth_providers.get(module="local")
    give(maria, "google", "x")
    assert "confirm" in client.post(f"{UI}/remove_auth_provider/{row.pk}")["Location"]
    assert maria.auth_providers.count() == 2


def test_a_callback_that_nobody_asked_for_is_told(client: Client, maria: User, provider: OidcServer) -> None:
    response = client.get(f"{UI}/login/google/authenticated?code=x&state=y")
    assert response["Location"].startswith(f"{UI}/login")
    assert "was not accepted" in texts(client)


def test_a_callback_of_another_browser_is_refused(client: Client, maria: User, provider: OidcServer) -> None:
    give(maria, "google", "1234567890")
    asked = Client().get(f"{UI}/login/google")
    query = provider.authorize(asked["Location"])
    client.get(f"{UI}/login/google")
    client.get(f"{UI}/login/google/authenticated?{query}")
    assert not is_logged_in(client)


def test_a_method_that_is_not_set_up_says_so(client: Client, db: None) -> None:
    assert client.get(f"{UI}/login/google")["Location"].startswith(f"{UI}/login")
    assert "not available" in texts(client)


# -- removing ------------------------------------------------------------------------------------------------


def test_a_method_is_removed_by_a_post_of_its_owner(client: Client, make_user: MakeUser, maria: User) -> None:
    row = give(maria, "google", "g")
    foreign = give(make_user("other@lab.example").row, "google", "h")
    assert client.post(f"{UI}/remove_auth_provider/{row.pk}").status_code == 302
    post_password(client)
    question = client.get(f"{UI}/remove_auth_provider/{row.pk}")
    assert 'data-page="A-08-remove"' in question.content.decode()
    assert client.get(f"{UI}/remove_auth_provider/{foreign.pk}").status_code == 404
    assert UserAuthProvider.objects.filter(module="google").count() == 2
    for target in (row, foreign):
        assert client.post(f"{UI}/remove_auth_provider/{target.pk}").status_code == 303
    assert list(UserAuthProvider.objects.filter(module="google")) == [foreign]
