"""Request ids, page headers and forwarded addresses."""

from __future__ import annotations

import logging

import pytest
from django.http import HttpResponse, JsonResponse
from django.test import RequestFactory

from synnefo import request_id
from synnefo.content_security import ContentSecurityMiddleware
from synnefo.middleware import RequestIdMiddleware, TrustedProxyMiddleware

pytestmark = pytest.mark.unit
factory = RequestFactory()


def test_every_answer_has_its_own_request_id_and_the_handler_sees_it():
    seen = []

    def handler(request):
        seen.append(request_id.current())
        return HttpResponse()

    answers = [RequestIdMiddleware(handler)(factory.get("/x")) for _ in range(2)]
    assert [answer["X-Request-Id"] for answer in answers] == seen
    assert seen[0] != seen[1]
    assert request_id.current() == ""


def test_the_access_line_leaves_the_query_out(caplog):
    with caplog.at_level(logging.INFO, "synnefo.access"):
        RequestIdMiddleware(lambda r: HttpResponse())(factory.get("/x?X-Auth-Token=abcdefgh12345678"))
    assert "GET /x 200" in caplog.text
    assert "abcdefgh12345678" not in caplog.text


def test_pages_get_a_strict_policy_and_data_does_not_need_one():
    page = ContentSecurityMiddleware(lambda r: HttpResponse("<p>"))(factory.get("/"))
    assert "default-src 'none'" in page["Content-Security-Policy"]
    assert "unsafe" not in page["Content-Security-Policy"]
    data = ContentSecurityMiddleware(lambda r: JsonResponse({}))(factory.get("/"))
    assert "Content-Security-Policy" not in data


def forwarded(settings, *, peer: str, trusted: list[str], **headers: str):
    settings.TRUSTED_PROXIES = trusted
    seen = []

    def handler(request):
        seen.append((request.META["REMOTE_ADDR"], request.scheme, "HTTP_X_FORWARDED_FOR" in request.META))
        return HttpResponse()

    TrustedProxyMiddleware(handler)(factory.get("/", REMOTE_ADDR=peer, **headers))
    return seen[0]


def test_forwarded_headers_of_a_stranger_are_ignored(settings):
    headers = {"HTTP_X_FORWARDED_FOR": "192.0.2.1", "HTTP_X_FORWARDED_PROTO": "https"}
    assert forwarded(settings, peer="203.0.113.9", trusted=[], **headers) == ("203.0.113.9", "http", False)


def test_a_trusted_front_server_names_the_client_and_the_scheme(settings):
    headers = {"HTTP_X_FORWARDED_FOR": "10.9.9.9, 192.0.2.1, 127.0.0.2", "HTTP_X_FORWARDED_PROTO": "https"}
    answer = forwarded(settings, peer="127.0.0.1", trusted=["127.0.0.1", "127.0.0.2"], **headers)
    assert answer == ("192.0.2.1", "https", False)
