"""Lessons about requests: verbs, markup in bodies, headers that claim something, sizes. One test a lesson.

The fixtures are those of the identity tests, which cost little; see ``test_lessons`` for the other lessons.
"""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from synnefo.management.references import pages
from tests.astakos.conftest import Person, make_user, user  # noqa: F401  (fixtures)
from tests.cyclades.image_fixtures import STORE, ImageUser, make_image_user, object_store  # noqa: F401
from tests.security.test_routes import ROUTES, reads_a_body, sample

pytestmark = [pytest.mark.db, pytest.mark.django_db]
ROOT = Path(__file__).resolve().parents[2]
WHOAMI = "/astakos/account/v1.0/authenticate"
VERBS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH")
#: Routes of the JSON dialects; object storage takes bytes.
JSON_ROUTES = [
    (pattern, verb)
    for pattern, verbs in ROUTES
    for verb in verbs.split(", ")
    if reads_a_body(pattern, verb) and not pattern.startswith("pithos/")
]


def send_everywhere(client: Client, token: str, body: bytes, content_type: str) -> list[tuple[str, str, Any]]:
    """Send *body* to every route of the JSON dialects and return what each answered."""
    return [
        (
            pattern,
            verb,
            client.generic(
                verb, "/" + sample(pattern), body, content_type=content_type, headers={"X-Auth-Token": token}
            ),
        )
        for pattern, verb in JSON_ROUTES
    ]


# -- verbs -----------------------------------------------------------------------------------------------


def test_every_missing_verb_is_answered_with_what_there_is(client: Client, settings: Settings) -> None:
    settings.ASTAKOS_ADMIN_API_ENABLED = True
    wrong = []
    for pattern, verbs in ROUTES:
        served = verbs.split(", ")
        for verb in (verb for verb in VERBS if verb not in served):
            answer = client.generic(verb, "/" + sample(pattern))
            allowed = set(re.split(r", ?", answer.get("Allow", "")))
            if answer.status_code != 405 or allowed != set(served):
                wrong.append((verb, pattern, answer.status_code, answer.get("Allow")))
    assert wrong == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_what_monitoring_reads_cannot_be_written(path: str, settings: Settings) -> None:
    settings.METRICS_ALLOWED_HOSTS = ["127.0.0.1"]
    client = Client(enforce_csrf_checks=True)
    assert [client.generic(verb, path).status_code for verb in ("GET", "HEAD")] == [200, 200]
    for verb in ("POST", "PUT", "DELETE", "PATCH"):
        answer = client.generic(verb, path)
        assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


# -- markup ----------------------------------------------------------------------------------------------

ENTITY = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    b'<auth><token id="&e;"/></auth>'
)


@pytest.mark.parametrize("content_type", ["application/xml", "application/json"])
def test_bodies_in_xml_are_refused_and_their_entities_not_read(
    client: Client, user: Person, content_type: str
) -> None:
    for pattern, verb, answer in send_everywhere(client, user.token, ENTITY, content_type):
        assert 400 <= answer.status_code < 500 or answer.status_code == 501, (verb, pattern)
        assert b"root:" not in answer.content


def test_no_module_reads_xml_by_a_parser_that_follows_entities() -> None:
    parser = re.compile(
        r"(?:ElementTree|etree|minidom|sax|expat)\b.*\n?.*\b(?:parse|fromstring|parseString|XML)\("
    )
    guilty = [
        str(path)
        for folder in ("synnefo", "astakos", "pithos", "cyclades", "stats", "branding", "gtools")
        for path in (ROOT / folder).rglob("*.py")
        if parser.search(text := path.read_text()) and "defusedxml" not in text
    ]
    assert guilty == []


# -- who somebody claims to be ---------------------------------------------------------------------------

CLAIMS = (
    "X-User-Id", "X-User", "X-User-Name", "X-Tenant-Id", "X-Tenant", "X-Project-Id", "X-Roles", "X-Role",
    "X-Is-Admin", "X-Identity-Status", "X-Service-Token", "X-Auth-User", "X-Forwarded-User", "Remote-User",
    "Eppn", "Shib-Session-ID",
)  # fmt: skip


@pytest.mark.parametrize("path", [WHOAMI, "/astakos/identity/v3/projects", "/cyclades/compute/v2.0/servers"])
def test_a_header_that_names_a_user_proves_nothing(client: Client, user: Person, path: str) -> None:
    headers = {**dict.fromkeys(CLAIMS, user.uuid), "X-Identity-Status": "Confirmed", "X-Roles": "admin"}
    assert client.get(path, headers=headers).status_code == 401
    assert client.get(path, headers=headers, REMOTE_USER=user.uuid).status_code == 401


