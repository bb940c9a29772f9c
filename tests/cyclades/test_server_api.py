"""The servers resource over HTTP (compute contract 3 to 6)."""

from __future__ import annotations

import pytest

from cyclades.models import JobIntent, PortState, Server, ServerDiagnostic, ServerMetadata, Volume
from tests.cyclades.compute_fixtures import IMAGE_ID
from tests.cyclades.ganeti_fixtures import add_port

pytestmark = pytest.mark.db

DETAIL_KEYS = {
    "id", "name", "links", "user_id", "tenant_id", "shared_to_project", "status", "SNF:task_state",
    "progress", "hostId", "created", "updated", "flavor", "image", "suspended", "metadata", "tags",
    "attachments", "addresses", "volumes", "diagnostics", "security_groups", "key_name", "SNF:key_names",
    "config_drive", "accessIPv4", "accessIPv6", "SNF:fqdn", "SNF:port_forwarding", "deleted", "SNF:rescue",
}  # fmt: skip


def test_create_answers_202_with_the_whole_server(person, backend, create_body, submitted):
    response = person.api.post("servers", {"server": create_body})
    assert response.status_code == 202
    server = response.json()["server"]
    assert DETAIL_KEYS | {"adminPass"} <= set(server)
    assert server["status"] == "BUILD"
    assert server["SNF:task_state"] == "BUILDING"
    assert isinstance(server["id"], int)
    assert len(server["volumes"]) == 1
    assert response["Location"].endswith(f"/compute/v2.0/servers/{server['id']}")


def test_create_charges_at_once(person, backend, create_body, submitted):
    person.api.post("servers", {"server": create_body})
    assert person.usage("cyclades.vm") == (1, 0)
    assert person.usage("cyclades.cpu") == (2, 0)
    assert person.usage("cyclades.total_cpu") == (2, 0)
    assert person.usage("cyclades.ram") == (1 << 30, 0)
    assert person.usage("cyclades.disk") == (20 << 30, 0)


def test_create_stores_server_volume_metadata_and_intent(person, backend, create_body, submitted):
    body = {**create_body, "metadata": {"os": "debian"}}
    number = person.api.post("servers", {"server": body}).json()["server"]["id"]
    server = Server.objects.get(pk=number)
    volume = Volume.objects.get(machine=server)
    assert (server.imageid, server.image_version, server.task) == (IMAGE_ID, 7, "BUILD")
    assert (volume.size, volume.index, volume.status, volume.source) == (
        20, 0, "CREATING", f"image:{IMAGE_ID}",
    )  # fmt: skip
    assert ServerMetadata.objects.get(server=server).meta_value == "debian"
    assert JobIntent.objects.get(server=server).operation == "BUILD"


def test_intent_holds_no_secret(person, backend, create_body, submitted):
    body = {**create_body, "adminPass": "Sup3rSecretWord"}
    number = person.api.post("servers", {"server": body}).json()["server"]["id"]
    assert "Sup3rSecretWord" not in str(JobIntent.objects.get(server_id=number).payload)


def test_show_answers_all_fields(person, make_server):
    response = person.api.get(f"servers/{make_server().pk}")
    assert response.status_code == 200
    server = response.json()["server"]
    assert set(server) >= DETAIL_KEYS
    assert (server["status"], server["progress"]) == ("ACTIVE", 100)
    assert "adminPass" not in server


def test_list_has_ids_names_and_links(person, make_server):
    server = make_server()
    response = person.api.get("servers")
    assert response.status_code == 200
    assert [set(item) for item in response.json()["servers"]] == [{"id", "name", "links"}]
    assert response.json()["servers"][0]["id"] == server.pk


@pytest.mark.parametrize("suffix", ["", "/", ".json", ".xml"])
def test_collection_takes_every_ending(person, make_server, suffix):
    assert person.api.get(f"servers{suffix}").status_code == 200


def gateway(address: str, server_id: int, fqdn: str, owner: str) -> tuple[str, int]:
    """A site's own rule for forwarded ports."""
    return f"gw.{address}", 61000 + len(owner)


def test_ports_that_a_gateway_forwards_are_told(person, make_server, public_network, settings):
    def broken(*_: object) -> None:
        raise RuntimeError("the site's own mistake")

    settings.CYCLADES_PORT_FORWARDING = {
        22: ("gw.example.net", 61042), 80: gateway, 443: f"{__name__}.gateway", 1: broken, 2: "no.such.rule",
        3: ("too", "many", "parts"), 4: lambda *_: None,
    }  # fmt: skip
    server = make_server()
    assert person.api.get(f"servers/{server.pk}").json()["server"]["SNF:port_forwarding"] == {}
    add_port(server, public_network, "10.0.3.7", state=PortState.ACTIVE, public=True)
    rule = {"host": "gw.10.0.3.7", "port": str(61000 + len(person.uuid))}
    assert person.api.get(f"servers/{server.pk}").json()["server"]["SNF:port_forwarding"] == {
        "22": {"host": "gw.example.net", "port": "61042"}, "80": rule, "443": rule,
    }  # fmt: skip


def test_a_failed_server_tells_the_last_error(person, make_server):
    server = make_server(operstate="ERROR")
    for level, message in (("ERROR", "old"), ("ERROR", "no space left"), ("DEBUG", "Cleanup")):
        ServerDiagnostic.objects.create(server=server, level=level, source="image-helper", message=message)
    shown = person.api.get(f"servers/{server.pk}").json()["server"]
    assert shown["fault"]["message"] == "no space left"
    assert [diagnostic["message"] for diagnostic in shown["diagnostics"]] == ["Cleanup"]
