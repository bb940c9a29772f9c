"""One of everything that all services have, and a caller of each role."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.contrib.auth.models import Group
from django.http.response import HttpResponseBase
from django.test import Client

from astakos import public as astakos
from astakos.logic.limits import sync_holdings
from astakos.models import (
    MembershipState,
    Project,
    ProjectMembership,
    ProjectResourceQuota,
    ProjectState,
    Resource,
    User,
)
from cyclades.models import Backend, Flavor, IPAddress, Network, Server, Volume, VolumeStatus, VolumeType
from synnefo import clock
from synnefo.units import INF
from tests.cyclades.image_fixtures import STORE, ImageUser
from tests.cyclades.network_world import World
from tests.security.route_roles import Row

#: In the names of all that is the owner's.
CANARY = "canary"


class RolesWorld(World):
    """The network and image world with files, a server, keys, commissions and a shared project."""

    def __init__(self, make_user: Callable[[str], ImageUser]) -> None:
        super().__init__(make_user)
        astakos.register_component(
            name="astakos", base_url="http://testserver/astakos", ui_url="http://testserver/ui", services=[]
        )
        self.component = astakos.register_component(
            name="other", base_url="http://testserver/other", ui_url="http://testserver/ui", services=[]
        )
        self.member, self.project_admin = make_user("mary"), make_user("paul")
        self.helpdesk, self.administrator = make_user("helen"), make_user("ada")
        User.objects.get(uuid=self.helpdesk.uuid).groups.add(Group.objects.create(name="helpdesk"))
        User.objects.filter(uuid=self.administrator.uuid).update(is_superuser=True)
        self.project = _shared_project(self.owner, self.member)
        self.membership = ProjectMembership.objects.get(
            project__uuid=self.project, person__uuid=self.member.uuid
        ).pk
        self.server = _server(self.owner)
        self.volume = _volume(self.owner)
        self.public_id = self._files()
        self._share_with_project()
        key = self.owner.compute("POST", "os-keypairs", {"keypair": {"name": "mine"}})
        assert key.status_code < 300, key.content
        self.commission, self.foreign_commission = (self._commission(name) for name in ("other", "cyclades"))
        self.flavor = Flavor.objects.get().pk
        self._name_things()

    def _name_things(self) -> None:
        """Call what the owner has by a word that nobody else may be told."""
        User.objects.filter(uuid=self.owner.uuid).update(first_name=CANARY, last_name=CANARY)
        Project.objects.filter(uuid=self.project).update(realname=f"{CANARY}.example", description=CANARY)
        Server.objects.update(name=CANARY)
        Volume.objects.update(name=CANARY, description=CANARY)
        Network.objects.filter(userid=self.owner.uuid).update(name=CANARY)

    def _files(self) -> str:
        """Make a private file, one that the member reads and one for everybody; return its public id."""
        for name in ("private", "read", "published"):
            self.owner.upload(name)
        self._change("read", {"X-Object-Sharing": f"read={self.member.uuid}"})
        self._change("published", {"X-Object-Public": "true"})
        head = self.owner.call("HEAD", f"{STORE}/{self.owner.uuid}/images/published")
        return str(head["X-Object-Public"]).rpartition("/")[2]

    def _change(self, name: str, headers: dict[str, str]) -> None:
        path = f"{STORE}/{self.owner.uuid}/images/{name}?update"
        assert self.owner.call("POST", path, headers=headers).status_code == 202

    def _share_with_project(self) -> None:
        for model in (Network, IPAddress, Server, Volume):
            model.objects.exclude(userid=None).update(shared_to_project=True)
        # What is shared is charged to the project too.
        usage = {"vm": 1, "cpu": 2, "total_cpu": 2, "ram": 1 << 30, "total_ram": 1 << 30, "disk": 21 << 30,
                 "network.private": 1, "floating_ip": 1}  # fmt: skip
        charge = astakos.charge(
            self.owner.uuid, self.project, {f"cyclades.{name}": amount for name, amount in usage.items()}
        )
        astakos.issue_commission(clientkey="cyclades", name="", provisions=charge, auto_accept=True)
        Network.objects.exclude(userid=None).update(project=self.project)
        IPAddress.objects.exclude(userid=None).update(project=self.project)
        Server.objects.update(project=self.project)
        Volume.objects.update(project=self.project)
        added = self.owner.api("PUT", f"images/{self.image}/members/{self.member.uuid}")
        assert added.status_code == 204

    def _commission(self, component: str) -> int:
        charge = astakos.charge(self.owner.uuid, self.owner.uuid, {"cyclades.vm": 1})
        return astakos.issue_commission(clientkey=component, name="", provisions=charge)

    def _filled(self, text: str) -> str:
        values: dict[str, object] = {
            "owner": self.owner.uuid, "member": self.member.uuid, "token": self.owner.token,
            "project": self.project, "server": self.server.pk, "flavor": self.flavor, "image": self.image,
            "network": self.network.pk, "public_network": self.public.pk, "subnet": self.subnet.pk,
            "port": self.port.pk, "ip": self.ip.pk, "public": self.public_id, "membership": self.membership,
            "volume": self.volume.pk, "volume_type": self.volume.volume_type_id,
            "commission": self.commission, "foreign_commission": self.foreign_commission,
        }  # fmt: skip
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def path_of(self, row: Row) -> str:
        """Return a row's path below the site's root."""
        return "/" + self._filled(row.path)

    def call(self, client: Client, role: str, row: Row) -> HttpResponseBase:
        """Send a row's request as a caller of *role*."""
        tokens = {"anonymous": None, "service": self.component}
        for name, user in (("stranger", self.other), ("member", self.member), ("owner", self.owner),
                           ("project admin", self.project_admin), ("helpdesk", self.helpdesk),
                           ("administrator", self.administrator)):  # fmt: skip
            tokens[name] = user.token
        headers = {name: self._filled(value) for name, value in row.headers.items()}
        content_type = headers.pop("Content-Type", "application/json")
        if tokens[role]:
            headers["X-Auth-Token"] = tokens[role]
        data = row.body if isinstance(row.body, str) else json.dumps(row.body)
        body = b"" if row.body is None else self._filled(data).encode()
        return client.generic(
            row.method, self.path_of(row), body, content_type=content_type, headers=headers,
            CONTENT_LENGTH=str(len(body)),
        )  # fmt: skip


