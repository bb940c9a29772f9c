"""Every route of the network and image dialects: who may call it, and that no input breaks it."""

# ruff: noqa: F811
from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cyclades.api.network.urls import service as network_service
from tests.cyclades.image_fixtures import ImageUser
from tests.cyclades.network_world import World, world  # noqa: F401

pytestmark = [pytest.mark.db, pytest.mark.django_db]

NETWORK, IMAGE = "/cyclades/network", "/cyclades/image"
JSON = "application/json"
#: Whether the resource answers to people it does not belong to.
HIDDEN, REFUSED = 404, 403


def call(user: ImageUser | None, method: str, path: str, body: object = None):
    data = b"" if body is None else json.dumps(body)
    if user is None:
        return Client().generic(method, path, data, content_type=JSON)
    return user.call(method, path, data, content_type=JSON)


REASSIGN = {"reassign": {"project": "nobody"}}
#: (route, method, path, body) → status for a stranger, a member and the owner. Anonymous is 401 throughout.
Row = tuple[str, str, str, object, int, int, int]
N, S, P, F = "networks", "subnets", "ports", "floatingips"
NETWORK_ROWS: list[Row] = [
    ("agents", "GET", "agents", None, 404, 404, 404),
    (N, "GET", f"{N}", None, 200, 200, 200),
    (N, "POST", f"{N}", {"network": {"type": "CUSTOM"}}, 403, 403, 403),
    (f"{N}/detail", "GET", f"{N}/detail", None, 200, 200, 200),
    (f"{N}/", "GET", f"{N}/{{network}}", None, 404, 200, 200),
    (f"{N}/", "GET", f"{N}/{{public}}", None, 200, 200, 200),
    (f"{N}/", "PUT", f"{N}/{{network}}", {"network": {"name": "n"}}, 404, 200, 200),
    (f"{N}/", "PUT", f"{N}/{{public}}", {"network": {"name": "n"}}, 403, 403, 403),
    (f"{N}/", "DELETE", f"{N}/{{network}}", None, 404, 409, 409),
    (f"{N}/", "DELETE", f"{N}/{{public}}", None, 403, 403, 403),
    (f"{N}/action", "POST", f"{N}/{{network}}/action", REASSIGN, 404, 403, 400),
    (f"{N}/action", "POST", f"{N}/{{public}}/action", REASSIGN, 403, 403, 403),
    (S, "GET", f"{S}", None, 200, 200, 200),
    (
        S,
        "POST",
        f"{S}",
        {"subnet": {"network_id": "{network}", "cidr": "fd00::/64", "ip_version": 6}},
        404,
        403,
        201,
    ),
    (
        S,
        "POST",
        f"{S}",
        {"subnet": {"network_id": "{public}", "cidr": "fd00::/64", "ip_version": 6}},
        403,
        403,
        403,
    ),
    (f"{S}/detail", "GET", f"{S}/detail", None, 200, 200, 200),
    (f"{S}/", "GET", f"{S}/{{subnet}}", None, 404, 200, 200),
    (f"{S}/", "GET", f"{S}/{{public_subnet}}", None, 200, 200, 200),
    (f"{S}/", "PUT", f"{S}/{{subnet}}", {"subnet": {"name": "n"}}, 404, 403, 200),
    (f"{S}/", "PUT", f"{S}/{{public_subnet}}", {"subnet": {"name": "n"}}, 403, 403, 403),
    (f"{S}/", "DELETE", f"{S}/{{subnet}}", None, 400, 400, 400),
    (P, "GET", f"{P}", None, 200, 200, 200),
    (P, "POST", f"{P}", {"port": {"network_id": "{network}"}}, 404, 201, 201),
    (P, "POST", f"{P}", {"port": {"network_id": "{public}"}}, 400, 400, 400),
    (f"{P}/detail", "GET", f"{P}/detail", None, 200, 200, 200),
    (f"{P}/", "GET", f"{P}/{{port}}", None, 404, 200, 200),
    (f"{P}/", "PUT", f"{P}/{{port}}", {"port": {"name": "n"}}, 404, 200, 200),
    (f"{P}/", "DELETE", f"{P}/{{port}}", None, 404, 204, 204),
    (F, "GET", f"{F}", None, 200, 200, 200),
    (F, "POST", f"{F}", {"floatingip": {}}, 200, 200, 200),
    (f"{F}/detail", "GET", f"{F}/detail", None, 200, 200, 200),
    (f"{F}/", "GET", f"{F}/{{ip}}", None, 404, 200, 200),
    (f"{F}/", "PUT", f"{F}/{{ip}}", {}, 400, 400, 400),
    # Its quota lies in a project that the owner does not belong to, because the sharing is made up here.
    (f"{F}/", "DELETE", f"{F}/{{ip}}", None, 404, 400, 400),
    (f"{F}/action", "POST", f"{F}/{{ip}}/action", REASSIGN, 404, 403, 400),
    ("extensions", "GET", "extensions", None, 200, 200, 200),
    ("extensions/", "GET", "extensions/x", None, 404, 404, 404),
    ("security-groups", "GET", "security-groups", None, 200, 200, 200),
    ("routers", "GET", "routers", None, 200, 200, 200),
]
IMAGE_ROWS: list[Row] = [
    ("images", "GET", "images", None, 200, 200, 200),
    ("images", "POST", "images", None, 400, 400, 400),
    ("images/detail", "GET", "images/detail", None, 200, 200, 200),
    ("images/", "GET", "images/{image}", None, 501, 501, 501),
    ("images/", "HEAD", "images/{image}", None, 403, 200, 200),
    ("images/", "PUT", "images/{image}", None, 403, 200, 200),
    ("images/", "DELETE", "images/{image}", None, 403, 403, 204),
    ("images/members", "GET", "images/{image}/members", None, 403, 200, 200),
    ("images/members", "PUT", "images/{image}/members", {"memberships": []}, 403, 403, 204),
    ("images/members/", "PUT", "images/{image}/members/{member}", None, 403, 403, 204),
    ("images/members/", "DELETE", "images/{image}/members/{member}", None, 403, 403, 204),
    ("shared-images/", "GET", "shared-images/{member}", None, 200, 200, 200),
]
ROWS = [(NETWORK, "v2.0", row) for row in NETWORK_ROWS] + [
    (IMAGE, version, row) for version in ("v1.0", "v1") for row in IMAGE_ROWS
]


