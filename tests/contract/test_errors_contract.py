"""Error answers of RAPI, on a simulated and on a real cluster (ganeti-backend contract 1.6, 14.1)."""

from __future__ import annotations

import html
from typing import Any

import httpx
import pytest

from tests.contract.cluster import ContractCluster

NETWORK = {"network_name": "n", "network": "10.0.0.0/24"}
MODE = {"group_name": "g", "network_mode": "x"}


def error(response: httpx.Response, status: int) -> str:
    """Check an error answer's form and return its message."""
    body = response.json()
    assert response.status_code == status, body
    assert body.keys() == {"code", "message", "explain"}
    assert body["code"] == status
    return html.unescape(body["message"])


@pytest.mark.parametrize("path", ["/2/info", "/", "/version", "/2/features"])
def test_everything_needs_the_password(cluster: ContractCluster, path: str) -> None:
    response = cluster.raw("GET", path, auth=("nobody", "wrong"))
    assert error(response, 401) == "Unauthorized"
    assert response.headers["WWW-Authenticate"] == 'Basic realm="Ganeti Remote API"'


def test_unknown_paths_show_before_the_password_is_checked(cluster: ContractCluster) -> None:
    error(cluster.raw("GET", "/2/nothing", auth=("nobody", "wrong")), 404)
    error(cluster.raw("GET", "/2/nothing", auth=None), 401)


def test_no_credentials_are_as_bad_as_wrong_ones(cluster: ContractCluster) -> None:
    assert error(cluster.raw("GET", "/2/info", auth=None), 401) == "Unauthorized"


def test_other_schemes_than_basic_are_refused(cluster: ContractCluster) -> None:
    response = cluster.raw("GET", "/2/info", auth=None, headers={"Authorization": "Bearer x"})
    assert error(response, 401) == "Unauthorized"


@pytest.mark.parametrize("path", ["/2/nothing", "/2/", "/2/jobs/abc", "/2/instances/bad!name"])
def test_unknown_paths_are_404(cluster: ContractCluster, path: str) -> None:
    assert error(cluster.raw("GET", path), 404) == "Not Found"


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/2/info"), ("DELETE", "/2/info"), ("PUT", "/2/instances"), ("PATCH", "/2/info")],
)
def test_wrong_methods_are_501(cluster: ContractCluster, method: str, path: str) -> None:
    assert error(cluster.raw(method, path), 501) == f"Method {method} is unsupported for path {path}"


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "text/plain", None])
def test_the_content_type_must_be_exact(cluster: ContractCluster, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    response = cluster.raw("POST", "/2/instances", content=b"{}", headers=headers)
    assert error(response, 415) == "Unsupported Media Type"


def test_a_body_must_be_json(cluster: ContractCluster) -> None:
    headers = {"Content-Type": "application/json"}
    response = cluster.raw("POST", "/2/instances", content=b'{"a"', headers=headers)
    assert error(response, 400) == "Unable to parse JSON data"


def test_a_creation_body_must_be_an_object(cluster: ContractCluster) -> None:
    message = error(cluster.raw("POST", "/2/instances", []), 400)
    assert message == "Body contents: Type is 'list', but 'dict' is expected"


def test_a_creation_request_without_version_is_refused(cluster: ContractCluster) -> None:
    message = error(cluster.raw("POST", "/2/instances", {}), 400)
    assert message == "Instance creation request version 0 is no longer supported"


@pytest.mark.parametrize(
    ("method", "path", "class_name"),
    [
        ("PUT", "/2/instances/x/modify", "OpInstanceSetParams"),
        ("PUT", "/2/instances/x/shutdown", "OpInstanceShutdown"),
        ("POST", "/2/instances/x/reboot?type=hard", "OpInstanceReboot"),
        ("DELETE", "/2/instances/x", "OpInstanceRemove"),
        ("PUT", "/2/networks/x/connect", "OpNetworkConnect"),
        ("PUT", "/2/networks/x/disconnect", "OpNetworkDisconnect"),
        ("DELETE", "/2/networks/x", "OpNetworkRemove"),
        ("POST", "/2/networks", "OpNetworkAdd"),
        ("PUT", "/2/modify", "OpClusterSetParams"),
    ],
)
def test_unknown_body_keys_are_refused(
    cluster: ContractCluster, method: str, path: str, class_name: str
) -> None:
    message = error(cluster.raw(method, path, {"bogus": 1}), 400)
    assert message == f"Invalid body parameters: Object {class_name} doesn't support the parameter 'bogus'"


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("PUT", "/2/instances/x/modify", "instance_name"),
        ("PUT", "/2/instances/x/modify", "reason"),
        ("PUT", "/2/networks/x/connect", "network_name"),
        ("DELETE", "/2/instances/x", "dry_run"),
    ],
)
def test_keys_of_the_request_line_cannot_be_in_the_body(
    cluster: ContractCluster, method: str, path: str, key: str
) -> None:
    assert (
        error(cluster.raw(method, path, {key: "x"}), 400) == f"Can't overwrite static parameters {{'{key}'}}"
    )


