"""Firewall profiles, floating IPs, projects and rescue of servers (compute contract 7.2 to 7.5)."""

from __future__ import annotations

import pytest

from astakos.models import Holding, MembershipState, Project, ProjectMembership, ProjectState, User
from cyclades.ganeti import firewall, jobs, names
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import floating_ips, quota, rescue, rescue_images, server_events
from cyclades.models import (
    Backend,
    IntentState,
    JobIntent,
    Port,
    PortState,
    RescueImage,
    RescueProperties,
    Server,
    ServerState,
    Task,
)
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Conflict, NotFound
from synnefo.messages import InstanceHvparams
from tests.cyclades.compute_fixtures import QUOTA
from tests.cyclades.ganeti_fixtures import add_port, add_volume, nic_of, op_event

pytestmark = [pytest.mark.db, pytest.mark.usefixtures("submitted")]

ADMIN = Credentials.administrator()


def happen(server: Server, **values: object) -> Server:
    """Let Ganeti tell that the instance of *server* was changed."""
    row = Server.objects.select_related("flavor", "backend").get(pk=server.pk)
    server_events.apply(row, op_event(row, Opcode.INSTANCE_SET_PARAMS, **values))
    return Server.objects.get(pk=server.pk)


def charge(server: Server) -> None:
    """Charge *server* as if it had been created."""
    released = quota.server_deltas(server, Task.DESTROY)
    charged = {p: {name: -q for name, q in resources.items()} for p, resources in released.items()}
    quota.charge_now(server.userid, charged, name="test")


class TestFirewall:
    @pytest.fixture
    def port(self, make_server, public_network) -> Port:
        return add_port(make_server(), public_network, "10.0.3.7", state=PortState.ACTIVE)

    def test_the_profile_changes_when_ganeti_says_so(self, person, port):
        server = port.machine
        response = person.api.act(server, firewallProfile={"nic": str(port.pk), "profile": "PROTECTED"})
        assert (response.status_code, response.content) == (202, b"")
        intent = JobIntent.objects.get()
        assert (intent.operation, intent.payload["action"]) == (jobs.FIREWALL, "firewall")
        server.refresh_from_db()
        assert (server.task, Port.objects.get().firewall_profile) == ("", None)
        happen(server, instance_nics=(nic_of(port, firewall="limited"),))
        assert Port.objects.get().firewall_profile == "PROTECTED"

    def test_bad_arguments(self, person, port):
        for arguments, status in (
            ({}, 400), ({"nic": 1}, 400), ({"profile": "ENABLED"}, 400), ({"nic": None, "profile": "x"}, 400),
            ({"nic": "x", "profile": "ENABLED"}, 400), ({"nic": 99999, "profile": "nonsense"}, 404),
            *(({"nic": port.pk, "profile": profile}, 400) for profile in ("enabled", "", None, 1, [])),
        ):  # fmt: skip
            assert person.api.act(port.machine, firewallProfile=arguments).status_code == status, arguments

    def test_the_cluster_gets_the_tags_and_reads_them_again(self, port, cluster, monkeypatch):
        server = port.machine
        name, nic = names.instance_name(server.pk), names.nic_name(port.pk)
        monkeypatch.setattr(
            type(cluster),
            "GetInstanceTags",
            lambda self, name: [f"synnefo:network:{nic}:limited", "other"],
            raising=False,
        )
        expected = [f"synnefo:network:{nic}:unprotected"]
        payload = firewall.profile_payload(port.pk, "ENABLED", expected=expected)
        job = firewall.send(cluster, name, payload["body"], "req-1")
        calls = [(method, args[1]) for method, args, _ in cluster.calls]
        assert calls == [
            ("DeleteInstanceTags", expected),
            ("DeleteInstanceTags", [f"synnefo:network:{nic}:limited"]),
            ("AddInstanceTags", [f"synnefo:network:{nic}:protected"]),
            (
                "ModifyInstance",
                {
                    "os_name": "snf-image+default",
                    "depends": [[100 + n, ["canceled", "error", "success"]] for n in range(3)],
                },
            ),
        ]
        reasons = [kwargs["reason"] for _, _, kwargs in cluster.calls]
        assert (job, reasons.index("req-1"), reasons.count("req-1")) == (103, 3, 1)

    def test_an_open_nic_needs_no_tag(self, port, cluster, monkeypatch):
        monkeypatch.setattr(type(cluster), "GetInstanceTags", lambda self, name: [], raising=False)
        firewall.send(cluster, "snf-1", firewall.profile_payload(port.pk, "DISABLED")["body"], "req-1")
        assert cluster.methods() == ["ModifyInstance"]

    def test_a_nic_that_is_gone_takes_its_tag_along(self, port):
        Port.objects.update(firewall_profile="ENABLED")
        happen(port.machine, status="error", instance_nics=(nic_of(port, firewall="protected"),))
        assert not JobIntent.objects.exists()
        happen(port.machine, instance_nics=(), at=1)
        assert not Port.objects.exists()
        tag = f"synnefo:network:snf-nic-{port.pk}:protected"
        intent = JobIntent.objects.get()
        assert intent.payload == {"action": "tags-delete", "body": {"tags": [tag]}}
        JobIntent.objects.update(state=IntentState.SUBMITTED, job_id=100)
        row = Server.objects.select_related("flavor", "backend").get()
        server_events.apply(row, op_event(row, Opcode.TAGS_DEL, tags=(tag,)))
        intent.refresh_from_db()
        assert intent.state == IntentState.DONE


