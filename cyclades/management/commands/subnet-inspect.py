"""Show a subnet and which of its addresses are in use."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import network_admin
from cyclades.management.network_arguments import find_subnet, text_map
from cyclades.models import Subnet
from synnefo.management.base import SynnefoCommand

MAP_WIDTH = 80


class Command(SynnefoCommand):
    help = "Show a subnet, its allocation pools and their addresses."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("subnet_id", metavar="ID", help="Id of the subnet.")

    def handle(self, *args: Any, **options: Any) -> None:
        subnet = find_subnet(options["subnet_id"])
        pools = [p for p in network_admin.address_pools_of(subnet.network) if p.subnet.pk == subnet.pk]
        reserved = [pool.values.value(i) for pool in pools for i in pool.bits.reserved_indexes()]
        pool_rows = [
            [p.first, p.last, p.bits.size, p.bits.count_free(), p.bits.count_reserved()] for p in pools
        ]
        self.print_tables(
            {
                "Subnet": (["key", "value"], [[k, v] for k, v in _fields(subnet).items()]),
                "Pools": (["First_IP", "Last_IP", "Size", "Available", "Reserved"], pool_rows),
                "Externally reserved": (["Address"], [[address] for address in reserved]),
            }
        )
        if self.style_name == "pretty":
            for pool in pools:
                self.stdout.write(f"\n{pool.first} - {pool.last} (X used, . free)")
                self.stdout.write(text_map(pool.bits.text(), MAP_WIDTH))


def _fields(subnet: Subnet) -> dict[str, Any]:
    return {
        "ID": subnet.pk,
        "Network_ID": subnet.network_id,
        "User_ID": subnet.userid,
        "Name": subnet.name or "-",
        "IP_Version": subnet.ipversion,
        "CIDR": subnet.cidr,
        "Gateway": subnet.gateway,
        "Public": subnet.public,
        "DHCP/SLAAC": subnet.dhcp,
        "Host_Routes": subnet.host_routes,
        "DNS_Nameservers": subnet.dns_nameservers,
    }
