"""OpenID Connect and OAuth 2.0 logins against a local provider (identity contract 4.5)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured

from astakos.logic import social
from synnefo.errors import BadRequest, Forbidden, ServiceUnavailable, SynnefoError
from tests.lab.instance import free_ports
from tests.lab.oidc_server import CLIENT_ID, CLIENT_SECRET, OidcServer

pytestmark = pytest.mark.functional

pytest.importorskip("social_core")
CALLBACK = "http://testserver/astakos/ui/login/{module}/authenticated"


@pytest.fixture(scope="module")
def running() -> Iterator[OidcServer]:
    server = OidcServer().start()
    yield server
    server.stop()


@pytest.fixture
def server(running: OidcServer, settings: Any) -> OidcServer:
    running.reset()
    settings.ASTAKOS_IM_MODULES = ["local", *social.MODULES]
    for name in ("GOOGLE_CLIENT_ID", "LINKEDIN_TOKEN", "TWITTER_TOKEN", "OIDC_CLIENT_ID"):
        setattr(settings, f"ASTAKOS_{name}", CLIENT_ID)
    for name in ("GOOGLE", "LINKEDIN", "TWITTER", "OIDC"):
        setattr(settings, f"ASTAKOS_{name}_SECRET", CLIENT_SECRET)
        setattr(settings, f"ASTAKOS_{name}_ISSUER", running.url)
    settings.ASTAKOS_TWITTER_AUTHORIZATION_URL = f"{running.url}/authorize"
    settings.ASTAKOS_TWITTER_TOKEN_URL = f"{running.url}/token"
    settings.ASTAKOS_TWITTER_USER_URL = f"{running.url}/2/users/me"
    settings.ASTAKOS_SOCIAL_TIMEOUT = 3
    return running


def begin(module: str, session: dict[str, Any]) -> str:
    return social.begin(module, session=session, redirect_uri=CALLBACK.format(module=module))


def complete(module: str, session: dict[str, Any], query: str) -> Any:
    return social.complete(
        module, session=session, data=dict(parse_qsl(query)), redirect_uri=CALLBACK.format(module=module)
    )


def log_in(server: OidcServer, module: str) -> Any:
    session: dict[str, Any] = {}
    return complete(module, session, server.authorize(begin(module, session)))


@pytest.mark.parametrize("module", ["google", "linkedin", "oidc"])
def test_an_openid_login_tells_who_it_is(server: OidcServer, module: str) -> None:
    found = log_in(server, module)
    assert (found.module, found.identifier, found.email, found.first_name, found.last_name) == (
        module, "1234567890", "maria@provider.example", "Maria", "Doe",
    )  # fmt: skip


def test_a_twitter_login_tells_the_numeric_id_and_the_screen_name(server: OidcServer) -> None:
    found = log_in(server, "twitter")
    assert (found.identifier, found.info["screen_name"], found.email) == ("777", "maria_x", "")
    assert (found.first_name, found.last_name) == ("Maria", "Doe")


@pytest.mark.parametrize("module", social.MODULES)
def test_each_request_has_its_own_state_and_challenge(server: OidcServer, module: str) -> None:
    session: dict[str, Any] = {}
    queries = [parse_qs(urlsplit(begin(module, session)).query) for _ in range(2)]
    for name in ("state", "code_challenge"):
        assert queries[0][name] != queries[1][name]
    assert queries[0]["redirect_uri"] == [CALLBACK.format(module=module)]


def test_a_forced_twitter_login_is_asked_for(server: OidcServer, settings: Any) -> None:
    settings.ASTAKOS_TWITTER_AUTH_FORCE_LOGIN = True
    assert "force_login=true" in begin("twitter", {})


@pytest.mark.parametrize("module", social.MODULES)
def test_an_answer_for_another_browser_is_refused(server: OidcServer, module: str) -> None:
    query = server.authorize(begin(module, {}))
    with pytest.raises(BadRequest):
        complete(module, {}, query)


@pytest.mark.parametrize("module", social.MODULES)
def test_an_answer_is_good_once(server: OidcServer, module: str) -> None:
    session: dict[str, Any] = {}
    query = server.authorize(begin(module, session))
    complete(module, session, query)
    with pytest.raises(BadRequest):
        complete(module, session, query)


@pytest.mark.parametrize("query", ["", "state=x&code=y", "code=y", "state=", "error=server_error"])
def test_an_answer_without_a_request_is_refused(server: OidcServer, query: str) -> None:
    session: dict[str, Any] = {}
    begin("google", session)
    with pytest.raises(SynnefoError):
        complete("google", session, query)


def test_a_declined_login_says_so(server: OidcServer) -> None:
    session: dict[str, Any] = {}
    begin("google", session)
    with pytest.raises(Forbidden):
        complete("google", session, "error=access_denied")


_FORGERIES: dict[str, dict[str, Any]] = {
    "of another key": {"signing_key": "another"},
    "without signature": {"algorithm": "none"},
    "signed by a secret": {"algorithm": "HS256"},
    "for another client": {"token_claims": {"aud": "somebody-else"}},
    "for several clients": {"token_claims": {"aud": [CLIENT_ID, "other"], "azp": "other"}},
    "of another issuer": {"token_claims": {"iss": "https://evil.example"}},
    "expired": {"token_claims": {"exp": int(time.time()) - 100}},
    "issued long ago": {"token_claims": {"iat": int(time.time()) - 10_000}},
    "with another nonce": {"token_claims": {"nonce": "other"}},
    "without nonce": {"drop_nonce": True},
    "of another person": {"userinfo": {"sub": "999", "email": "x@y.example"}},
    "of nobody": {"token_claims": {"sub": ""}},
}


@pytest.mark.parametrize("forgery", _FORGERIES)
@pytest.mark.parametrize("module", ["google", "oidc"])
def test_an_id_token_is_refused_when(server: OidcServer, module: str, forgery: str) -> None:
    server.answers = _FORGERIES[forgery]
    with pytest.raises(BadRequest):
        log_in(server, module)


def test_a_provider_that_fails_is_not_the_visitors_fault(server: OidcServer) -> None:
    session: dict[str, Any] = {}
    query = server.authorize(begin("twitter", session))
    server.answers = {"status": 500}
    with pytest.raises(ServiceUnavailable):
        complete("twitter", session, query)


def test_a_provider_that_is_down_is_not_the_visitors_fault(server: OidcServer, settings: Any) -> None:
    settings.ASTAKOS_OIDC_ISSUER = f"http://127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(ServiceUnavailable):
        begin("oidc", {})


def test_a_wrong_secret_is_refused(server: OidcServer, settings: Any) -> None:
    settings.ASTAKOS_GOOGLE_SECRET = "wrong"
    with pytest.raises(SynnefoError):
        log_in(server, "google")


def test_a_method_without_settings_names_them(server: OidcServer, settings: Any) -> None:
    settings.ASTAKOS_OIDC_SECRET = ""
    with pytest.raises(ImproperlyConfigured, match="ASTAKOS_OIDC_SECRET"):
        begin("oidc", {})


def test_attributes_may_be_forced(server: OidcServer, settings: Any) -> None:
    settings.ASTAKOS_AUTH_PROVIDER_OIDC_USER_ATTR_MAP = {
        "email": ("email", False),
        "identifier": ("oid", False),
    }
    settings.ASTAKOS_AUTH_PROVIDER_OIDC_PROVIDER_ATTRS = ["locale"]
    server.claims.update(oid="o-1", locale="el")
    found = log_in(server, "oidc")
    assert (found.identifier, found.forced, found.info["locale"]) == ("o-1", {"email"}, "el")