def test_a_header_does_not_change_whose_token_it_is(client: Client, user: Person, make_user: Any) -> None:
    other = make_user("joe@lab.example")
    headers = {**dict.fromkeys(CLAIMS, other.uuid), "X-Auth-Token": user.token}
    assert client.get(WHOAMI, headers=headers, REMOTE_USER=other.uuid).json()["uuid"] == user.uuid


# -- where answers lead ----------------------------------------------------------------------------------

ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "https:evil.example",
    "\t//evil.example",
)


@pytest.mark.parametrize("signed_in", [False, True])
def test_no_page_leads_to_another_host(client: Client, user: Person, signed_in: bool) -> None:
    if signed_in:
        client.force_login(user.row, backend="astakos.web.backend.SessionUserBackend")
    client.raise_request_exception = False

    def location(page: str, target: str) -> str:
        names = ("next", "url", "return", "redirect", "redirect_uri", "RelayState", "continue")
        answer: str = client.get("/" + sample(page), dict.fromkeys(names, target)).get("Location", "")
        return answer

    # Pages that lead nowhere for one address do not for another spelling of it.
    leading = [(page, found) for page in pages() if (found := location(page, ELSEWHERE[0]))]
    found = [*leading, *((page, location(page, target)) for page, _ in leading for target in ELSEWHERE[1:])]
    assert len(leading) > 5
    assert [item for item in found if re.match(r"\s*(?:https?:)?[/\\]*evil\.example", item[1])] == []


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host"])
def test_a_forged_host_makes_no_links(client: Client, settings: Settings, header: str) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    for path in ("/", "/astakos/ui/login", "/astakos/ui/profile"):
        answer = client.get(path, headers={header: "evil.example"})
        assert "evil.example" not in answer.get("Location", "")
        assert b"evil.example" not in answer.content


# -- sizes -----------------------------------------------------------------------------------------------


def test_deep_json_is_refused_everywhere(client: Client, user: Person) -> None:
    body = b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    wrong = [
        (verb, pattern, answer.status_code)
        for pattern, verb, answer in send_everywhere(client, user.token, body, "application/json")
        if not (400 <= answer.status_code < 500 or answer.status_code == 501)
    ]
    assert wrong == []


def test_long_tokens_names_and_addresses_are_the_clients_mistake(client: Client, user: Person) -> None:
    long = "x" * 100_000
    assert client.get(WHOAMI, headers={"X-Auth-Token": long}).status_code == 401
    assert client.get(f"/astakos/identity/v2.0/tokens/{long}").status_code == 404
    assert client.get(f"{WHOAMI}?X-Auth-Token={long}").status_code == 401
    asked = {"X-Auth-Token": user.token}
    assert client.get(f"/astakos/account/v1.0/projects?name={long}", headers=asked).status_code < 500
    assert (
        client.get("/astakos/identity/v3/auth/tokens", headers={**asked, "X-Subject-Token": long}).status_code
        == 404
    )


def test_the_web_server_bounds_lines_and_headers() -> None:
    values = runpy.run_path(str(ROOT / "conf/gunicorn.conf.py"))
    assert 0 < values["limit_request_line"] <= 8190
    assert 0 < values["limit_request_fields"] <= 1000
    assert 0 < values["limit_request_field_size"] <= 1 << 16


@pytest.mark.parametrize(
    "fields",
    [
        {"bytes": -1},
        {"bytes": True},
        {"bytes": 1.5},
        {"bytes": "5"},
        {"bytes": 1 << 80},
        {"bytes": 5, "hashes": []},
        {"bytes": 0, "hashes": ["00" * 32]},
        {"hashes": "00" * 32},
        {"hashes": ["zz" * 32]},
        {"hashes": ["00"]},
        {"hashes": [None]},
        {"hashes": [["00" * 32]]},
        {"block_size": 1},
    ],
)
def test_a_map_of_blocks_must_fit_its_size(make_image_user: Any, fields: dict[str, Any]) -> None:
    maria: ImageUser = make_image_user("maria")
    body = {"bytes": 5, "hashes": ["00" * 32], **fields}
    path = f"{STORE}/{maria.uuid}/images/forged?format=json&hashmap"
    answer = maria.call("PUT", path, json.dumps(body).encode())
    assert answer.status_code in (400, 409), answer.content
    assert maria.call("HEAD", f"{STORE}/{maria.uuid}/images/forged").status_code == 404