class TestReassign:
    @pytest.fixture
    def project(self, person) -> str:
        """A second project of the user, with quota."""
        return self.add_project(person, 100 << 30)

    def add_project(self, person, limit: int) -> str:
        user, now = User.objects.get(uuid=person.uuid), clock.now()
        project = Project.objects.create(
            realname="lab.example", creation_date=now, end_date=now, member_join_policy=1, owner=user,
            member_leave_policy=1, limit_on_members_number=10, state=ProjectState.ACTIVE, uuid="second",
        )  # fmt: skip
        ProjectMembership.objects.create(person=user, project=project, state=MembershipState.ACCEPTED)
        for holder, source in (("project:second", None), (f"user:{person.uuid}", "project:second")):
            Holding.objects.bulk_create(
                Holding(holder=holder, source=source, resource=resource, limit=limit) for resource in QUOTA
            )
        return "second"

    def usage(self, resource: str) -> int:
        return Holding.objects.get(holder="project:second", resource=resource).usage_max

    def test_the_server_and_its_system_disk_move_with_their_quota(self, person, make_server, project):
        server = make_server()
        root, other = add_volume(server), add_volume(server, index=1)
        charge(server)
        response = person.api.act(server, reassign={"project": project})
        assert (response.status_code, response.content) == (200, b"")
        for row in (server, root, other):
            row.refresh_from_db()
        assert (server.project, root.project, other.project) == (project, project, person.uuid)
        assert person.usage("cyclades.vm") == (0, 0)
        assert person.usage("cyclades.disk")[0] == 20 << 30
        assert [self.usage(f"cyclades.{name}") for name in ("vm", "cpu", "disk")] == [1, 2, 20 << 30]

    def test_an_unknown_project_is_400(self, person, make_server):
        server = make_server()
        response = person.api.act(server, reassign={"project": "nope"})
        assert response.status_code == 400
        assert response.json()["badRequest"]["message"] == f"User {person.uuid} not in project nope"

    def test_bad_arguments_are_400(self, person, make_server):
        server = make_server()
        for arguments in ({}, {"project": 1}, {"project": ""}, {"project": "x", "shared_to_project": 1}):
            assert person.api.act(server, reassign=arguments).status_code == 400, arguments

    def test_sharing_must_be_switched_on(self, person, make_server, settings):
        server = make_server()
        wanted = {"project": person.uuid, "shared_to_project": True}
        assert person.api.act(server, reassign=wanted).status_code == 403
        settings.CYCLADES_SHARED_RESOURCES_ENABLED = True
        assert person.api.act(server, reassign=wanted).status_code == 200
        server.refresh_from_db()
        assert server.shared_to_project

    def test_the_project_must_have_the_backend_and_the_flavor(self, person, make_server, project):
        server = make_server()
        Backend.objects.update(public=False)
        assert person.api.act(server, reassign={"project": project}).status_code == 403
        Backend.objects.update(public=True)
        server.flavor.public = False
        server.flavor.save()
        assert person.api.act(server, reassign={"project": project}).status_code == 403

    def test_over_the_limit_nothing_moves(self, person, make_server):
        server = make_server()
        charge(server)
        poor = self.add_project(person, 0)
        assert person.api.act(server, reassign={"project": poor}).status_code == 413
        server.refresh_from_db()
        assert server.project == person.uuid


