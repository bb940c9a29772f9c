"""The compute dialect in Nova's profile, ``/v2.1`` (compute contract 22)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from cyclades.api.compute.nova_actions import NOT_OFFERED
from cyclades.models import (
    Flavor,
    IPAddress,
    JobIntent,
    Network,
    Port,
    PortState,
    Server,
    ServerState,
    ServerTag,
    Volume,
    VolumeType,
)
from synnefo import clock
from tests.cyclades.compute_fixtures import ComputeApi, Person
from tests.cyclades.network_fixtures import subnet_of

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.usefixtures("submitted", "backend")]
STARTED, STOPPED, BUILD, ERROR = (
    ServerState.STARTED,
    ServerState.STOPPED,
    ServerState.BUILD,
    ServerState.ERROR,
)


@dataclass(frozen=True)
class Nova:
    """A client of Nova's root."""

    api: ComputeApi

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        return self.api.call(method, f"v2.1/{path}", body, headers=headers)

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def act(self, server: Server, body: object) -> Any:
        return self.call("POST", f"servers/{server.pk}/action", body)


@pytest.fixture
def nova(person: Person) -> Nova:
    return Nova(person.api)


def fault(answer: Any) -> tuple[int, str]:
    body = answer.json()
    assert len(body) == 1
    (name,) = body
    assert body[name]["code"] == answer.status_code
    return answer.status_code, name


def numbers_among_ids(value: Any, where: str = "") -> list[str]:
    """Return where an id is a number."""
    if isinstance(value, list):
        return [found for item in value for found in numbers_among_ids(item, f"{where}[]")]
    if not isinstance(value, dict):
        return []
    found = [
        f"{where}.{key}"
        for key, item in value.items()
        if (key == "id" or key.endswith(("_id", "Id"))) and isinstance(item, int)
    ]
    return found + [f for key, item in value.items() for f in numbers_among_ids(item, f"{where}.{key}")]


def connect(server: Server, network: Network, address: str, *, floating: bool = False) -> Port:
    port = Port.objects.create(
        network=network, machine=server, mac=f"aa:00:00:00:00:{Port.objects.count():02x}",
        state=PortState.ACTIVE, public=network.public, userid=server.userid,
    )  # fmt: skip
    IPAddress.objects.create(
        subnet=subnet_of(network), network=network, nic=port, userid=server.userid, project=server.project,
        address=address, floating_ip=floating, ipversion=4,
    )  # fmt: skip
    return port


def test_both_versions_are_discovered_without_a_token(client):
    listed = client.get("/cyclades/compute/").json()["versions"]
    assert [version["id"] for version in listed] == ["v2.0", "v2.1"]
    for path in ("/cyclades/compute/v2.1", "/cyclades/compute/v2.1/"):
        version = client.get(path).json()["version"]
        assert (version["id"], version["version"], version["min_version"]) == ("v2.1", "", "")
        assert version["links"] == [{"rel": "self", "href": "http://testserver/cyclades/compute/v2.1/"}]


def test_ids_are_text_and_links_stay_in_the_profile(nova, make_server, image):
    server = make_server()
    Volume.objects.create(
        userid=server.userid, project=server.project, size=20, volume_type=VolumeType.objects.get(),
        machine=server, index=0, status="IN_USE",
    )  # fmt: skip
    for path in ("servers", "servers/detail", f"servers/{server.pk}", "flavors/detail"):
        answer = nova.get(path)
        assert answer.status_code == 200
        assert numbers_among_ids(answer.json()) == []
        assert "/compute/v2.0/" not in answer.content.decode()
    shown = nova.get(f"servers/{server.pk}").json()["server"]
    assert shown["id"] == str(server.pk)
    assert all(isinstance(volume, str) for volume in shown["volumes"])


