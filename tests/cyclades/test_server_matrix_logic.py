"""Every use case of a server against the state matrix and the rule of who may (compute contract 14.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from django.db import transaction

from cyclades.logic import (
    firewall,
    ports,
    quota,
    rescue,
    rescue_images,
    server_actions,
    server_metadata,
    server_reassign,
    servers,
    tag_changes,
)
from cyclades.models import Flavor, Port, PortState, Server, ServerState, ServerTag, TagStatus, Task
from synnefo.credentials import Credentials
from synnefo.errors import SynnefoError
from tests.cyclades.compute_fixtures import GIB
from tests.cyclades.ganeti_fixtures import add_port
from tests.cyclades.test_server_state import EXPECTED, OK, POSITIONS, Access

pytestmark = [pytest.mark.db, pytest.mark.usefixtures("submitted")]

ADMIN = Credentials.administrator()


@dataclass(frozen=True)
class Target:
    """A server and what the use cases need beside it."""

    server: Server
    port: Port
    network: int
    flavor: int


Call = Callable[[Credentials, Target], object]

CALLS: dict[str, Call] = {
    Task.START: lambda who, to: server_actions.start(who, server_id=to.server.pk),
    Task.STOP: lambda who, to: server_actions.stop(who, server_id=to.server.pk),
    Task.REBOOT: lambda who, to: server_actions.reboot(who, server_id=to.server.pk),
    Task.RESIZE: lambda who, to: server_actions.resize(who, server_id=to.server.pk, flavor_id=to.flavor),
    Task.RESCUE: lambda who, to: rescue.rescue(who, server_id=to.server.pk),
    Task.UNRESCUE: lambda who, to: rescue.unrescue(who, server_id=to.server.pk),
    Task.CONNECT: lambda who, to: ports.create(
        who, request=ports.PortRequest(network_id=to.network, device_id=to.server.pk)
    ),
    Task.DISCONNECT: lambda who, to: ports.delete(who, port_id=to.port.pk),
    Access.FIREWALL: lambda who, to: firewall.set_profile(
        who, server_id=to.server.pk, port_id=to.port.pk, profile="ENABLED"
    ),
    Task.REASSIGN: lambda who, to: server_reassign.reassign(
        who, server_id=to.server.pk, project=to.server.project, shared_to_project=False
    ),
    Task.DESTROY: lambda who, to: server_actions.destroy(who, server_id=to.server.pk),
    Access.TAGS: lambda who, to: tag_changes.replace_tags(who, server_id=to.server.pk, tags=["a"]),
    Access.RENAME: lambda who, to: servers.rename(who, server_id=to.server.pk, name="n"),
    Access.METADATA: lambda who, to: server_metadata.set_metadata(
        who, server_id=to.server.pk, items={"a": "b"}
    ),
}
#: Further ways to the same rights.
MORE: dict[str, Call] = {
    "add tag": lambda who, to: tag_changes.add_tag(who, server_id=to.server.pk, tag="a"),
    "delete tags": lambda who, to: tag_changes.delete_tags(who, server_id=to.server.pk),
    "delete metadata": lambda who, to: server_metadata.delete_item(who, server_id=to.server.pk, key="k"),
}


@pytest.fixture
def make_target(person, make_server, private_network, bigger_flavor) -> Callable[..., Target]:
    rescue_images.create(ADMIN, values=rescue_images.ImageValues(location="a.iso", is_default=True))
    usage = dict.fromkeys(("vm", "cpu", "total_cpu"), 5) | dict.fromkeys(
        ("ram", "total_ram", "disk"), 500 * GIB
    )
    charged = {f"cyclades.{name}": amount for name, amount in usage.items()}
    quota.charge_now(person.uuid, {person.uuid: charged}, name="test")
    private_network.state = "ACTIVE"
    private_network.save()

    def make(**values: object) -> Target:
        server = make_server(**values)
        server.metadata.create(meta_key="k", meta_value="v")
        ServerTag.objects.create(server=server, tag="cyclades:user:t", status=TagStatus.ACTIVE)
        port = add_port(server, private_network, state=PortState.ACTIVE)
        flavor: Flavor = bigger_flavor
        return Target(server, port, private_network.pk, flavor.pk)

    return make


def outcome(call: Call, who: Credentials, target: Target) -> int:
    """Return the status of a call, whose effects are taken back."""
    with transaction.atomic():
        try:
            call(who, target)
            code = OK
        except SynnefoError as error:
            code = error.code
        transaction.set_rollback(True)
    return code


@pytest.mark.parametrize("action", list(CALLS))
def test_each_state_allows_what_the_matrix_says(person, make_target, action):
    acting = replace(person.credentials, force_quota=True)
    found = tuple(
        outcome(
            CALLS[action], acting, make_target(operstate=state, task=task, rescue=action == Task.UNRESCUE)
        )
        for state, task in POSITIONS
    )
    assert found == EXPECTED[action]


@pytest.mark.parametrize("name", [*CALLS, *MORE])
def test_each_use_case_asks_who_may(person, stranger, make_target, settings, name):
    """Visible first, then deleted, then suspended; administrators are not stopped by a suspension."""
    call = (CALLS | MORE)[name]
    stopped = {"operstate": ServerState.STOPPED, "rescue": name == Task.UNRESCUE}
    if name == Task.STOP:
        stopped["operstate"] = ServerState.STARTED
    owner = replace(person.credentials, force_quota=True)
    member = replace(stranger.credentials, projects=frozenset({person.uuid}))
    administrator = replace(ADMIN, force_quota=True)
    plain = make_target(**stopped)
    suspended = make_target(suspended=True, **stopped)
    deleted = make_target(deleted=True, suspended=True, **stopped)
    shared = make_target(shared_to_project=True, **stopped)
    assert outcome(call, stranger.credentials, plain) == 404
    assert outcome(call, owner, plain) == OK
    assert outcome(call, owner, suspended) == 403
    assert outcome(call, administrator, suspended) == OK
    if name not in (Task.CONNECT, Task.DISCONNECT):
        # Networks have their own rule of who sees them, and what was on a deleted server is gone.
        assert outcome(call, owner, deleted) == 400
        assert outcome(call, replace(member, force_quota=True), shared) == OK
