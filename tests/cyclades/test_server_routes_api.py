"""Every route of the compute root: authentication, verbs, others' servers, malformed bodies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cyclades.compute_fixtures import IMAGE_ID

pytestmark = [pytest.mark.db, pytest.mark.usefixtures("submitted")]

#: Method, path of a server's sub-resource, body, status for the owner of an idle started server.
CALLS: list[Any] = [
    ("GET", "", None, 200),
    ("PUT", "", {"server": {"name": "new"}}, 204),
    ("GET", "/password", None, 404),
    ("DELETE", "/password", None, 204),
    ("GET", "/ips", None, 200),
    ("GET", "/diagnostics", None, 200),
    ("GET", "/metadata", None, 200),
    ("POST", "/metadata", {"metadata": {"a": "b"}}, 201),
    ("PUT", "/metadata", {"metadata": {"a": "b"}}, 200),
    ("PUT", "/metadata/a", {"meta": {"a": "b"}}, 201),
    ("GET", "/metadata/none", None, 404),
    ("DELETE", "/metadata/none", None, 404),
    ("POST", "/action", {"reboot": {}}, 202),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), CALLS)
def test_owner(person, make_server, method, path, body, status):
    assert person.api.call(method, f"v2.0/servers/{make_server().pk}{path}", body).status_code == status


@pytest.mark.parametrize(("method", "path", "body", "status"), CALLS)
def test_stranger_gets_404(stranger, make_server, method, path, body, status):
    assert stranger.api.call(method, f"v2.0/servers/{make_server().pk}{path}", body).status_code == 404


@pytest.mark.parametrize(("method", "path", "body", "status"), CALLS)
def test_without_a_token_it_is_401(anonymous, make_server, method, path, body, status):
    response = anonymous.call(method, f"v2.0/servers/{make_server().pk}{path}", body)
    assert response.status_code == 401
    assert set(response.json()) == {"unauthorized"}


#: Forgetting a password is no change of the server.
WRITES = [call for call in CALLS if call[0] != "GET" and call[3] < 300 and call[1] != "/password"]


@pytest.mark.parametrize(("method", "path", "body", "status"), WRITES)
def test_writes_to_a_suspended_server_are_403(person, make_server, method, path, body, status):
    server = make_server(suspended=True)
    assert person.api.call(method, f"v2.0/servers/{server.pk}{path}", body).status_code == 403


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("servers", "GET,POST"), ("flavors", "GET"), ("os-keypairs", "GET,POST"), ("extensions", "GET")],
)
def test_wrong_verb_is_405_before_authentication(anonymous, path, allowed):
    response = anonymous.call("PATCH", f"v2.0/{path}")
    assert (response.status_code, response["Allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["servers/abc", "flavors/abc", "nothing", "servers/1/nothing"])
def test_unknown_path_is_400(anonymous, path):
    assert anonymous.get(path).status_code == 400


@pytest.mark.parametrize("path", ["", "/", "v2.0", "v2.0/"])
def test_version_documents_need_no_token(client, path):
    url = "/cyclades/compute" if path == "" else f"/cyclades/compute/{path.lstrip('/')}"
    assert client.get(url).status_code == 200


def test_extensions(person):
    listed = person.api.get("extensions").json()["extensions"]
    assert {"SNF", "OS-EXT-STS"} <= {extension["alias"] for extension in listed}
    assert all(set(e) == {"alias", "name", "description", "namespace", "updated", "links"} for e in listed)
    assert person.api.get("extensions/SNF").json() == {"extension": listed[0]}
    assert person.api.get("extensions/zzz").status_code == 404


@pytest.mark.parametrize("number", [0, 2**63 - 1, 2**63, 10**40, "0" * 20 + "9" * 20, "0" * 5000])
def test_ids_out_of_range_are_no_error_of_ours(person, number):
    for path in (f"servers/{number}", f"flavors/{number}", f"servers?marker={number}"):
        assert person.api.get(path).status_code in (400, 404)
    body = {"server": {"name": "x", "imageRef": IMAGE_ID, "flavorRef": str(number)}}
    assert person.api.post("servers", body).status_code in (400, 404)


@pytest.mark.parametrize(
    "path",
    ["servers?name=a%00", "servers?tags=%00", "servers/1/metadata/a%00", "flavors?SNF:flavor-access=%00"],
)
def test_null_characters_of_an_address_are_400(person, path):
    assert person.api.get(path).status_code == 400


def test_metadata_limit_holds_for_the_result(person, make_server):
    server = make_server()
    for start in (0, 6):
        items = {str(i): "v" for i in range(start, start + 6)}
        response = person.api.post(f"servers/{server.pk}/metadata", {"metadata": items})
    assert response.status_code == 400
    assert server.metadata.count() == 6
