"""POST and GET tokens, catalog, version discovery."""

from __future__ import annotations

import datetime as dt
from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib.auth.models import Group
from pytest_django import DjangoAssertNumQueries

from astakos.models import ApprovalTerms, User
from synnefo import clock
from tests.astakos.conftest import Api, MakeUser, Person

pytestmark = [pytest.mark.db, pytest.mark.django_db]
TOKENS = "identity/v2.0/tokens"
NS = "{http://docs.openstack.org/identity/api/v2.0}"


def fault(response: Any) -> tuple[int, str, str]:
    body = response.json()
    (key,) = body
    return response.status_code, key, body[key]["message"]


def element(root: ElementTree.Element, path: str) -> ElementTree.Element:
    found = root.find(path)
    assert found is not None
    return found


def test_token_form_answers_token_user_and_catalog(service: Api, user: Person, anonymous: Api) -> None:
    group = Group.objects.create(name="helpdesk")
    user.row.groups.add(group)
    response = anonymous.post(TOKENS, {"auth": {"token": {"id": user.token}}})
    assert response.status_code == 200
    access = response.json()["access"]
    assert access["token"]["id"] == user.token
    assert access["token"]["tenant"] == {"id": user.uuid, "name": "Maria Doe"}
    assert access["token"]["expires"].endswith("+00:00")
    assert access["user"] == {
        "id": user.uuid,
        "name": "Maria Doe",
        "username": "Maria Doe",
        "roles": [{"id": str(group.pk), "name": "helpdesk"}],
        "roles_links": [],
        "projects": [user.uuid],
    }
    assert [entry["name"] for entry in access["serviceCatalog"]] == ["demo_compute", "demo_network"]


def test_password_form_takes_uuid_and_token(user: Person, anonymous: Api) -> None:
    for name in ("username", "userId"):
        credentials = {"passwordCredentials": {name: user.uuid, "password": user.token}}
        assert anonymous.post(TOKENS, {"auth": credentials}).status_code == 200


def test_password_form_refuses_another_users_uuid(user: Person, make_user: MakeUser, anonymous: Api) -> None:
    other = make_user("joe@lab.example")
    credentials = {"passwordCredentials": {"username": other.uuid, "password": user.token}}
    assert fault(anonymous.post(TOKENS, {"auth": credentials})) == (
        401,
        "unauthorized",
        "Invalid credentials",
    )


def test_tenant_may_be_own_uuid_or_a_project_of_the_user(user: Person, anonymous: Api) -> None:
    for field in ("tenantName", "tenantId"):
        auth = {"token": {"id": user.token}, field: user.uuid}
        access = anonymous.post(TOKENS, {"auth": auth}).json()["access"]
        assert access["token"]["tenant"]["id"] == user.uuid


def test_empty_tenant_counts_as_absent(user: Person, anonymous: Api) -> None:
    auth = {"token": {"id": user.token}, "tenantName": ""}
    assert anonymous.post(TOKENS, {"auth": auth}).status_code == 200


@pytest.mark.parametrize("tenant", ["someone-else", 17, ["x"], {"a": 1}, True])
def test_foreign_tenant_is_refused(user: Person, anonymous: Api, tenant: object) -> None:
    auth = {"token": {"id": user.token}, "tenantName": tenant}
    assert fault(anonymous.post(TOKENS, {"auth": auth})) == (400, "badRequest", "Not conforming tenantName")


@pytest.mark.parametrize(
    "body",
    [
        "[1]",
        "1",
        "null",
        '"text"',
        "{}",
        '{"auth": {}}',
        '{"auth": null}',
        '{"auth": []}',
        '{"auth": {"token": null}}',
        '{"auth": {"token": {}}}',
        '{"auth": {"token": {"id": null}}}',
        '{"auth": {"token": {"id": 17}}}',
        '{"auth": {"token": []}}',
        '{"auth": {"passwordCredentials": {"username": "x"}}}',
        '{"auth": {"passwordCredentials": {"password": "x"}}}',
        '{"auth": {"passwordCredentials": 3}}',
        '{"auth": {"RAX-KSKEY:apiKeyCredentials": {"username": "x", "apiKey": "y"}}}',
        "{",
        '{"auth": {"token": {"id": "\\u0000"}}}',
    ],
)
def test_malformed_credentials_are_a_bad_request(anonymous: Api, body: Any) -> None:
    status, key, _ = fault(anonymous.post(TOKENS, body))
    assert (status, key) == (400, "badRequest")


