"""Create a network."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import network_admin, network_projection
from cyclades.logic.network_flavors import BRIDGED, FLAVORS, ROUTED, Overrides
from cyclades.management.network_arguments import provide, read_pools
from synnefo import users
from synnefo.credentials import Credentials
from synnefo.management.base import EXIT_PARTIAL, SynnefoCommand, add_wait_option, strict_bool


class Command(SynnefoCommand):
    help = "Create a network, with its subnets, on all backends that are online."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--flavor", required=True, choices=sorted(FLAVORS), help="How its NICs are wired.")
        add("--name", default="", help="Name of the network.")
        add("--user", "--owner", dest="user", metavar="UUID|EMAIL", help="Owner, unless it is public.")
        add("--project", metavar="UUID", help="Project to charge; the owner's own by default.")
        add("--public", action="store_true", help="Make it a public network.")
        add("--mode", choices=(BRIDGED, ROUTED), help="Mode, instead of the flavor's.")
        add("--link", help="Bridge or routing table, instead of the flavor's.")
        add("--mac-prefix", metavar="aa:00:0", help="MAC prefix, instead of the flavor's.")
        add("--tags", metavar="A,B", help="Ganeti tags, instead of the flavor's.")
        add("--floating-ip-pool", type=strict_bool, default=False, metavar="True|False",
            help="Users may reserve floating IPs of it.")  # fmt: skip
        add("--drained", type=strict_bool, default=False, metavar="True|False",
            help="Give out no addresses of it.")  # fmt: skip
        _add_subnet_options(parser)
        add_wait_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        credentials = Credentials.administrator()
        network = network_admin.create(credentials, request=_request(options))
        self.print_show({"id": network.pk, "name": network.name, "link": network.link,
                         "mac_prefix": network.mac_prefix})  # fmt: skip
        online = network_projection.online_backends()
        if not provide(self, network, online, wait=options["wait"]):
            raise CommandError(
                f"Network {network.pk} does not exist on all backends yet", returncode=EXIT_PARTIAL
            )


def _add_subnet_options(parser: CommandParser) -> None:
    add = parser.add_argument
    add("--subnet", metavar="CIDR", help="IPv4 subnet.")
    add("--gateway", metavar="IP", help="IPv4 gateway; none by default.")
    add("--subnet6", metavar="CIDR", help="IPv6 subnet, a /64.")
    add("--gateway6", metavar="IP", help="IPv6 gateway; none by default.")
    add("--dhcp", type=strict_bool, default=False, metavar="True|False",
        help="Configure servers with DHCP and SLAAC (default False).")  # fmt: skip
    add("--allocation-pool", action="append", default=[], metavar="START,END",
        help="IPv4 addresses that servers get; may be repeated. All hosts by default.")  # fmt: skip


def _request(options: dict[str, Any]) -> network_admin.NetworkRequest:
    return network_admin.NetworkRequest(
        flavor=options["flavor"],
        name=options["name"],
        user_id=users.uuid_of(options["user"]) if options["user"] else None,
        project=options["project"],
        public=options["public"],
        drained=options["drained"],
        floating_ip_pool=options["floating_ip_pool"],
        overrides=Overrides(**{name: options[name] for name in ("mode", "link", "mac_prefix", "tags")}),
        cidr=options["subnet"],
        gateway=options["gateway"],
        cidr6=options["subnet6"],
        gateway6=options["gateway6"],
        dhcp=options["dhcp"],
        pools=read_pools(options["allocation_pool"]),
    )
