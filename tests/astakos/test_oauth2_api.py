"""The OAuth2 provider as clients, browsers and resource servers see it (identity contract 1.9, 1.4)."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import io
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from astakos import public
from astakos.logic import accounts, housekeeping, oauth2, oauth2_clients, token_renewal
from astakos.models import ApprovalTerms, OAuth2Client, OAuth2Code, OAuth2Token, User
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, NotFound
from tests.astakos.conftest import Api, Person
from tests.astakos.test_commissions_race import in_threads
from tests.markers import needs_postgres

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.urls("tests.astakos.pages_urls")]
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
    token = public.exchange_oauth2_code(client="pithos-view", secret=SECRET, code=code, redirect_uri=uri)
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


# -- commands --------------------------------------------------------------------------------------------


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_clients_are_added_listed_and_removed(db: None) -> None:
    run(
        "oauth2-client-add", "view", "--secret", "s" * 20, "--is-trusted", "--url", VIEW, "--url", "https://b"
    )
    run("oauth2-client-add", "app", "--type", "public", "--url", "https://c/" + "x" * 6000, "https://d:443/")
    rows = json.loads(run("oauth2-client-list", "--output-format", "json"))
    assert [(row["identifier"], row["redirect_uris"]) for row in rows] == [
        ("view", f"{VIEW}, https://b/"),
        ("app", "https://d/"),
    ]
    run("oauth2-client-remove", "-f", "view")
    run("oauth2-client-remove", "-f", str(OAuth2Client.objects.get().pk))
    assert not OAuth2Client.objects.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("x",),
        ("x", "--secret", "s"),
        ("x", "--url", VIEW),
        ("x", "--secret", "s", "--url", "javascript:x"),
        ("x", "--secret", "s", "--url", "https://c/" + "x" * 6000),
        ("x:y", "--secret", "s", "--url", VIEW),
        ("pithos-view", "--secret", "s", "--url", VIEW),
    ],
)
def test_an_unusable_client_is_not_added(view: OAuth2Client, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run("oauth2-client-add", *words)
    assert OAuth2Client.objects.count() == 1


def test_removing_an_unknown_client_fails(db: None) -> None:
    with pytest.raises(CommandError):
        run("oauth2-client-remove", "-f", "nobody")


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
