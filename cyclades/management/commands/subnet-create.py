"""Create a subnet of a network."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import subnets
from cyclades.management.arguments import words
from cyclades.management.network_arguments import find_network, read_pools
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, strict_bool


class Command(SynnefoCommand):
    help = "Create a subnet of a network that no server was connected to yet."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--network", "--network-id", dest="network", required=True, metavar="ID", help="Network.")
        add("--cidr", required=True, help="Range of addresses.")
        add("--name", default="", help="Name of the subnet.")
        add("--ip-version", type=int, choices=(4, 6), default=4, help="IP version (default 4).")
        add("--gateway", metavar="IP", help="Gateway; none by default.")
        add("--dhcp", type=strict_bool, default=True, metavar="True|False",
            help="Configure servers with DHCP or SLAAC (default True).")  # fmt: skip
        add("--allocation-pool", action="append", default=[], metavar="START,END",
            help="Addresses that servers get; may be repeated. All hosts by default.")  # fmt: skip
        add("--dns", metavar="IP,IP", help="Name servers.")
        add("--host-routes", metavar="ROUTE,ROUTE", help="Routes for the servers.")

    def handle(self, *args: Any, **options: Any) -> None:
        network = find_network(options["network"])
        request = subnets.SubnetRequest(
            cidr=options["cidr"],
            ipversion=options["ip_version"],
            name=options["name"],
            gateway=options["gateway"],
            pools=read_pools(options["allocation_pool"]) or None,
            dhcp=options["dhcp"],
            dns_nameservers=words(options["dns"]),
            host_routes=words(options["host_routes"]),
        )
        subnet = subnets.create(Credentials.administrator(), network_id=network.pk, request=request)
        self.print_show({"id": subnet.pk, "network": network.pk, "cidr": subnet.cidr})
