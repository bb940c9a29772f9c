"""Show a port, its addresses and the NIC in Ganeti."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.ganeti import clients, names
from cyclades.management.network_arguments import find_port
from cyclades.models import JobIntent, Port
from synnefo import users
from synnefo.errors import SynnefoError
from synnefo.management.base import SynnefoCommand

_ADDRESS_HEADERS = ["Address", "Network", "Subnet", "CIDR", "is_floating"]
_JOB_HEADERS = ["Operation", "State", "Job", "Created"]


class Command(SynnefoCommand):
    help = "Show a port, its addresses and its NIC as Ganeti sees it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("port_id", metavar="ID", help="Id, or name of the Ganeti NIC.")
        parser.add_argument("--jobs", action="store_true", help="Show the jobs of its server, too.")
        parser.add_argument("--display-mails", "--displayname", action="store_true", dest="display_mails",
                            help="Show the owner's e-mail address.")  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        port = find_port(options["port_id"])
        ips = port.ips.filter(deleted=False).select_related("subnet").order_by("ipversion")
        sections: dict[str, Any] = {
            "Port": (["key", "value"], list(_fields(port, mails=options["display_mails"]).items())),
            "Addresses": (
                _ADDRESS_HEADERS,
                [[ip.address, ip.network_id, ip.subnet_id, ip.subnet.cidr, ip.floating_ip] for ip in ips],
            ),
            "NIC in Ganeti": (["key", "value"], _nic(port)),
        }
        if options["jobs"]:
            jobs = JobIntent.objects.filter(server=port.machine_id).order_by("pk") if port.machine_id else []
            sections["Jobs"] = (_JOB_HEADERS, [[j.operation, j.state, j.job_id, j.created] for j in jobs])
        self.print_tables(sections)


def _fields(port: Port, *, mails: bool) -> dict[str, Any]:
    owner = users.emails_of([port.userid]).get(port.userid, "-") if mails and port.userid else "-"
    return {
        "id": port.pk,
        "name": port.name,
        "userid": port.userid,
        "username": owner,
        "server": port.machine_id,
        "network": port.network_id,
        "device_owner": port.device_owner,
        "mac": port.mac,
        "state": port.state,
    }


def _nic(port: Port) -> list[list[Any]]:
    if port.machine is None or port.machine.backend is None:
        return []
    try:
        with clients.rapi_for(port.machine.backend) as rapi:
            instance = rapi.GetInstance(names.instance_name(port.machine.pk))
    except (SynnefoError, clients.GanetiApiError) as error:
        return [["error", str(error)]]
    nic_names = instance.get("nic.names") or []
    if names.nic_name(port.pk) not in nic_names:
        return [["error", "The instance has no such NIC."]]
    place = nic_names.index(names.nic_name(port.pk))
    fields = {key: instance.get(f"nic.{key}s") or [] for key in ("ip", "mac", "mode", "link")}
    fields["network"] = instance.get("nic.networks.names") or []
    return [[key, values[place] if place < len(values) else None] for key, values in fields.items()]
