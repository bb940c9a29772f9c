"""Every API route of every service: who gets in without a token, and what no input may do.

The table names the routes that answer without the dialect's token, each with its reason; a new route that is
open must be added here.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from astakos import public as astakos
from cyclades import public as cyclades
from pithos import public as pithos
from synnefo.management.references import open_routes, routes
from tests.security.undoing import undone

ROUTES = sorted(set(routes()))

#: Route -> why it answers without a user's token.
OPEN = {
    "astakos/account(?:/|$)v1\\.0/resources/?$": "what there is to have quota of is public",
    "astakos/identity(?:/|$)(?:\\.json)?$": "discovery",
    "astakos/identity(?:/|$)v2\\.0/?(?:\\.json)?$": "discovery",
    "astakos/identity(?:/|$)v2\\.0/tokens/(?P<token>[\\s\\S]+)$": "the token in the path is what is checked",
    "astakos/identity(?:/|$)v2\\.0/tokens/?$": "clients authenticate here; the catalog is public",
    "astakos/identity(?:/|$)v3(?:/|$)$": "discovery",
    "astakos/identity(?:/|$)v3(?:/|$)auth/tokens/?$": "clients authenticate here",
    "astakos/oauth2/token/?$": "clients authenticate by Basic",
    "astakos/admin(?:/|$)$": "nothing there",
    "astakos/admin(?:/|$)stats/?$": "how many users there are is public",
    "astakos/ui/get_menu/?$": "the session decides",
    "astakos/ui/get_services/?$": "the list of services is public",
    "cyclades/admin(?:/|$)stats/?$": "counts without names are public",
    "cyclades/admin(?:/|$)stats/simple/?$": "counts without names are public",
    "cyclades/compute(?:/|$)$": "discovery",
    "cyclades/compute(?:/|$)v2.0/?$": "discovery",
    "cyclades/compute(?:/|$)v2.1/?$": "discovery",
    "cyclades/image(?:/|$)(?:versions/?)?$": "discovery",
    "cyclades/network(?:/|$)$": "discovery",
    "cyclades/network(?:/|$)v2.0/?$": "discovery",
    "cyclades/volume(?:/|$)$": "discovery",
    "cyclades/volume(?:/|$)v2(?:\\.0)?/?$": "discovery",
    "cyclades/volume(?:/|$)v3/?$": "discovery",
    "cyclades/vmapi(?:/|$)v1\\.0/server-params/(?P<key>[0-9a-fA-F-]{36})/?$": "the key is the secret",
    "pithos/_astakos/account/feedback/?$": "identity's own view asks for the token",
    "pithos/_astakos/account/user_catalogs/?$": "identity's own view asks for the token",
    "pithos/_astakos/identity/(?P<path>[\\s\\S]*)$": "identity's own views decide",
    "pithos/_astakos/ui(?:/(?P<path>[\\s\\S]*))?$": "a redirection",
    "pithos/ui$": "a redirection",
    "pithos/public$": "a redirection",
    "pithos/ui/view/(?P<account>[^/]+)/(?P<container>[^/]+)/(?P<name>[\\s\\S]+)$": "OAuth2 and a cookie",
    "pithos/object\\-store/info/?$": "what the service can do is public",
    **{
        f"stats/v1\\.0/{graph}/(?P<token>[^/]+)/?$": "the token in the path is the secret"
        for graph in ("cpu-bar", "net-bar", "cpu-ts", "net-ts", "cpu-ts-w", "net-ts-w")
    },
    "pithos/public/(?P<public_id>[^/]+)/?$": "published objects; the address is the secret",
}


#: Pieces of the routes' regular expressions -> text they match, applied in this order.
_PIECES = (
    (r"\(\?P<\w+>\[0-9a-f(?:A-F)?-\]\{36\}\)", "8f0b7f2e-3b1d-4b5f-9c9e-0d6f6f1f2a11"),
    (r"\(\?P<\w+>\\d\+\)", "1"),
    (r"\(\?P<\w+>\[0-9\]\{1,30\}\)", "1"),
    (r"\(\?:agents\|quotas\)", "agents"),
    (r"\(\?:/\[\^/\]\+\)\{0,2\}", ""),
    (r"\(\?P<\w+>[^()]+\)", "x"),
    (r"\(\?:/\|\$\)", "/"),
    (r"\(\?:[^()]*\)\?", ""),
    (r"/\?", ""),
    (r"\\(.)", r"\1"),
    (r"\$|\\Z", ""),
)

#: Routes of POST that read no body, whatever is sent.
BODYLESS = ("/os-floating-ips", "cyclades/userdata(?:/|$)keys/generate")


def reads_a_body(pattern: str, verb: str) -> bool:
    """Tell whether a route of the JSON dialects looks at what is sent to it."""
    return verb in ("POST", "PUT", "PATCH") and not any(text in pattern for text in BODYLESS)


def sample(pattern: str, value: str = "") -> str:
    """Return a path that *pattern* matches; *value* is put where a client's own text goes."""
    for piece, text in _PIECES:
        pattern = re.sub(piece, (lambda _, v=value: v) if value and text == "x" else text, pattern)
    return pattern