def test_missing_credentials_say_so(anonymous: Api) -> None:
    _, _, message = fault(anonymous.post(TOKENS, {"auth": {}}))
    assert message.startswith("Malformed request")


def test_unknown_token_is_invalid(anonymous: Api) -> None:
    body = {"auth": {"token": {"id": "bad"}}}
    assert fault(anonymous.post(TOKENS, body)) == (401, "unauthorized", "Invalid token")


def test_content_type_is_required(anonymous: Api) -> None:
    assert anonymous.post(TOKENS, "<auth/>", content_type="application/xml").status_code == 400
    assert anonymous.post(TOKENS, '{"auth": {}}', content_type="").status_code == 400


def test_checks_come_in_order_active_expired_terms(user: Person, anonymous: Api) -> None:
    body = {"auth": {"token": {"id": user.token}}}
    ApprovalTerms.objects.create(date=clock.now(), location="/terms")
    User.objects.filter(uuid=user.uuid).update(has_signed_terms=False)
    assert fault(anonymous.post(TOKENS, body))[2] == "Pending approval terms"
    User.objects.filter(uuid=user.uuid).update(auth_token_expires=clock.now() - dt.timedelta(seconds=1))
    assert fault(anonymous.post(TOKENS, body))[2] == "Authentication expired"
    User.objects.filter(uuid=user.uuid).update(is_active=False)
    assert fault(anonymous.post(TOKENS, body))[2] == "User inactive"


def test_unsigned_terms_do_not_matter_when_there_are_none(user: Person, anonymous: Api) -> None:
    User.objects.filter(uuid=user.uuid).update(has_signed_terms=False)
    assert anonymous.post(TOKENS, {"auth": {"token": {"id": user.token}}}).status_code == 200


def test_without_a_body_only_the_catalog_is_answered(service: Api, user: Person, anonymous: Api) -> None:
    for extra in ({}, {"content_type": "application/json"}, {"headers": {"X-Auth-Token": user.token}}):
        access = anonymous.post(TOKENS, **extra).json()["access"]
        assert list(access) == ["serviceCatalog"]


def test_catalog_entry_carries_what_clients_read(service: Api, anonymous: Api) -> None:
    compute, network = anonymous.post(TOKENS).json()["access"]["serviceCatalog"]
    assert compute == {
        "name": "demo_compute",
        "type": "compute",
        "endpoints_links": [],
        "endpoints": [
            {
                "versionId": "v2.0",
                "region": "default",
                "publicURL": "http://testserver/demo/compute/v2.0",
                "SNF:uiURL": "http://testserver/demo/ui",
                "SNF:exposeVersion": "True",
            }
        ],
    }
    assert network["endpoints"][0]["publicURL"] == "http://testserver/demo/network"
    assert network["endpoints"][0]["SNF:exposeVersion"] == "False"