@pytest.mark.parametrize(
    ("values", "status", "vm_state"),
    [
        ({}, "ACTIVE", "active"),
        ({"operstate": STOPPED}, "SHUTOFF", "stopped"),
        ({"operstate": STOPPED, "task": "RESIZE"}, "RESIZE", "stopped"),
        ({"operstate": BUILD, "task": "BUILD"}, "BUILD", "building"),
        ({"operstate": ERROR}, "ERROR", "error"),
        ({"task": "REBOOT"}, "REBOOT", "active"),
        ({"rescue": True}, "RESCUE", "rescued"),
    ],
)
def test_statuses_are_novas(nova, make_server, values, status, vm_state):
    server = make_server(**values)
    shown = nova.get(f"servers/{server.pk}").json()["server"]
    assert (shown["status"], shown["OS-EXT-STS:vm_state"]) == (status, vm_state)
    assert [row["id"] for row in nova.get(f"servers?status={status}").json()["servers"]] == [str(server.pk)]
    assert ("fault" in shown) == (status == "ERROR")


@pytest.mark.parametrize(("kind", "status"), [("SOFT", "REBOOT"), ("hard", "HARD_REBOOT")])
def test_a_reboot_is_shown_by_its_kind(nova, make_server, kind, status):
    server = make_server()
    assert nova.act(server, {"reboot": {"type": kind}}).status_code == 202
    assert nova.get(f"servers/{server.pk}").json()["server"]["status"] == status


def test_a_deleted_server_is_gone(nova, person, make_server):
    server = make_server(deleted=True, operstate=ServerState.DESTROYED)
    assert fault(nova.get(f"servers/{server.pk}")) == (404, "itemNotFound")
    assert fault(nova.act(server, {"os-start": None})) == (404, "itemNotFound")
    assert fault(nova.call("DELETE", f"servers/{server.pk}")) == (404, "itemNotFound")
    assert person.api.get(f"servers/{server.pk}").json()["server"]["status"] == "DELETED"


def test_faults_have_novas_names_and_codes(nova, person, make_server, flavor, create_body):
    server = make_server()
    assert fault(nova.get("servers/web-1")) == (404, "itemNotFound")
    assert fault(nova.get("no/such/path")) == (404, "itemNotFound")
    assert fault(nova.call("PATCH", "servers")) == (405, "badMethod")
    assert fault(nova.act(server, {"os-start": None})) == (409, "conflictingRequest")
    assert fault(nova.act(server, {"fly": None})) == (400, "badRequest")
    building = make_server(operstate=BUILD, task="BUILD")
    assert fault(nova.act(building, {"os-stop": None})) == (409, "conflictingRequest")
    suspended = make_server(suspended=True)
    assert fault(nova.act(suspended, {"os-stop": None})) == (403, "forbidden")
    Flavor.objects.update(cpu=1001)
    answer = nova.call("POST", "servers", {"server": create_body})
    assert fault(answer) == (403, "forbidden")
    assert "cpu" in answer.json()["forbidden"]["details"]
    assert person.api.post("servers", {"server": create_body}).status_code == 413
    assert fault(person.api.get("servers/web-1")) == (400, "badRequest")
    assert fault(Nova(ComputeApi(person.api.client)).get("servers")) == (401, "unauthorized")


def test_unexpected_errors_are_compute_faults(nova, monkeypatch):
    from cyclades.logic import server_lists

    def fail(*args: object, **kwargs: object) -> None:
        raise ValueError("inside")

    monkeypatch.setattr(server_lists, "list_servers", fail)
    answer = nova.get("servers")
    assert fault(answer) == (500, "computeFault")
    assert b"inside" not in answer.content


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"OpenStack-API-Version": "compute 2.1"}, 200),
        ({"OpenStack-API-Version": "compute latest"}, 200),
        ({"X-OpenStack-Nova-API-Version": "2.1"}, 200),
        ({"OpenStack-API-Version": "volume 3.50"}, 200),
        ({"OpenStack-API-Version": "compute 2.37"}, 406),
        ({"X-OpenStack-Nova-API-Version": "2.90"}, 406),
    ],
)
def test_there_are_no_microversions(nova, headers, status):
    answer = nova.get("servers", **headers)
    assert answer.status_code == status
    assert answer["OpenStack-API-Version"] == "compute 2.1"
    assert answer["X-Compute-Request-Id"] == answer["X-OpenStack-Request-ID"] == answer["X-Request-Id"]