def _row_name(value: str | Row) -> str:
    return value if isinstance(value, str) else f"{value[1]} {value[2]}"


def test_every_route_of_networks_is_in_the_table() -> None:
    served = sum(len(methods) for _, methods, auth in network_service.routes if auth)
    assert served == len({(route, method) for route, method, *_ in NETWORK_ROWS})


@pytest.mark.parametrize(("root", "version", "row"), ROWS, ids=_row_name)
def test_who_may_call(world: World, root: str, version: str, row: Row) -> None:
    _, method, template, body, stranger, member, owner = row
    path = world.path(f"{root}/{version}/{template}")
    filled = None if body is None else json.loads(world_text(world, body))
    assert call(None, method, path, filled).status_code == 401
    assert call(world.other, method, path, filled).status_code == stranger
    world.share()
    assert call(world.other, method, path, filled).status_code == member
    if method in ("DELETE", "POST") and member < 300:
        return
    assert call(world.owner, method, path, filled).status_code == owner


def world_text(world: World, body: object) -> str:
    text = json.dumps(body)
    for name in ("network", "public"):
        text = text.replace(f'"{{{name}}}"', json.dumps(str(getattr(world, name).pk)))
    return text


VOCABULARY = [
    "network", "subnet", "port", "floatingip", "reassign", "project", "shared_to_project", "type", "name",
    "network_id", "cidr", "ip_version", "gateway_ip", "allocation_pools", "start", "end", "enable_dhcp",
    "enable_slaac", "dns_nameservers", "host_routes", "device_id", "fixed_ips", "ip_address",
    "security_groups", "floating_network_id", "floating_ip_address", "memberships", "member_id", "metadata",
    "meta",
]  # fmt: skip
WORDS = [
    "", "MAC_FILTERED", "1", "2", "10.0.0.0/24", "10.20.30.5", "203.0.113.9", "fd00::/64", "\x00", "\ud800",
    "é", "x" * 300, "*", "null", "9" * 30,
]  # fmt: skip
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.integers(0, 9)
    | st.sampled_from(WORDS)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(VOCABULARY), inner, max_size=5)
    ),
    max_leaves=12,
)
wrapped = st.dictionaries(
    st.sampled_from([*VOCABULARY[:5], "memberships", "metadata", "meta"]),
    st.dictionaries(st.sampled_from(VOCABULARY), values, max_size=6) | values,
    max_size=2,
)
bodies = (wrapped | values).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)
queries = st.dictionaries(
    st.sampled_from(
        ["changes-since", "limit", "marker", "sort_key", "sort_dir", "fields", "name", "status", "id",
         "fixed_ips", "network_id", "size_min", "size_max", "format", "shared"]
    ),
    st.sampled_from([*WORDS, "asc", "name", "created_at", "2026-01-01T00:00:00Z"]) | st.text(max_size=10),
    max_size=4,
)  # fmt: skip
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30) | st.sampled_from(
    ["pithos://a/b/c", "%ff", "%00", "True", "diskdump", "1", "9" * 30]
)
image_headers = st.dictionaries(
    st.sampled_from(
        ["Name", "Location", "Id", "Store", "Size", "Checksum", "Is-Public", "Status", "Disk-Format",
         "Container-Format", "Property-Os", "Property-%2F", "Property-", "Owner", "X"]
    ),
    header_values,
    max_size=5,
)  # fmt: skip
content_types = st.sampled_from([JSON, "application/json; charset=utf-8", "text/plain", ""])
PATHS = sorted(
    {(f"{root}/{version}/{row[2]}", row[1]) for root, version, row in ROWS}
    | {
        ("/cyclades/compute/v2.0/images", "GET"),
        ("/cyclades/compute/v2.0/images/detail", "GET"),
        ("/cyclades/compute/v2.0/images/{image}", "GET"),
        ("/cyclades/compute/v2.0/images/{image}/metadata", "POST"),
        ("/cyclades/compute/v2.0/images/{image}/metadata/os", "PUT"),
        ("/cyclades/compute/v2.0/images/{image}/metadata/%00", "DELETE"),
    }
)


@hypothesis_settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    target=st.sampled_from(PATHS),
    body=bodies,
    query=queries,
    headers=image_headers,
    content_type=content_types,
)
def test_no_input_breaks_a_route(
    world: World,
    target: tuple[str, str],
    body: bytes,
    query: dict[str, str],
    headers: dict[str, str],
    content_type: str,
) -> None:
    template, method = target
    path = world.path(template)
    pairs = [f"{name}={quote(value.encode('utf-8', 'surrogatepass'))}" for name, value in query.items()]
    named = {f"X-Image-Meta-{name}": value for name, value in headers.items()} if "/image" in path else {}
    response = world.owner.call(
        method, f"{path}?{'&'.join(pairs)}", body, headers=named, content_type=content_type
    )
    assert response.status_code < 500 or response.status_code in (501, 503), response.content
