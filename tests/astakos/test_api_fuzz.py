"""Whatever a client sends to any route, the answer is a fault with one key, never a 500."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from astakos.api import identity
from astakos.urls import account_api, ui_api
from tests.astakos.conftest import Api, Person

VOCABULARY = [
    "auth", "token", "id", "passwordCredentials", "username", "userId", "password", "tenantName", "tenantId",
    "uuids", "displaynames", "project_id", "feedback_msg", "feedback_data", "name", "force", "auto_accept",
    "provisions", "holder", "source", "resource", "quantity", "accept", "reject", "end_date", "join_policy",
    "max_members", "resources", "approve", "app_id", "reason", "join", "enroll", "user", "leave",
]  # fmt: skip
#: Values that have a meaning somewhere, or once broke something.
WORDS = ["", "demo.vm", "user:x", "project:x", "\x00", "\ud800", "é", "x" * 300, "[]", "null"]

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(2**70), 2**70), st.floats(), st.sampled_from(WORDS)
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(VOCABULARY), inner, max_size=5)
    ),
    max_leaves=12,
)
bodies = st.one_of(values.map(lambda value: json.dumps(value).encode()), st.binary(max_size=40))
queries = st.dictionaries(
    st.sampled_from(
        [
            "user",
            "project",
            "format",
            "callback",
            "location",
            "mode",
            "state",
            "name",
            "owner",
            "X-Auth-Token",
        ]
    ),
    st.text(max_size=10),
)
content_types = st.sampled_from(
    [
        "application/json",
        "application/json; charset=utf-8",
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
    ]
)

ROUTES = [
    ("account", "v1.0/authenticate", "GET"),
    ("account", "v1.0/user_catalogs", "POST"),
    ("account", "v1.0/service/user_catalogs", "POST"),
    ("account", "v1.0/feedback", "POST"),
    ("account", "v1.0/myaccount/default_project", "POST"),
    ("account", "v1.0/resources", "GET"),
    ("account", "v1.0/quotas", "GET"),
    ("account", "v1.0/service_quotas", "GET"),
    ("account", "v1.0/service_project_quotas", "GET"),
    ("account", "v1.0/commissions", "GET"),
    ("account", "v1.0/commissions", "POST"),
    ("account", "v1.0/commissions/action", "POST"),
    ("account", "v1.0/commissions/1", "GET"),
    ("account", "v1.0/commissions/1/action", "POST"),
    ("account", "v1.0/projects", "GET"),
    ("account", "v1.0/projects", "POST"),
    ("account", "v1.0/projects/00000000-0000-4000-8000-000000000000", "GET"),
    ("account", "v1.0/projects/00000000-0000-4000-8000-000000000000", "PUT"),
    ("account", "v1.0/projects/00000000-0000-4000-8000-000000000000/action", "POST"),
    ("account", "v1.0/projects/memberships", "GET"),
    ("account", "v1.0/projects/memberships", "POST"),
    ("account", "v1.0/projects/memberships/1", "GET"),
    ("account", "v1.0/projects/memberships/1/action", "POST"),
    ("identity", "", "GET"),
    ("identity", "v2.0", "GET"),
    ("identity", "v2.0/tokens", "POST"),
    ("identity", "v2.0/tokens/x", "GET"),
    ("identity", "v2.0/tenants", "GET"),
    ("ui", "get_services", "GET"),
    ("ui", "get_menu", "GET"),
]


def test_every_route_is_fuzzed() -> None:
    """A new route must be added to the table above."""
    served = sum(len(methods) for api in (account_api, identity.api, ui_api) for _, methods, _ in api.routes)
    assert served == len(ROUTES)


@pytest.mark.db
@pytest.mark.django_db
@pytest.mark.parametrize(("root", "path", "method"), ROUTES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies, query=queries, content_type=content_types)
def test_no_input_breaks_a_route(
    service: Api,
    user: Person,
    anonymous: Api,
    root: str,
    path: str,
    method: str,
    body: Any,
    query: dict[str, str],
    content_type: str,
) -> None:
    for api in (service, user.api, anonymous):
        assert_orderly(api, f"{root}/{path}", method, body, query, content_type)


def assert_orderly(
    api: Api, path: str, method: str, body: bytes, query: dict[str, str], content_type: str
) -> None:
    query_string = "&".join(f"{key}={quote(value)}" for key, value in query.items())
    response = api.call(method, path, body, content_type=content_type, QUERY_STRING=query_string)
    assert response.status_code < 500, response.content
    if response.status_code >= 400 and response.content and "json" in response["Content-Type"]:
        ((_, fault),) = response.json().items()
        assert fault["code"] == response.status_code
        assert fault["message"]


def quote(text: str) -> str:
    from urllib.parse import quote as percent_encode

    return percent_encode(text.encode("utf-8", "surrogatepass"))