def test_dry_run_in_a_creation_body_is_refused(cluster: ContractCluster) -> None:
    body = cluster.instance_body("snf-0", dry_run=True)
    assert (
        error(cluster.raw("POST", "/2/instances", body), 400)
        == "Can't overwrite static parameters {'dry_run'}"
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "parameter"),
    [
        ("POST", "/2/networks", {}, "OP_NETWORK_ADD.network_name"),
        ("POST", "/2/networks", {"network_name": "n"}, "OP_NETWORK_ADD.network"),
        ("POST", "/2/networks", {**NETWORK, "gateway": "x"}, "OP_NETWORK_ADD.gateway"),
        ("PUT", "/2/networks/x/connect", {}, "OP_NETWORK_CONNECT.group_name"),
        ("PUT", "/2/networks/x/connect", MODE, "OP_NETWORK_CONNECT.network_mode"),
        ("PUT", "/2/networks/x/disconnect", {}, "OP_NETWORK_DISCONNECT.group_name"),
        ("PUT", "/2/instances/x/shutdown", {"timeout": -1}, "OP_INSTANCE_SHUTDOWN.timeout"),
        ("PUT", "/2/instances/x/shutdown", {"timeout": "1"}, "OP_INSTANCE_SHUTDOWN.timeout"),
        ("POST", "/2/instances/x/reboot?type=odd", None, "OP_INSTANCE_REBOOT.reboot_type"),
        ("PUT", "/2/instances/x/rename", {}, "OP_INSTANCE_RENAME.new_name"),
        ("PUT", "/2/instances/x/modify", {"nics": "x"}, "OP_INSTANCE_SET_PARAMS.nics"),
        ("PUT", "/2/instances/x/modify", {"nics": [["odd", "-1", {}]]}, "OP_INSTANCE_SET_PARAMS.nics"),
        ("DELETE", "/2/networks/x", {"depends": "x"}, "OP_NETWORK_REMOVE.depends"),
        ("DELETE", "/2/networks/x", {"depends": [[1, ["odd"]]]}, "OP_NETWORK_REMOVE.depends"),
    ],
)  # fmt: skip
def test_values_of_the_wrong_kind_are_refused(
    cluster: ContractCluster, method: str, path: str, body: Any, parameter: str
) -> None:
    message = error(cluster.raw(method, path, body), 400)
    expected = f"Invalid body parameters: (\"Parameter '{parameter}' fails validation\", 'wrong_input')"
    assert message == expected


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"mode": "odd"}, "mode"),
        ({"disk_template": "odd"}, "disk_template"),
        ({"beparams": 5}, "beparams"),
        ({"disks": 5}, "disks"),
        ({"nics": [{"odd": 1}]}, "nics"),
        ({"depends": 5}, "depends"),
    ],
)
def test_creation_bodies_are_checked_at_submission(
    cluster: ContractCluster, changes: dict[str, Any], parameter: str
) -> None:
    message = error(cluster.raw("POST", "/2/instances", cluster.instance_body("snf-0", **changes)), 400)
    assert f"'OP_INSTANCE_CREATE.{parameter}' fails validation" in message


@pytest.mark.parametrize(
    ("method", "path", "parameter"),
    [("GET", "/2/instances?bulk=x", "bulk"), ("PUT", "/2/instances/x/startup?dry-run=yes", "dry-run")],
)
def test_flags_in_the_query_are_numbers(
    cluster: ContractCluster, method: str, path: str, parameter: str
) -> None:
    assert error(cluster.raw(method, path), 400) == f"Invalid value for the '{parameter}' parameter"


@pytest.mark.parametrize(
    ("network", "message"),
    [("10.0.3.0/44", "'44' is not a valid netmask"), ("10.0.3.1/24", "10.0.3.1/24 has host bits set")],
)
def test_an_impossible_network_is_a_server_error(
    cluster: ContractCluster, network: str, message: str
) -> None:
    response = cluster.raw("POST", "/2/networks", {"network_name": "n", "network": network})
    assert error(response, 500) == message


def test_a_long_request_line_gets_no_answer(cluster: ContractCluster) -> None:
    with pytest.raises(httpx.TransportError):
        cluster.raw("GET", "/2/info?x=" + "a" * 8200)


def test_long_headers_get_no_answer(cluster: ContractCluster) -> None:
    with pytest.raises(httpx.TransportError):
        cluster.raw("GET", "/2/info", headers={"X-Long": "a" * 4200})


def test_the_connection_closes_after_each_answer(cluster: ContractCluster) -> None:
    response = cluster.raw("GET", "/2/info")
    assert response.headers["Connection"] == "close"
    assert response.headers["Content-Type"] == "application/json"


def test_modify_without_body_is_a_server_error(cluster: ContractCluster) -> None:
    assert error(cluster.raw("PUT", "/2/instances/x/modify"), 500)