class TestFloatingIPs:
    @pytest.fixture
    def ip(self, person, internet):
        return floating_ips.create(person.credentials, network_id=internet.pk)

    def test_adding_connects_a_port(self, person, make_server, ip):
        server = make_server()
        body = {"address": ip.address, "fixed_address": "ignored"}
        assert person.api.act(server, addFloatingIp=body).status_code == 202
        server.refresh_from_db()
        assert server.task == Task.CONNECT
        assert Port.objects.get(machine=server).ips.get().address == ip.address
        assert person.api.act(make_server(), addFloatingIp=body).status_code == 409

    def test_the_port_is_the_servers_owners(self, person, stranger, make_server, ip):
        shared = {"project": person.uuid, "shared_to_project": True}
        server = make_server(userid=stranger.uuid, **shared)
        assert person.api.act(server, addFloatingIp={"address": ip.address}).status_code == 202
        assert Port.objects.get(machine=server).userid == stranger.uuid

    def test_removing_disconnects_it(self, person, make_server, ip):
        server, other = make_server(), make_server()
        assert person.api.act(server, removeFloatingIp={"address": ip.address}).status_code == 400
        ip.nic = add_port(server, ip.network, state=PortState.ACTIVE)
        ip.save()
        assert person.api.act(other, removeFloatingIp={"address": ip.address}).status_code == 400
        assert person.api.act(server, removeFloatingIp={"address": ip.address}).status_code == 202
        server.refresh_from_db()
        assert server.task == Task.DISCONNECT
        ip.refresh_from_db()
        assert not ip.deleted

    def test_bad_and_unknown_addresses(self, person, make_server):
        server = make_server()
        for action in ("addFloatingIp", "removeFloatingIp"):
            for address, status in ((None, 400), (1, 400), ("x", 400), ("203.0.113.99", 404)):
                answer = person.api.act(server, **{action: {"address": address}})
                assert answer.status_code == status, (action, address)

    def test_the_addresses_of_strangers_are_unknown(self, stranger, make_server, person, ip):
        server = make_server(userid=stranger.uuid, project=stranger.uuid)
        for action in ("addFloatingIp", "removeFloatingIp"):
            assert stranger.api.act(server, **{action: {"address": ip.address}}).status_code == 404

    def test_the_number_of_nics_is_limited(self, person, make_server, ip, settings):
        settings.GANETI_MAX_NICS_PER_INSTANCE = 0
        assert person.api.act(make_server(), addFloatingIp={"address": ip.address}).status_code == 400

    def test_the_calls_of_old_clients(self, person, stranger, internet):
        made = person.api.post("os-floating-ips")
        assert made.status_code == 200
        ip = made.json()["floating_ip"]
        assert ip == {
            "id": ip["id"],
            "ip": "203.0.113.2",
            "instance_id": None,
            "fixed_ip": None,
            "pool": None,
        }
        assert person.api.get("os-floating-ips").json() == {"floating_ips": [ip]}
        assert person.api.get(f"os-floating-ips/{ip['id']}").json() == {"floating_ip": ip}
        pools = person.api.get("os-floating-ip-pools").json()["floating_ip_pools"]
        assert pools == [{"name": str(internet.pk), "size": 5, "free": 4, "deleted": False}]
        assert person.usage("cyclades.floating_ip") == (1, 0)
        assert stranger.api.get(f"os-floating-ips/{ip['id']}").status_code == 404
        assert person.api.delete(f"os-floating-ips/{ip['id']}").status_code == 204
        assert person.api.get("os-floating-ips").json() == {"floating_ips": []}