def _shared_project(owner: ImageUser, member: ImageUser) -> str:
    project = Project.objects.create(
        realname="lab.example", creation_date=clock.now(), end_date=clock.now(), member_join_policy=1,
        member_leave_policy=1, limit_on_members_number=10, state=ProjectState.ACTIVE, private=True,
        owner=User.objects.get(uuid=owner.uuid),
    )  # fmt: skip
    for user in (owner, member):
        ProjectMembership.objects.create(
            person=User.objects.get(uuid=user.uuid), project=project, state=MembershipState.ACCEPTED,
            initialized=True,
        )  # fmt: skip
    for resource in Resource.objects.all():
        ProjectResourceQuota.objects.create(
            project=project, resource=resource, project_capacity=INF, member_capacity=INF
        )
    sync_holdings(project_ids=[project.pk])
    return str(project.uuid)


def _server(owner: ImageUser) -> Server:
    backend = Backend.objects.create(
        clustername="cluster.example", disk_templates=["drbd"], updated=clock.now(), mfree=1 << 20,
        mtotal=1 << 20, dfree=1 << 24, dtotal=1 << 24,
    )  # fmt: skip
    kind = VolumeType.objects.create(name="drbd", disk_template="drbd")
    flavor = Flavor.objects.create(cpu=2, ram=1024, disk=20, volume_type=kind)
    return Server.objects.create(
        name="web", userid=owner.uuid, project=owner.uuid, backend=backend, imageid="i", flavor=flavor,
        operstate="STARTED",
    )  # fmt: skip


def _volume(owner: ImageUser) -> Volume:
    """A volume on no server that was never attached."""
    kind = VolumeType.objects.create(name="detachable", disk_template="ext_snffile")
    return Volume.objects.create(
        userid=owner.uuid, project=owner.uuid, size=1, volume_type=kind, status=VolumeStatus.AVAILABLE
    )
