"""Networks over HTTP (network contract 4)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cyclades.logic import network_deletion, networks, value_pools
from cyclades.models import Backend, BackendNetwork, MacPrefixPool, Network, NetworkState, Port
from synnefo import clock
from tests.cyclades.compute_fixtures import Person, holding_of
from tests.cyclades.network_fixtures import NetworkApi, network_api

pytestmark = [pytest.mark.db, pytest.mark.django_db]

KEYS = {
    "id", "name", "type", "status", "user_id", "tenant_id", "shared_to_project", "public", "shared",
    "router:external", "admin_state_up", "SNF:floating_ip_pool", "subnets", "deleted", "created", "updated",
    "links",
    # for OpenStack clients
    "project_id", "created_at", "updated_at", "mtu", "description", "availability_zones", "tags",
}  # fmt: skip
NEW = {"network": {"type": "MAC_FILTERED", "name": "lab-net"}}


def fault(response) -> tuple[int, str]:
    body = response.json()
    [(key, value)] = body.items()
    assert set(value) == {"code", "message", "details"}
    assert value["code"] == response.status_code
    return response.status_code, key


def test_versions_need_no_token(client: Client) -> None:
    api = NetworkApi(client)
    for path in ("", "v2.0", "v2.0/"):
        assert api.call("GET", path).status_code == 200
    versions = api.call("GET", "").json()
    assert versions == {
        "versions": [
            {
                "id": "v2.0",
                "status": "CURRENT",
                "links": [{"rel": "self", "href": "http://testserver/cyclades/network/v2.0/"}],
            }
        ]
    }
    resources = api.call("GET", "v2.0/").json()["resources"]
    assert [(item["name"], item["collection"]) for item in resources] == [
        ("network", "networks"),
        ("subnet", "subnets"),
        ("port", "ports"),
        ("floatingip", "floatingips"),
    ]


def test_unversioned_root_without_slash(client: Client) -> None:
    assert client.get("/cyclades/network").status_code == 200


@pytest.mark.parametrize("path", ["nothing", "networks/1/2/3", "networks/a.b", "floatingips/1/detail"])
def test_unknown_path_is_400(api: NetworkApi, path: str) -> None:
    assert fault(api.get(path)) == (400, "badRequest")


def test_wrong_verb_is_405_with_allow(api: NetworkApi) -> None:
    response = api.call("PATCH", "v2.0/networks")
    assert fault(response) == (405, "notAllowed")
    assert response["Allow"] == "GET,POST"


def test_no_token_is_401(client: Client) -> None:
    assert fault(NetworkApi(client).get("networks")) == (401, "unauthorized")


def test_create_charges_and_answers_201_with_all_keys(
    api: NetworkApi, person: Person, mac_pool: None
) -> None:
    response = api.post("networks", NEW)
    assert response.status_code == 201
    network = response.json()["network"]
    assert set(network) == KEYS
    url = f"http://testserver/cyclades/network/v2.0/networks/{network['id']}"
    assert network["links"] == [{"rel": "self", "href": url}, {"rel": "bookmark", "href": url}]
    assert network | {"tenant_id": person.uuid, "user_id": person.uuid, "status": "ACTIVE"} == network
    assert (network["type"], network["name"], network["public"]) == ("MAC_FILTERED", "lab-net", False)
    assert isinstance(network["id"], str)
    assert network["created"].endswith("+00:00")
    assert person.usage("cyclades.network.private") == (1, 0)
    row = Network.objects.get()
    assert (row.mac_prefix, row.link, row.mode, row.tags) == (
        "aa:00:1",
        "prv0",
        "bridged",
        "private-filtered",
    )
    assert row.external_router is False


def test_kamaki_keys_are_ignored(api: NetworkApi, mac_pool: None) -> None:
    body = {"network": {**NEW["network"], "admin_state_up": True, "shared": False, "x": 1}}
    assert api.post("networks", body).status_code == 201


def test_openstack_client_gets_the_first_enabled_type(api: NetworkApi, mac_pool: None) -> None:
    response = api.post("networks", {"network": {"name": "n"}})
    assert response.json()["network"]["type"] == "MAC_FILTERED"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "badRequest")),
        ([], (400, "badRequest")),
        ({"network": 3}, (400, "badRequest")),
        ({"networks": [NEW["network"]]}, (400, "badRequest")),
        ({"network": {"type": None}}, (400, "badRequest")),
        ({"network": {"type": 4}}, (400, "badRequest")),
        ({"network": {"type": "NO_SUCH"}}, (400, "badRequest")),
        ({"network": {"type": "PHYSICAL_VLAN"}}, (403, "forbidden")),
        ({"network": {"type": "MAC_FILTERED", "name": 3}}, (400, "badRequest")),
        ({"network": {"type": "MAC_FILTERED", "name": "x" * 129}}, (400, "badRequest")),
        ({"network": {"type": "MAC_FILTERED", "project": "not-mine"}}, (400, "badRequest")),
        ({"network": {"type": "MAC_FILTERED", "shared_to_project": "yes"}}, (400, "badRequest")),
        ({"network": {"type": "MAC_FILTERED", "shared_to_project": True}}, (403, "forbidden")),
    ],
)
def test_create_refuses(api: NetworkApi, mac_pool: None, body: object, expected: tuple[int, str]) -> None:
    assert fault(api.post("networks", body)) == expected
    assert not Network.objects.exists()


def test_create_without_a_pool_is_503(api: NetworkApi) -> None:
    assert fault(api.post("networks", NEW)) == (503, "serviceUnavailable")


def test_exhausted_pool_is_503_and_charges_nothing(api: NetworkApi, person: Person, mac_pool: None) -> None:
    pool = value_pools.list_pools(value_pools.MAC_PREFIX)[0]
    while pool.bits.count_free():
        pool.bits.take_first()
    pool.save()
    assert fault(api.post("networks", NEW)) == (503, "serviceUnavailable")
    assert person.usage("cyclades.network.private") == (0, 0)


def test_over_quota_is_413_and_takes_no_prefix(api: NetworkApi, person: Person, mac_pool: None) -> None:
    for _ in range(10):
        assert api.post("networks", NEW).status_code == 201
    before = MacPrefixPool.objects.get().available_map
    assert fault(api.post("networks", NEW)) == (413, "overLimit")
    assert MacPrefixPool.objects.get().available_map == before


def test_list_and_detail_show_own_and_public_ones_in_order(
    api: NetworkApi, private_network: Network, internet: Network, stranger: Person
) -> None:
    for path in ("networks", "networks/", "networks/detail", "networks.json"):
        listed = api.get(path).json()["networks"]
        assert [item["id"] for item in listed] == [str(private_network.pk), str(internet.pk)]
        assert set(listed[0]) == KEYS
    others = network_api(stranger).get("networks").json()["networks"]
    assert [item["id"] for item in others] == [str(internet.pk)]


def test_public_network_has_no_owner(api: NetworkApi, internet: Network) -> None:
    network = api.get(f"networks/{internet.pk}").json()["network"]
    assert (network["user_id"], network["tenant_id"]) == (None, None)
    assert network["public"] and network["shared"] and network["router:external"]
    assert network["SNF:floating_ip_pool"] is True
    assert len(network["subnets"]) == 1


def test_drained_network_shows_its_own_status(api: NetworkApi, internet: Network) -> None:
    Network.objects.update(drained=True)
    assert api.get("networks").json()["networks"][0]["status"] == "SNF:DRAINED"


def test_list_costs_a_fixed_number_of_queries(
    api: NetworkApi, mac_pool: None, django_assert_num_queries: Callable[..., object]
) -> None:
    for count in (1, 5):
        while Network.objects.count() < count:
            api.post("networks", NEW)
        with django_assert_num_queries(3):
            assert len(api.get("networks").json()["networks"]) == count


@pytest.mark.parametrize("network_id", ["9999", "99999999999999999999999", "a-b", "-1", "%00"])
def test_unknown_network(api: NetworkApi, network_id: str) -> None:
    for method in ("GET", "DELETE"):
        status, key = fault(api.call(method, f"v2.0/networks/{network_id}"))
        assert (status, key) == ((404, "itemNotFound") if network_id == "9999" else (400, "badRequest"))


def test_foreign_network_is_404_for_every_call(stranger: Person, private_network: Network) -> None:
    api, path = network_api(stranger), f"networks/{private_network.pk}"
    assert api.get(path).status_code == 404
    assert api.put(path, {"network": {"name": "mine"}}).status_code == 404
    assert api.delete(path).status_code == 404
    assert api.post(f"{path}/action", {"reassign": {"project": stranger.uuid}}).status_code == 404


def test_shared_network_can_be_renamed_by_members(
    api: NetworkApi, person: Person, private_network: Network
) -> None:
    Network.objects.update(userid="someone-else", project=person.uuid, shared_to_project=True)
    response = api.put(f"networks/{private_network.pk}", {"network": {"name": "ours"}})
    assert (response.status_code, response.json()["network"]["name"]) == (200, "ours")
    action = {"reassign": {"project": person.uuid}}
    assert fault(api.post(f"networks/{private_network.pk}/action", action)) == (403, "forbidden")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"network": {"name": "new", "shared": True}}, 200),
        ({"network": {}}, 400),
        ({"network": {"name": None}}, 400),
        ({"network": {"name": "x" * 129}}, 400),
        ({}, 400),
    ],
)
def test_rename(api: NetworkApi, private_network: Network, body: object, status: int) -> None:
    response = api.put(f"networks/{private_network.pk}", body)
    assert response.status_code == status


def test_public_network_is_the_administrators(api: NetworkApi, person: Person, internet: Network) -> None:
    path = f"networks/{internet.pk}"
    assert fault(api.put(path, {"network": {"name": "mine"}})) == (403, "forbidden")
    assert fault(api.delete(path)) == (403, "forbidden")
    assert fault(api.post(f"{path}/action", {"reassign": {"project": person.uuid}})) == (403, "forbidden")


def test_delete_ends_at_once_without_backends(
    api: NetworkApi, person: Person, private_network: Network
) -> None:
    path = f"networks/{private_network.pk}"
    assert api.delete(path).status_code == 204
    shown = api.get(path).json()["network"]
    assert (shown["status"], shown["deleted"]) == ("DELETED", True)
    assert len(shown["subnets"]) == 1
    assert api.get("networks").json() == {"networks": []}
    assert person.usage("cyclades.network.private") == (0, 0)
    pool = value_pools.list_pools(value_pools.MAC_PREFIX)[0]
    assert pool.bits.is_free(pool.values.index(private_network.mac_prefix))
    assert fault(api.delete(path)) == (400, "badRequest")
    assert fault(api.put(path, {"network": {"name": "n"}})) == (400, "badRequest")


def test_delete_waits_for_the_backends_and_may_be_repeated(
    api: NetworkApi, person: Person, private_network: Network, backend: Backend,
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callable[..., object],
) -> None:  # fmt: skip
    from cyclades.logic import network_projection

    removed: list[list[int]] = []
    monkeypatch.setattr(network_projection, "remove_after_commit", lambda _, ids: removed.append(ids))
    row = BackendNetwork.objects.create(
        network=private_network, backend=backend, operstate=NetworkState.ACTIVE
    )
    path = f"networks/{private_network.pk}"
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            assert api.delete(path).status_code == 204
    assert removed == [[backend.pk], [backend.pk]]
    assert api.get(path).json()["network"]["status"] == "ACTIVE"
    assert person.usage("cyclades.network.private") == (1, 0)
    row.operstate, row.deleted = NetworkState.DELETED, True
    row.save()
    networks.finish_deletion(Network.objects.get(pk=private_network.pk))
    assert api.get(path).json()["network"]["status"] == "DELETED"
    assert person.usage("cyclades.network.private") == (0, 0)


def test_network_that_was_moved_meanwhile_gives_its_quota_back_to_who_paid_last(
    person: Person, stranger: Person, private_network: Network
) -> None:
    refund = network_deletion.begin_refund(private_network)
    networks.charge(stranger.uuid, {stranger.uuid: 1}, action="test")
    Network.objects.update(userid=stranger.uuid, project=stranger.uuid, action="DESTROY")
    assert network_deletion.finish_locked(Network.objects.get(), refund)
    assert person.usage("cyclades.network.private") == (1, 0)
    assert stranger.usage("cyclades.network.private") == (0, 0)


def test_network_that_lost_its_last_backend_stays(private_network: Network) -> None:
    networks.finish_deletion(private_network)
    private_network.refresh_from_db()
    assert not private_network.deleted


def test_delete_of_a_network_on_an_offline_backend_is_503(
    api: NetworkApi, private_network: Network, backend: Backend
) -> None:
    Backend.objects.update(offline=True)
    BackendNetwork.objects.create(network=private_network, backend=backend)
    assert fault(api.delete(f"networks/{private_network.pk}")) == (503, "serviceUnavailable")
    private_network.refresh_from_db()
    assert private_network.action == "CREATE"


def test_delete_with_a_port_is_409(api: NetworkApi, private_network: Network) -> None:
    Port.objects.create(network=private_network)
    assert fault(api.delete(f"networks/{private_network.pk}")) == (409, "conflict")


def test_reassign_moves_the_quota(api: NetworkApi, person: Person, private_network: Network) -> None:
    path = f"networks/{private_network.pk}/action"
    response = api.post(path, {"reassign": {"project": person.uuid}})
    assert (response.status_code, response.content) == (200, b"")
    assert holding_of(person.uuid, "cyclades.network.private").usage == 1
    assert fault(api.post(path, {"reassign": {"project": "other"}})) == (400, "badRequest")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"fly": {}},
        {"reassign": 3},
        {"reassign": {}},
        {"reassign": {"project": 4}},
        {"a": {}, "b": {}},
        [],
    ],
)
def test_malformed_action_is_400(api: NetworkApi, private_network: Network, body: object) -> None:
    assert fault(api.post(f"networks/{private_network.pk}/action", body)) == (400, "badRequest")


def test_sharing_that_is_switched_off_is_403(
    api: NetworkApi, person: Person, private_network: Network
) -> None:
    action = {"reassign": {"project": person.uuid, "shared_to_project": True}}
    assert fault(api.post(f"networks/{private_network.pk}/action", action)) == (403, "forbidden")


def _since(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+", "%2B")


def test_changes_since_shows_deleted_networks_too(api: NetworkApi, private_network: Network) -> None:
    api.delete(f"networks/{private_network.pk}")
    path = f"networks?changes-since={_since(clock.now() - dt.timedelta(minutes=1))}"
    assert [item["status"] for item in api.get(path).json()["networks"]] == ["DELETED"]


def test_changes_since_without_changes_is_304(api: NetworkApi, private_network: Network) -> None:
    response = api.get(f"networks?changes-since={_since(clock.now())}")
    assert (response.status_code, response.content) == (304, b"")


@pytest.mark.parametrize("value", ["nonsense", "2010-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
def test_bad_changes_since_is_400(api: NetworkApi, value: str) -> None:
    assert fault(api.get(f"networks?changes-since={value}")) == (400, "badRequest")


def test_pages_filters_and_fields(api: NetworkApi, mac_pool: None) -> None:
    for name in ("c", "a", "b"):
        api.post("networks", {"network": {"type": "MAC_FILTERED", "name": name}})
    page = api.get("networks?limit=2&sort_key=name&fields=name&fields=id").json()
    assert [item["name"] for item in page["networks"]] == ["a", "b"]
    assert set(page["networks"][0]) == {"name", "id"}
    [link] = page["networks_links"]
    assert link["rel"] == "next"
    following = api.get(link["href"].split("/v2.0/")[1]).json()
    assert [item["name"] for item in following["networks"]] == ["c"]
    assert "networks_links" not in following
    assert len(api.get("networks?name=a&name=c").json()["networks"]) == 2
    assert api.get("networks?status=ACTIVE&id=nonsense").json()["networks"] == []
    assert len(api.get("networks?shared=false&router:external=False").json()["networks"]) == 3


@pytest.mark.parametrize(
    "query", ["limit=x", "limit=-1", "sort_key=zz", "sort_dir=up", "marker=x", "name=%00", "limit=0"]
)
def test_malformed_query_is_400(api: NetworkApi, query: str) -> None:
    assert fault(api.get(f"networks?{query}")) == (400, "badRequest")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    collection=st.sampled_from(["network", "subnet", "port", "floatingip"]),
    field=st.sampled_from(
        ["type", "name", "network_id", "cidr", "gateway_ip", "allocation_pools", "fixed_ips", "device_id",
         "floating_network_id", "floating_ip_address", "dns_nameservers", "host_routes", "ip_version"]
    ),
    value=_JSON,
)  # fmt: skip
def test_malformed_bodies_never_crash(api: NetworkApi, collection: str, field: str, value: object) -> None:
    body = {"type": "MAC_FILTERED", "network_id": "1", "cidr": "10.0.0.0/24", field: value}
    response = api.post(f"{collection}s", {collection: body})
    assert response.status_code < 500 or response.status_code == 503


@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(raw=st.binary(max_size=60))
def test_any_bytes_as_body_never_crash(api: NetworkApi, raw: bytes) -> None:
    assert api.post("networks", raw).status_code == 400


def test_network_that_its_cluster_does_not_have_ends_without_a_job(
    api: NetworkApi, private_network: Network, backend: Backend,
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callable[..., object],
) -> None:  # fmt: skip
    from cyclades.ganeti import networks as ganeti_networks

    monkeypatch.setattr("django.conf.settings.GANETI_SUBMIT_IN_BACKGROUND", False)
    monkeypatch.setattr(ganeti_networks, "delete_network", lambda backend, network: [])
    BackendNetwork.objects.create(network=private_network, backend=backend)
    path = f"networks/{private_network.pk}"
    with django_capture_on_commit_callbacks(execute=True):
        assert api.delete(path).status_code == 204
    assert api.get(path).json()["network"]["status"] == "DELETED"