def test_creation_answers_with_the_address_of_the_server(nova, person, create_body, settings):
    answer = nova.call(
        "POST", "servers", {"server": {**create_body, "min_count": 1, "max_count": 1, "config_drive": True}}
    )
    assert answer.status_code == 202
    shown = answer.json()["server"]
    assert answer["Location"] == f"http://testserver/cyclades/compute/v2.1/servers/{shown['id']}"
    assert (shown["status"], shown["OS-DCF:diskConfig"], bool(shown["adminPass"])) == (
        "BUILD",
        "MANUAL",
        True,
    )
    root = "http://testserver/cyclades/compute/v2.1"
    references = {"imageRef": f"{root}/images/{create_body['imageRef']}",
                  "flavorRef": f"{root}/flavors/{create_body['flavorRef']}"}  # fmt: skip
    assert nova.call("POST", "servers", {"server": {**create_body, **references}}).status_code == 202
    several = {**create_body, "max_count": 2}
    assert fault(nova.call("POST", "servers", {"server": several})) == (400, "badRequest")
    obsolete = {**create_body, "block_device_mapping": [{"device_name": "vda"}]}
    assert fault(nova.call("POST", "servers", {"server": obsolete})) == (400, "badRequest")


@pytest.mark.parametrize(
    ("version", "networks", "ports"),
    [("v2.0", [], 0), ("v2.1", [], 1), ("v2.0", "auto", 1), ("v2.1", "auto", 1), ("v2.1", "none", 0),
     ("v2.1", None, 1)],
)  # fmt: skip
def test_which_networks_no_wish_means(
    person, create_body, private_network, settings, version, networks, ports
):
    settings.CYCLADES_DEFAULT_SERVER_NETWORKS = [private_network.pk]
    body = {"server": {**create_body, "networks": networks}}
    assert person.api.call("POST", f"{version}/servers", body).status_code == 202
    assert Port.objects.count() == ports


def test_a_fixed_address_is_asked_for_in_either_word(nova, create_body, private_network):
    for word, address in (("fixed_ip", "10.20.30.9"), ("fixed", "10.20.30.10")):
        wish = {"uuid": str(private_network.pk), word: address, "tag": "eth"}
        answer = nova.call("POST", "servers", {"server": {**create_body, "networks": [wish]}})
        assert answer.status_code == 202
    assert set(IPAddress.objects.values_list("address", flat=True)) == {"10.20.30.9", "10.20.30.10"}


def test_addresses_are_by_the_networks_names(nova, make_server, private_network, internet):
    server = make_server()
    connect(server, private_network, "10.20.30.2")
    connect(server, internet, "203.0.113.9", floating=True)
    Network.objects.filter(pk=internet.pk).update(name="")
    shown = nova.get(f"servers/{server.pk}").json()["server"]["addresses"]
    assert set(shown) == {private_network.name, str(internet.pk)}
    (entry,) = shown[str(internet.pk)]
    assert (entry["version"], entry["addr"], entry["OS-EXT-IPS:type"]) == (4, "203.0.113.9", "floating")
    assert entry["OS-EXT-IPS-MAC:mac_addr"].startswith("aa:00:")
    assert nova.get(f"servers/{server.pk}/ips").json()["addresses"] == shown
    Network.objects.update(name="twice")
    ids = {str(private_network.pk), str(internet.pk)}
    assert set(nova.get(f"servers/{server.pk}").json()["server"]["addresses"]) == ids


def test_rename_answers_with_the_server(nova, person, make_server):
    server = make_server()
    path, body = f"servers/{server.pk}", {"server": {"name": "new"}}
    answer = nova.call("PUT", path, body)
    assert (answer.status_code, answer.json()["server"]["name"]) == (200, "new")
    assert person.api.put(path, body).status_code == 204


@pytest.mark.parametrize(
    ("verb", "path", "body", "cyclades", "nova_says"),
    [
        ("POST", "servers/{server}/metadata", {"metadata": {"a": "b"}}, 201, 200),
        ("PUT", "servers/{server}/metadata/a", {"meta": {"a": "b"}}, 201, 200),
        ("PUT", "servers/{server}/metadata", {"metadata": {"a": "b"}}, 200, 200),
    ],
)
def test_successes_have_each_profiles_status(
    person, nova, make_server, verb, path, body, cyclades, nova_says
):
    for call, status in ((person.api.call, cyclades), (None, nova_says)):
        place = path.format(server=make_server().pk)
        answer = nova.call(verb, place, body) if call is None else call(verb, f"v2.0/{place}", body)
        assert answer.status_code == status