def test_samples_match_their_routes() -> None:
    assert [pattern for pattern, _ in ROUTES if not re.search(f"^(?:{pattern})", sample(pattern))] == []


@pytest.mark.db
@pytest.mark.django_db
@pytest.mark.parametrize("token", [None, "a-token-that-nobody-has"])
def test_without_a_valid_token_only_open_routes_answer(client: Client, token: str | None) -> None:
    headers = {"X-Auth-Token": token} if token else {}

    def status(pattern: str, verb: str) -> int:
        client.cookies.clear()
        return client.generic(verb, "/" + sample(pattern), headers=headers).status_code

    client.raise_request_exception = False
    wrong = []
    for pattern, verb in ((pattern, verb) for pattern, verbs in ROUTES for verb in verbs.split(", ")):
        answered = undone(lambda pattern=pattern, verb=verb: status(pattern, verb))  # type: ignore[misc]
        # Browsers ask for OPTIONS without a token, before a script's request.
        if pattern in OPEN or (verb == "OPTIONS" and not token):
            expected = answered < 500
        else:
            # The store's top level takes an old client's login, which is missing here; the administrators'
            # API of users is switched off: both 400.
            top = pattern.startswith("pithos/object") and "account" not in pattern
            expected = answered in ({401, 400} if top or "v2\\.0/users" in pattern else {401})
        if not expected:
            wrong.append(f"{verb} {pattern}: {answered}")
    assert not wrong, "\n".join(wrong)


def test_no_route_is_open_by_accident() -> None:
    assert set(open_routes()) == OPEN.keys()


@pytest.fixture
def token(db: None) -> str:
    for name, service in (("astakos", astakos), ("pithos", pithos), ("cyclades", cyclades)):
        url = f"http://testserver/{name}"
        astakos.register_component(
            name=name, base_url=url, ui_url=f"{url}/ui", services=service.service_definitions()
        )
    return astakos.create_user(
        email="f@lab.example", password="x-password", first_name="F", last_name="F"
    ).token


_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.db
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_input_is_answered_with_an_unexpected_error(
    client: Client, token: str, data: st.DataObject
) -> None:
    pattern, verbs = data.draw(st.sampled_from(ROUTES))
    path = sample(pattern, quote(data.draw(st.text(max_size=12))))
    verb = data.draw(st.sampled_from([*verbs.split(", "), "GET", "POST", "PUT", "DELETE", "PATCH"]))
    body = data.draw(
        st.binary(max_size=50) | _JSON.map(lambda value: __import__("json").dumps(value).encode())
    )
    query = data.draw(
        st.dictionaries(
            st.sampled_from(["format", "limit", "marker", "changes-since", "x"]), st.text(max_size=8)
        )
    )
    content_type = data.draw(
        st.sampled_from(["application/json", "text/plain", "application/octet-stream", ""])
    )
    answer = client.generic(
        verb,
        "/" + path,
        data=body,
        content_type=content_type,
        headers={"X-Auth-Token": token},
        QUERY_STRING=_encoded(query),
    )
    assert answer.status_code < 500 or answer.status_code in (501, 503), (verb, path)


def _encoded(query: dict[str, str]) -> str:
    from urllib.parse import urlencode

    return urlencode(query, errors="replace")
