"""Show everything about a network, in the database and on the backends."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.ganeti import clients, names
from cyclades.ganeti.networks import find_network as find_ganeti_network
from cyclades.logic import network_admin
from cyclades.management.network_arguments import find_network
from cyclades.models import Backend, Network
from synnefo import users
from synnefo.errors import SynnefoError
from synnefo.management.base import SynnefoCommand, strict_bool

Table = tuple[list[str], list[list[Any]]]


class Command(SynnefoCommand):
    help = "Show a network, its subnets, and what backends know of it."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("network_id", metavar="ID", help="Id, or name of the Ganeti network.")
        add("--display-mails", "--displayname", action="store_true", dest="display_mails",
            help="Show the owner's e-mail address.")  # fmt: skip
        add("--backends", type=strict_bool, default=True, metavar="True|False",
            help="Ask the backends, too (default True).")  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        network = find_network(options["network_id"])
        sections = {
            "Network": _as_table(_fields(network, mails=options["display_mails"])),
            "Subnets": _subnets(network),
            "Backends": _backends(network),
        }
        if options["backends"]:
            rows = network.backend_networks.filter(deleted=False).select_related("backend")
            for row in rows.order_by("backend_id"):
                sections[f"Network in backend {row.backend.clustername}"] = _live(network, row.backend)
        self.print_tables(sections)


def _as_table(fields: dict[str, Any]) -> Table:
    return ["key", "value"], [[key, value] for key, value in fields.items()]


def _fields(network: Network, *, mails: bool) -> dict[str, Any]:
    pools = network_admin.address_pools_of(network)
    owner = users.emails_of([network.userid]).get(network.userid, "-") if mails and network.userid else "-"
    return {
        "name": network.name,
        "backend-name": names.network_name(network.pk),
        "state": network.state,
        "userid": network.userid,
        "username": owner,
        "project": network.project,
        "shared_to_project": network.shared_to_project,
        "public": network.public,
        "floating_ip_pool": network.floating_ip_pool,
        "external_router": network.external_router,
        "drained": network.drained,
        "MAC prefix": network.mac_prefix,
        "flavor": network.flavor,
        "link": network.link,
        "mode": network.mode,
        "deleted": network.deleted,
        "tags": network.tags,
        "action": network.action,
        "free IPs": sum(pool.bits.count_free() for pool in pools),
        "total IPs": sum(pool.bits.size for pool in pools),
    }


def _subnets(network: Network) -> Table:
    return ["ID", "Name", "Version", "CIDR", "Gateway", "DHCP", "Deleted"], [
        [s.pk, s.name, s.ipversion, s.cidr, s.gateway, s.dhcp, s.deleted]
        for s in network.subnets.order_by("pk")
    ]


def _backends(network: Network) -> Table:
    rows = network.backend_networks.select_related("backend").order_by("backend_id")
    return ["Backend", "State", "Deleted", "JobID", "Opcode", "JobStatus"], [
        [r.backend.clustername, r.operstate, r.deleted, r.backendjobid, r.backendopcode, r.backendjobstatus]
        for r in rows
    ]


def _live(network: Network, backend: Backend) -> Table:
    try:
        with clients.rapi_for(backend) as rapi:
            found = find_ganeti_network(rapi, network)
    except (SynnefoError, clients.GanetiApiError) as error:
        return _as_table({"error": str(error)})
    return _as_table(dict(found) if found is not None else {"error": "The cluster has no such network."})
