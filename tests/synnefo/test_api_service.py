"""What every dialect does alike: verbs, faults, headers, bodies."""

from __future__ import annotations

import json

import pytest
from django.db import OperationalError
from django.http import HttpRequest
from django.test import RequestFactory

from synnefo.api import ApiService, empty_response, json_response, read_object
from synnefo.errors import BadRequest, OverLimit, ServiceUnavailable, Unauthorized

pytestmark = pytest.mark.unit
factory = RequestFactory()


def authenticate(request: HttpRequest) -> str:
    if request.META.get("HTTP_X_AUTH_TOKEN") != "good":
        raise Unauthorized("Invalid X-Auth-Token")
    return "user"


@pytest.fixture
def service() -> ApiService:
    return ApiService("test", authenticate, xml_faults=True)


def call(service, handler, method="GET", auth=False, path="/things", **extra):
    view = service.route("things", auth=auth, **{method: handler}).callback
    return view(factory.generic(method, path, **extra))


def raising(error):
    def handler(request):
        raise error

    return handler


def test_wrong_verb_is_405_with_allow_before_the_token_is_looked_at(service):
    view = service.route("things", GET=lambda r: empty_response(), POST=lambda r: empty_response()).callback
    response = view(factory.delete("/things"))
    assert response.status_code == 405
    assert response["Allow"] == "GET,POST"
    assert json.loads(response.content) == {
        "notAllowed": {"code": 405, "message": "Method not allowed", "details": ""}
    }


def test_missing_token_is_401(service):
    response = call(service, lambda r: empty_response(), auth=True)
    assert response.status_code == 401
    assert list(json.loads(response.content)) == ["unauthorized"]


def test_credentials_reach_the_handler(service):
    response = call(
        service, lambda r: json_response({"who": r.credentials}), auth=True, headers={"X-Auth-Token": "good"}
    )
    assert json.loads(response.content) == {"who": "user"}


def test_fault_carries_one_top_level_key(service):
    response = call(service, raising(BadRequest("'name' is missing", details="look it up")))
    assert response.status_code == 400
    assert json.loads(response.content) == {
        "badRequest": {"code": 400, "message": "'name' is missing", "details": "look it up"}
    }


def test_fault_data_replaces_details(service):
    response = call(service, raising(OverLimit("full", data={"limit": 4, "usage": 4})))
    assert json.loads(response.content) == {
        "overLimit": {"code": 413, "message": "full", "data": {"limit": 4, "usage": 4}}
    }


def test_unexpected_error_is_a_500_that_tells_nothing(service):
    response = call(service, raising(RuntimeError("the password is hunter2")))
    assert response.status_code == 500
    assert b"hunter2" not in response.content
    assert json.loads(response.content)["internalServerError"]["message"] == "Unexpected error"


def test_database_away_is_503_with_retry_after(service):
    response = call(service, raising(OperationalError("connection refused")))
    assert response.status_code == 503
    assert response["Retry-After"]
    assert b"refused" not in response.content


def test_retry_after_is_what_the_error_says(service):
    assert call(service, raising(ServiceUnavailable("busy", retry_after=9)))["Retry-After"] == "9"


@pytest.mark.parametrize(
    "request_options",
    [{"path": "/things?format=xml"}, {"path": "/things.xml"}, {"headers": {"Accept": "application/xml"}}],
)
def test_xml_faults_where_the_client_asks(service, request_options):
    response = call(service, raising(BadRequest("<&>")), **request_options)
    assert response["Content-Type"] == "application/xml; charset=UTF-8"
    assert b'code="400"' in response.content
    assert b"&lt;&amp;&gt;" in response.content


def test_unknown_path_is_400(service):
    response = service.catch_all().callback(factory.get("/nosuch"))
    assert response.status_code == 400
    assert json.loads(response.content)["badRequest"]["message"] == "API endpoint not found"


def test_standard_headers(service):
    response = call(service, lambda r: json_response({}))
    assert response["Content-Type"] == "application/json; charset=UTF-8"
    assert "no-store" in response["Cache-Control"]
    assert response["Vary"] == "X-Auth-Token"
    assert response["Content-Length"] == "2"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{}", ""),
        (b"{}", "text/plain"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"\xff", "application/json"),
        (b'{"a": NaN}', "application/json"),
        (b'{"a": "\\u0000"}', "application/json"),
        (b'{"a": "\\ud800"}', "application/json"),
        (b"[" * 100_000, "application/json"),
    ],
)
def test_bad_bodies_are_400(service, body, content_type):
    response = call(
        service, lambda r: json_response(read_object(r)), method="POST", data=body, content_type=content_type
    )
    assert response.status_code == 400


def test_a_body_over_the_limit_is_413(service):
    response = call(
        service,
        lambda r: json_response(read_object(r, max_bytes=10)),
        method="POST",
        data=b'{"a": "0123456789"}',
        content_type="application/json",
    )
    assert response.status_code == 413