def test_token_call_needs_one_query_once_the_catalog_is_cached(
    service: Api, user: Person, anonymous: Api, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    body = {"auth": {"token": {"id": user.token}}}
    anonymous.post(TOKENS, body)
    with django_assert_num_queries(1):
        assert anonymous.post(TOKENS, body).status_code == 200


def test_xml_answer_declares_its_namespaces(service: Api, user: Person, anonymous: Api) -> None:
    response = anonymous.post(TOKENS + "?format=xml", {"auth": {"token": {"id": user.token}}})
    assert response["Content-Type"] == "application/xml; charset=UTF-8"
    root = ElementTree.fromstring(response.content)
    assert root.tag == f"{NS}access"
    assert element(root, f"{NS}token").get("id") == user.token
    assert element(root, f"{NS}token/{NS}tenant").get("id") == user.uuid
    endpoint = element(root, f"{NS}serviceCatalog/{NS}service/{NS}endpoint")
    assert endpoint.get("publicURL") == "http://testserver/demo/compute/v2.0"


def test_names_with_markup_survive_xml(make_user: MakeUser, anonymous: Api) -> None:
    person = make_user(first_name='A&<"', last_name="'>é")
    response = anonymous.post(
        TOKENS, {"auth": {"token": {"id": person.token}}}, headers={"Accept": "application/xml"}
    )
    assert element(ElementTree.fromstring(response.content), f"{NS}user").get("name") == "A&<\" '>é"


def test_user_token_is_no_access_token(user: Person, anonymous: Api) -> None:
    for path in (f"{TOKENS}/{user.token}", f"{TOKENS}/{user.token}/endpoints?marker=3"):
        assert fault(anonymous.get(path)) == (404, "itemNotFound", "No such token")


def test_fault_in_xml(anonymous: Api) -> None:
    response = anonymous.get(f"{TOKENS}/x", headers={"Accept": "application/xml"})
    root = ElementTree.fromstring(response.content)
    assert (root.tag, root.get("code")) == (f"{NS}itemNotFound", "404")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", TOKENS, "POST"),
        ("HEAD", TOKENS, "POST"),
        ("POST", f"{TOKENS}/x", "GET"),
        ("DELETE", f"{TOKENS}/x", "GET"),
        ("HEAD", "identity/v2.0/", "GET"),
    ],
)
def test_other_verbs_are_refused_with_the_permitted_ones(
    anonymous: Api, method: str, path: str, allow: str
) -> None:
    response = anonymous.call(method, path)
    assert (response.status_code, response["Allow"]) == (405, allow)


@pytest.mark.parametrize("path", ["tokens.json", "tokens.xml", "v2.0/.xml", "v2.0/users", "nothing"])
def test_unknown_paths_are_bad_requests(anonymous: Api, path: str) -> None:
    path = path if path.startswith(("v2.0", "nothing")) else f"v2.0/{path}"
    response = anonymous.get(f"identity/{path}")
    assert response.status_code == 400
    assert b"API endpoint not found" in response.content
    assert ("xml" in response["Content-Type"]) == path.endswith(".xml")


@pytest.mark.parametrize("path", ["identity", "identity/", "identity/.json"])
def test_version_list(anonymous: Api, path: str) -> None:
    version, newer = anonymous.get(path).json()["versions"]["values"]
    assert (newer["id"], newer["status"]) == ("v3.14", "stable")
    assert (version["id"], version["status"]) == ("v2.0", "CURRENT")
    assert version["links"] == [{"rel": "self", "href": "http://testserver/astakos/identity/v2.0/"}]


@pytest.mark.parametrize(
    "path", ["identity/v2.0", "identity/v2.0/", "identity/v2.0/.json", "identity/v2.0.json"]
)
def test_version_details(anonymous: Api, path: str) -> None:
    version = anonymous.get(path).json()["version"]
    assert version["media_types"] == version["media-types"]
    assert [link["rel"] for link in version["links"]] == ["self", "describedby"]


def test_tenants_are_the_users_projects(user: Person) -> None:
    (tenant,) = user.api.get("identity/v2.0/tenants").json()["tenants"]
    assert (tenant["id"], tenant["enabled"]) == (user.uuid, True)


def test_standard_headers(anonymous: Api) -> None:
    response = anonymous.get("identity/v2.0/")
    assert response["Content-Type"] == "application/json; charset=UTF-8"
    assert response["Content-Length"] == str(len(response.content))
    assert response["Vary"] == "X-Auth-Token, Accept-Language"
    assert response["Content-Language"] == "en"
    assert response["Expires"] == response["Last-Modified"]
    assert "no-store" in response["Cache-Control"]
