"""server-import against a simulated Ganeti (Ganeti contract 10.6)."""

# ruff: noqa: F811
from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from cyclades.ganeti import clients, names
from cyclades.ganeti import networks as ganeti_networks
from cyclades.logic import quota_reconciliation
from cyclades.models import Flavor, PortState, Server, ServerState, VolumeStatus, VolumeType
from tests.cyclades.test_dispatcher_e2e import Cloud, cloud  # noqa: F401

pytestmark = [pytest.mark.functional, pytest.mark.django_db(transaction=True)]

NAME = "web1.example.org"


@pytest.fixture
def flavor(db) -> Flavor:
    kind = VolumeType.objects.create(name="plain", disk_template="plain")
    return Flavor.objects.create(cpu=1, ram=512, disk=2, volume_type=kind)


@pytest.fixture
def instance(cloud: Cloud, public_network):
    """Create a running instance in a network of ours, or in none."""

    def create(network=public_network) -> None:
        nics: list[dict] = [{"link": "br9", "mode": "bridged"}]
        if network is not None:
            ganeti_networks.ensure_network_active(cloud.backend, network)
            cloud.until(lambda: network.backend_networks.get().operstate == "ACTIVE")
            nics = [{"network": names.network_name(network.pk), "ip": "10.0.3.77"}]
        with clients.rapi_for(cloud.backend) as rapi:
            job = rapi.CreateInstance(
                {
                    "__version__": 1,
                    "mode": "create",
                    "name": NAME,
                    "disk_template": "plain",
                    "disks": [{"size": 2048}, {"size": 1024}],
                    "nics": nics,
                    "os": "snf-image+default",
                    "beparams": {"vcpus": 1, "minmem": 512, "maxmem": 512},
                    "ip_check": False,
                    "name_check": False,
                    "osparams": {"config_url": "", "img_id": "null", "img_format": "diskdump"},
                }
            )
            assert rapi.WaitForJobCompletion(job)["status"] == "success"

    return create


def run(cloud: Cloud, person, image, flavor: Flavor, *args: str, name: str = NAME) -> str:
    err = io.StringIO()
    options = ["--user", person.uuid, "--image", image.id, "--flavor", str(flavor.pk)]
    options += ["--backend-id", str(cloud.backend.pk)]
    call_command("server-import", name, *options, *args, stdout=io.StringIO(), stderr=err)
    return err.getvalue()


def test_an_instance_becomes_a_server_with_its_nics_and_disks(cloud, person, image, flavor, instance):
    instance()
    run(cloud, person, image, flavor)
    server = Server.objects.get()
    assert cloud.instances() == [names.instance_name(server.pk)]
    cloud.until(lambda: not Server.objects.get().task)
    server.refresh_from_db()
    port = server.ports.get()
    assert (server.userid, server.name, server.operstate) == (person.uuid, NAME, ServerState.STARTED)
    assert (port.state, port.ips.get().address) == (PortState.ACTIVE, "10.0.3.77")
    assert [(v.index, v.size, v.status) for v in server.volumes.order_by("index")] == [
        (0, 2, VolumeStatus.IN_USE),
        (1, 1, VolumeStatus.IN_USE),
    ]
    assert not quota_reconciliation.compare().unsynced
    out = io.StringIO()
    call_command("reconcile-servers", "--output-format", "json", stdout=out)
    assert out.getvalue().strip() == "[]"


def test_foreign_nics_need_to_be_replaced(cloud, person, image, flavor, instance, public_network, settings):
    settings.CYCLADES_FORCED_SERVER_NETWORKS = [str(public_network.pk)]
    instance(None)
    with pytest.raises(CommandError, match="--new-nics"):
        run(cloud, person, image, flavor)
    with pytest.raises(CommandError, match="not in project nowhere"):
        run(cloud, person, image, flavor, "--new-nics", "--project", "nowhere")
    run(cloud, person, image, flavor, "--new-nics", "--project", person.uuid)
    cloud.until(lambda: not Server.objects.get().task)
    port = Server.objects.get().ports.get()
    assert (port.state, port.network) == (PortState.ACTIVE, public_network)


def test_a_rename_that_fails_leaves_nothing_behind(cloud, person, image, flavor, instance):
    instance()
    cloud.simulator.fail(kind="job", opcode="OP_INSTANCE_RENAME")
    with pytest.raises(CommandError, match="Nothing was imported"):
        run(cloud, person, image, flavor)
    assert cloud.instances() == [NAME]
    assert Server.objects.get().deleted
    assert person.usage("cyclades.vm") == (0, 0)
    assert not quota_reconciliation.compare().unsynced


def test_what_cannot_be_imported_is_refused_before_anything_is_done(cloud, person, image, flavor):
    with pytest.raises(CommandError, match="does not exist in backend"):
        run(cloud, person, image, flavor)
    with pytest.raises(CommandError, match="of this installation already"):
        run(cloud, person, image, flavor, name="snf-42")
    assert not Server.objects.exists()