def test_keypairs(nova, person):
    made = nova.call("POST", "os-keypairs", {"keypair": {"name": "laptop"}})
    assert made.status_code == 200
    keypair = made.json()["keypair"]
    assert (keypair["type"], keypair["user_id"], "private_key" in keypair) == ("ssh", person.uuid, True)
    (listed,) = nova.get("os-keypairs").json()["keypairs"]
    assert listed["keypair"]["user_id"] == person.uuid
    assert nova.get("os-keypairs/laptop").json()["keypair"]["type"] == "ssh"
    assert nova.call("DELETE", "os-keypairs/laptop").status_code == 202


def test_nothing_changed_is_an_empty_list(nova, person, make_server):
    make_server()
    moment = clock.isoformat(clock.now()).replace("+", "%2B")
    for path, key in (("servers/detail", "servers"), ("images", "images")):
        answer = nova.get(f"{path}?changes-since={moment}")
        assert (answer.status_code, answer.json()) == (200, {key: []})
        assert person.api.get(f"{path}?changes-since={moment}").status_code == 304


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [int(server["id"]) for server in answer.json()["servers"]]


def test_servers_are_filtered_by_tags_addresses_and_names(nova, make_server, private_network):
    red, both, none = make_server(name="a.web"), make_server(name="b-web"), make_server(name="c")
    for server, tag in ((red, "red"), (both, "red"), (both, "blue")):
        ServerTag.objects.create(server=server, tag=f"cyclades:user:{tag}", status="ACTIVE")
    connect(both, private_network, "10.20.30.2")
    expected: dict[str, list[Server]] = {
        "tags=red,blue": [both],
        "tags-any=red,blue": [red, both],
        "not-tags=red,blue": [red, none],
        "not-tags-any=blue": [red, none],
        "ip=10.20.30": [both],
        "ip6=fd00": [],
        "name=web": [red, both],
        "name=%5Ea%5C.web%24": [red],
        "name=%5Ec%24": [none],
        "name=-web%24": [both],
        "all_tenants=1&deleted=false&host=x&unknown=1": [red, both, none],
        "sort_key=display_name&sort_dir=desc": [none, both, red],
    }
    answers = {query: ids(nova.get(f"servers/detail?{query}")) for query in expected}
    assert answers == {query: [server.pk for server in servers] for query, servers in expected.items()}
    for query in ("sort_key=password", "sort_dir=up", "marker=999999", "limit=0", "limit=x"):
        assert fault(nova.get(f"servers?{query}")) == (400, "badRequest")


@pytest.mark.parametrize("order", ["", "&sort_key=created_at&sort_dir=desc", "&sort_key=name"])
def test_pages_follow_each_other_to_an_empty_one(nova, make_server, order):
    made = [make_server(name=name).pk for name in ("b", "a", "b")]
    seen: list[int] = []
    path = f"servers?limit=2{order}"
    while True:
        answer = nova.get(path)
        seen += ids(answer)
        links = answer.json().get("servers_links")
        if not links:
            break
        assert links[0]["href"].startswith("http://testserver/cyclades/compute/v2.1/servers?")
        path = links[0]["href"].partition("/v2.1/")[2]
    assert sorted(seen) == sorted(made)
    assert ids(nova.get(f"servers?limit=2{order}&marker={seen[-1]}")) == []


