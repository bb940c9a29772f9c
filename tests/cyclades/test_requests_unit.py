"""What is asked of Ganeti, by action (Ganeti contract 3 and 14)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cyclades.ganeti import requests
from cyclades.ganeti.opcodes import OPCODES
from cyclades.ganeti.submission import SENDERS
from cyclades.models import Network, ServerTag, Subnet, VolumeTypeSpec
from tests.cyclades.ganeti_fixtures import add_port, add_volume

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@dataclass(frozen=True)
class Picture:
    mapfile: str = "a-map"
    size: int = 5
    disk_format: str | None = "diskdump"


def body_of(server, ports=(), **flavor_type) -> dict:
    kind = server.flavor.volume_type
    for name, value in flavor_type.items():
        setattr(kind, name, value)
    kind.save()
    volume = add_volume(server, origin="a-map", origin_size=5, volume_type=kind)
    return requests.create_payload(server, server.flavor, list(ports), [volume], Picture())["body"]


def test_a_creation_asks_for_everything_explicitly(make_server, public_network):
    server = make_server()
    body = body_of(server, [add_port(server, public_network, "10.0.3.7")])
    volume, port = server.volumes.get(), server.ports.get()
    assert body == {
        "__version__": 1,
        "mode": "create",
        "name": f"snf-{server.pk}",
        "os": "snf-image+default",
        "disk_template": "drbd",
        "wait_for_sync": False,
        "ip_check": False,
        "name_check": False,
        "disks": [{"name": f"snf-vol-{volume.pk}", "size": 20480}],
        "nics": [{"name": f"snf-nic-{port.pk}", "network": f"snf-net-{public_network.pk}", "ip": "10.0.3.7"}],
        "beparams": {"auto_balance": True, "vcpus": 2, "minmem": 1024, "maxmem": 1024},
        "hvparams": {"serial_console": False},
        "osparams": {"config_url": "", "img_id": "pithosmap://a-map/5", "img_format": "diskdump"},
        "opportunistic_locking": True,
    }


def test_the_hypervisor_decides_about_its_parameters(make_server, backend, settings):
    backend.hypervisor = "fake"
    server = make_server(backend=backend)
    assert body_of(server)["hvparams"] == {}
    assert settings.GANETI_CREATEINSTANCE_KWARGS["hvparams"]["kvm"] == {"serial_console": False}


def test_a_provider_that_clones_gets_the_origin_and_no_image(make_server, settings):
    settings.GANETI_DISK_PROVIDER_KWARGS = {"archipelago": {"heads": "1"}}
    server = make_server()
    VolumeTypeSpec.objects.create(volume_type=server.flavor.volume_type, key="GNT-EXTP:POOL", value="fast")
    VolumeTypeSpec.objects.create(volume_type=server.flavor.volume_type, key="note", value="x")
    body = body_of(server, disk_template="ext_archipelago")
    disk = body["disks"][0]
    assert body["disk_template"] == "ext"
    assert body["osparams"]["img_id"] == "null"
    assert {k: v for k, v in disk.items() if k not in ("name", "size")} == {
        "provider": "archipelago",
        "origin": "a-map",
        "origin_size": 5,
        "heads": "1",
        "POOL": "fast",
        "reuse_data": "False",
    }


def test_tags_are_encoded_at_creation_too(make_server):
    server = make_server()
    ServerTag.objects.create(server=server, tag="cyclades:user:a b+c")
    assert body_of(server)["tags"] == ["cyclades:user:a+b/2Bc"]


def test_a_port_without_ipv4_is_given_none(make_server, public_network):
    port = add_port(make_server(), public_network)
    assert requests.nic_definition(port)["ip"] is None


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (requests.startup_payload(), {"action": "startup", "body": {}}),
        (requests.shutdown_payload(), {"action": "shutdown", "body": {}}),
        (requests.shutdown_payload(9), {"action": "shutdown", "body": {"timeout": 9}}),
        (requests.reboot_payload(), {"action": "reboot", "body": {"reboot_type": "hard"}}),
        (
            requests.reboot_payload("HARD"),
            {"action": "reboot", "body": {"reboot_type": "hard", "shutdown_timeout": 0}},
        ),
        (requests.delete_payload(), {"action": "delete", "body": {}}),
        (requests.tags_payload(add=["a b"]), {"action": "tags-add", "body": {"tags": ["a+b"]}}),
        (requests.tags_payload(delete=["a"]), {"action": "tags-delete", "body": {"tags": ["a"]}}),
    ],
)
def test_simple_actions_send_only_what_is_given(payload, expected):
    assert payload == expected


def test_a_resize_sets_both_ends_of_memory(make_server, bigger_flavor):
    assert requests.modify_beparams_payload(bigger_flavor)["body"] == {
        "beparams": {"vcpus": 4, "minmem": 4096, "maxmem": 4096}
    }


def test_ports_come_and_go_by_name(make_server, public_network):
    port = add_port(make_server(), public_network, "10.0.3.7")
    connect, disconnect = requests.connect_port_payload(port), requests.disconnect_port_payload(port)
    assert connect["body"]["nics"] == [["add", "-1", requests.nic_definition(port)]]
    assert connect["networks"] == [public_network.pk]
    assert disconnect["body"]["nics"] == [["remove", f"snf-nic-{port.pk}", {}]]
    assert connect["hotplug"] is disconnect["hotplug"] is True


@pytest.mark.parametrize(("job", "reuse"), [(None, "False"), (5, "True")])
def test_a_detachable_volume_says_whether_its_data_exists(make_server, job, reuse):
    server = make_server()
    kind = server.flavor.volume_type
    kind.disk_template = "ext_vlmc"
    volume = add_volume(server, backendjobid=job, index=1, origin="m", volume_type=kind)
    body = requests.attach_volume_payload(volume, running=False)["body"]
    assert body["disks"][0][2]["reuse_data"] == reuse
    assert "wait_for_sync" not in body
    assert requests.attach_volume_payload(volume, running=True)["body"]["wait_for_sync"] is False


def test_a_private_network_is_never_checked_for_conflicts(db):
    network = Network.objects.create(
        name="n", flavor="MAC_FILTERED", mac_prefix="aa:00:1", tags="private-filtered", public=False
    )
    Subnet.objects.create(network=network, ipversion=4, cidr="10.1.0.0/24", gateway="10.1.0.1", dhcp=True)
    parameters = requests.network_parameters(network, "aa:00:10")
    assert parameters["conflicts_check"] is False
    assert parameters["tags"] == ["private-filtered", "nfdhcpd", "private"]
    assert (parameters["network"], parameters["gateway"]) == ("10.1.0.0/24", "10.1.0.1")


def test_a_network_without_ipv4_gets_the_dummy_range(db):
    network = Network.objects.create(name="n", flavor="CUSTOM", mac_prefix="aa:00:0", public=True)
    Subnet.objects.create(network=network, ipversion=6, cidr="2001:db8::/64", dhcp=False)
    parameters = requests.network_parameters(network, "aa:00:00")
    assert (parameters["network"], parameters["network6"]) == ("10.0.0.0/29", "2001:db8::/64")
    assert parameters["conflicts_check"] is False


def test_every_action_has_an_opcode_and_a_sender():
    assert OPCODES.keys() == SENDERS.keys()