class TestRescue:
    @pytest.fixture(autouse=True)
    def _enabled(self, settings):
        settings.RESCUE_ENABLED = True

    @pytest.fixture
    def image(self, db) -> RescueImage:
        values = rescue_images.ImageValues(name="grml", location="grml.iso", is_default=True)
        return rescue_images.create(ADMIN, values=values)

    def test_the_whole_way_to_rescue_and_back(self, person, make_server, image):
        server = make_server(operstate=ServerState.STOPPED)
        assert person.api.act(server, unrescue={}).status_code == 400
        assert person.api.act(server, rescue={}).status_code == 202
        path = "/usr/share/synnefo/rescue-images/grml.iso"
        payload = JobIntent.objects.get().payload
        assert payload["body"] == {"hvparams": {"boot_order": "cdrom", "cdrom_image_path": path}}
        Server.objects.filter(pk=server.pk).update(task_job_id=100)
        server = happen(server, instance_hvparams=InstanceHvparams(boot_order="cdrom", cdrom_image_path=path))
        assert (server.rescue, server.rescue_image, server.task) == (True, image, "")
        assert person.api.act(server, rescue={}).status_code == 400
        assert person.api.act(server, unrescue=None).status_code == 202
        Server.objects.filter(pk=server.pk).update(task_job_id=100)
        disk = InstanceHvparams(boot_order="disk", cdrom_image_path="")
        server = happen(server, instance_hvparams=disk, at=1)
        assert (server.rescue, server.rescue_image, server.task) == (False, None, "")

    def test_switched_off_it_is_404(self, person, make_server, settings):
        settings.RESCUE_ENABLED = False
        for action in ("rescue", "unrescue"):
            response = person.api.act(make_server(operstate=ServerState.STOPPED), **{action: {}})
            assert (response.status_code, list(response.json())) == (404, ["featureNotEnabled"])

    def test_running_servers_are_not_rescued(self, person, make_server, image):
        assert person.api.act(make_server(), rescue={}).status_code == 400

    def test_images_that_do_not_exist(self, person, make_server, image):
        server = make_server(operstate=ServerState.STOPPED)
        for reference, status in ((99999, 404), ("x", 400), ([], 400)):
            answer = person.api.act(server, rescue={"rescue_image_ref": reference})
            assert answer.status_code == status, reference

    def test_an_image_may_be_named_beside_the_action(self, person, make_server, image):
        other = rescue_images.create(ADMIN, values=rescue_images.ImageValues(location="other.iso"))
        server = make_server(operstate=ServerState.STOPPED)
        body = {"rescue": {}, "rescue_image_ref": other.pk}
        assert person.api.post(f"servers/{server.pk}/action", body).status_code == 202
        assert Server.objects.get(pk=server.pk).rescue_image == other

    def test_the_image_suits_the_system(self, make_server, image):
        def add(name: str, family: str, system: str = "") -> RescueImage:
            values = {"target_os_family": family, "target_os": system}
            return RescueImage.objects.create(name=name, location=name, **values)

        add("ubuntu", "linux", "ubuntu")
        debian, linux = add("debian", "Linux", "Debian"), add("any", "linux")
        server = make_server()
        assert rescue.choose(server) == image
        properties = RescueProperties.objects.create(server=server, os_family="linux", os="debian")
        assert rescue.choose(server) == debian
        properties.os = "arch"
        properties.save()
        assert rescue.choose(server) == linux
        RescueProperties.objects.update(os_family="windows")
        assert rescue.choose(server) == image
        RescueImage.objects.update(deleted=True)
        with pytest.raises(NotFound):
            rescue.choose(server)

    def test_a_new_server_remembers_its_system(self, make_server):
        server = make_server()
        rescue.remember_system(server, {"OS": "debian", "osfamily": "linux"})
        assert (server.rescue_properties.os, server.rescue_properties.os_family) == ("debian", "linux")

    def test_images_in_use_and_defaults_stay(self, make_server, image):
        with pytest.raises(Conflict):
            rescue_images.remove(ADMIN, image_id=image.pk)
        with pytest.raises(Conflict):
            rescue_images.modify(ADMIN, image_id=image.pk, values=rescue_images.ImageValues(is_default=False))
        rescue_images.create(ADMIN, values=rescue_images.ImageValues(location="b", is_default=True))
        make_server(rescue=True, rescue_image=image)
        with pytest.raises(Conflict):
            rescue_images.remove(ADMIN, image_id=image.pk)
        with pytest.raises(Conflict):
            rescue_images.modify(ADMIN, image_id=image.pk, values=rescue_images.ImageValues(location="c"))
        rescue_images.remove(ADMIN, image_id=image.pk, force=True)
        assert RescueImage.objects.filter(deleted=False, is_default=True).count() == 1

    def test_files_are_below_the_folder(self, db):
        for location in ("/etc/passwd", "../x", "a/../../b", ""):
            with pytest.raises(BadRequest):
                rescue_images.create(ADMIN, values=rescue_images.ImageValues(location=location))

    def test_urls_are_of_the_web(self, db):
        values = rescue_images.ImageValues(location="ftp://x/y", location_type="http")
        with pytest.raises(BadRequest):
            rescue_images.create(ADMIN, values=values)