@pytest.mark.parametrize("version", ["v2.0", "v2.1"])
def test_limits_and_quota_sets_come_from_the_holdings(person, stranger, make_server, version):
    api = person.api
    absolute = api.call("GET", f"{version}/limits").json()["limits"]["absolute"]
    assert absolute["maxTotalInstances"] == 10
    assert (absolute["maxTotalRAMSize"], absolute["maxTotalFloatingIps"]) == (1000 * 1024, 10)
    quota = api.call("GET", f"{version}/os-quota-sets/{person.uuid}").json()["quota_set"]
    assert (quota["id"], quota["cores"], quota["key_pairs"]) == (person.uuid, 1000, 10)
    detail = api.call("GET", f"{version}/os-quota-sets/{person.uuid}/detail").json()["quota_set"]
    assert detail["instances"] == {"limit": 10, "in_use": 0, "reserved": 0}
    for path in (f"os-quota-sets/{stranger.uuid}", f"os-simple-tenant-usage/{stranger.uuid}"):
        assert api.call("GET", f"{version}/{path}").status_code == 404
    body = {"quota_set": {"cores": 1}}
    assert api.call("PUT", f"{version}/os-quota-sets/{person.uuid}", body).status_code == 403
    assert api.call("GET", f"{version}/limits?tenant_id={stranger.uuid}").status_code == 404


def test_usage_is_of_the_period(nova, person, make_server, flavor):
    server = make_server()
    Server.objects.filter(pk=server.pk).update(created="2031-01-01T00:00:00+00:00")
    gone = make_server(deleted=True)
    Server.objects.filter(pk=gone.pk).update(
        created="2020-01-01T00:00:00+00:00", updated="2020-01-01T10:00:00+00:00"
    )
    period = "start=2019-12-31&end=2020-01-02T00:00:00"
    usage = nova.get(f"os-simple-tenant-usage/{person.uuid}?{period}").json()["tenant_usage"]
    assert (usage["total_hours"], usage["total_vcpus_usage"]) == (10.0, 20.0)
    (row,) = usage["server_usages"]
    assert (row["instance_id"], row["state"], row["flavor"]) == (str(gone.pk), "terminated", flavor.name)
    (listed,) = nova.get(f"os-simple-tenant-usage?{period}").json()["tenant_usages"]
    assert listed["tenant_id"] == person.uuid
    assert nova.get(f"os-simple-tenant-usage/{person.uuid}?start=2019-01-01&end=2019-02-01").json() == {
        "tenant_usage": {}
    }
    assert nova.get("os-simple-tenant-usage?end=0001-01-02").json() == {"tenant_usages": []}
    for bad in ("start=x", "start=2020-01-02&end=2020-01-01"):
        assert fault(nova.get(f"os-simple-tenant-usage/{person.uuid}?{bad}")) == (400, "badRequest")


def test_what_there_is_one_or_none_of(nova, make_server):
    server = make_server()
    zones = nova.get("os-availability-zone").json()["availabilityZoneInfo"]
    assert zones == [{"zoneName": "nova", "zoneState": {"available": True}, "hosts": None}]
    for path in ("os-security-groups", f"servers/{server.pk}/os-security-groups"):
        assert [group["name"] for group in nova.get(path).json()["security_groups"]] == ["default"]
    assert nova.get("os-server-groups").json() == {"server_groups": []}
    assert nova.get(f"servers/{server.pk}/os-instance-actions").json() == {"instanceActions": []}
    assert fault(nova.get("servers/999999/os-instance-actions")) == (404, "itemNotFound")


def test_interfaces_are_ports(nova, stranger, make_server, private_network, internet):
    server = make_server()
    path = f"servers/{server.pk}/os-interface"
    made = nova.call("POST", path, {"interfaceAttachment": {"net_id": str(private_network.pk)}})
    assert made.status_code == 200
    interface = made.json()["interfaceAttachment"]
    assert (interface["port_state"], interface["net_id"]) == ("BUILD", str(private_network.pk))
    assert interface["fixed_ips"][0]["ip_address"] == "10.20.30.2"
    assert JobIntent.objects.get().operation == "CONNECT"
    assert nova.get(path).json()["interfaceAttachments"] == [interface]
    item = f"{path}/{interface['port_id']}"
    assert nova.get(item).json()["interfaceAttachment"] == interface
    assert fault(nova.call("DELETE", item)) == (409, "conflictingRequest")
    Server.objects.update(task="", task_job_id=None)
    assert nova.call("DELETE", item).status_code == 202
    Server.objects.update(task="", task_job_id=None)
    no_ip = {"interfaceAttachment": {"net_id": str(internet.pk)}}
    assert fault(nova.call("POST", path, no_ip)) == (409, "conflictingRequest")
    for body in ({}, {"port_id": "1", "net_id": "2"}, {"port_id": "x"}):
        assert fault(nova.call("POST", path, {"interfaceAttachment": body})) == (400, "badRequest")
    other = Nova(stranger.api)
    for verb, place in (("GET", path), ("GET", item), ("DELETE", item)):
        assert fault(other.call(verb, place)) == (404, "itemNotFound")


def test_an_unattached_port_is_given_to_a_server(nova, api, make_server, private_network):
    server, second = make_server(), make_server()
    port = api.post("ports", {"port": {"network_id": private_network.pk}}).json()["port"]
    body = {"interfaceAttachment": {"port_id": port["id"]}}
    answer = nova.call("POST", f"servers/{server.pk}/os-interface", body)
    assert answer.json()["interfaceAttachment"]["fixed_ips"][0]["ip_address"] == "10.20.30.2"
    again = nova.call("POST", f"servers/{second.pk}/os-interface", body)
    assert fault(again) == (409, "conflictingRequest")
    other = api.post("ports", {"port": {"network_id": private_network.pk}}).json()["port"]
    given = api.put(f"ports/{other['id']}", {"port": {"device_id": str(second.pk)}})
    assert (given.status_code, given.json()["port"]["status"]) == (200, "BUILD")
    moved = api.put(f"ports/{other['id']}", {"port": {"device_id": str(server.pk)}})
    assert moved.status_code == 409


def test_actions_of_nova(nova, make_server, create_body):
    made = nova.call("POST", "servers", {"server": create_body}).json()["server"]["id"]
    Server.objects.update(task="", operstate=STARTED)
    assert nova.act(Server.objects.get(pk=made), {"forceDelete": None}).status_code == 202
    assert nova.act(make_server(), {"os-getConsoleOutput": {"length": 10}}).json() == {"output": ""}
    assert nova.act(make_server(), {"confirmResize": None}).status_code == 204
    resizing = make_server(operstate=STOPPED, task="RESIZE")
    assert fault(nova.act(resizing, {"confirmResize": None})) == (409, "conflictingRequest")
    assert fault(nova.act(make_server(), {"suspend": None})) == (403, "forbidden")
    server = make_server()
    answers = {name: fault(nova.act(server, {name: None})) for name in NOT_OFFERED}
    assert set(answers.values()) == {(501, "notImplemented")}


def test_a_volume_that_is_not_on_the_server_is_not_found(nova, make_server):
    path = f"servers/{make_server().pk}/os-volume_attachments"
    assert fault(nova.call("DELETE", f"{path}/99")) == (404, "itemNotFound")
    assert fault(nova.get(f"{path}/99")) == (404, "itemNotFound")
    assert fault(nova.call("POST", path, {"volumeAttachment": {"volumeId": "99"}})) == (404, "itemNotFound")


def test_a_private_flavor_names_the_callers_projects(nova, person, volume_type):
    flavor = Flavor.objects.create(cpu=1, ram=512, disk=5, volume_type=volume_type, public=False)
    flavor.access.create(project=person.uuid)
    flavor.access.create(project="another")
    answer = nova.get(f"flavors/{flavor.pk}/os-flavor-access").json()
    assert answer == {"flavor_access": [{"flavor_id": str(flavor.pk), "tenant_id": person.uuid}]}
    shown = nova.get(f"flavors/{flavor.pk}").json()["flavor"]
    assert (shown["extra_specs"], shown["swap"], shown["OS-FLV-DISABLED:disabled"]) == ({}, "", False)


def test_a_page_costs_three_queries_more_than_in_the_other_profile(
    person: Person,
    nova: Nova,
    make_server: Callable[..., Server],
    private_network: Network,
    django_assert_max_num_queries: Any,
) -> None:
    for _ in range(5):
        connect(make_server(task="REBOOT"), private_network, f"10.20.30.{Port.objects.count() + 2}")
    with django_assert_max_num_queries(9):
        assert len(nova.get("servers/detail").json()["servers"]) == 5
