"""Change a network."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import backends, network_admin, network_projection
from cyclades.logic.network_admin import NetworkChanges
from cyclades.management.arguments import words
from cyclades.management.network_arguments import find_network, follow_jobs, provide
from cyclades.models import Network
from synnefo import users
from synnefo.credentials import Credentials
from synnefo.management.base import EXIT_PARTIAL, SynnefoCommand, add_wait_option, strict_bool


class Command(SynnefoCommand):
    help = "Change a network, or where it exists."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("network_id", metavar="ID", help="Id, or name of the Ganeti network.")
        add("--name", help="New name.")
        add("--user", "--userid", "--owner", dest="user", metavar="UUID|EMAIL", help="New owner.")
        add("--drained", type=strict_bool, metavar="True|False", help="Give out no addresses of it.")
        add("--floating-ip-pool", type=strict_bool, metavar="True|False",
            help="Users may reserve floating IPs of it.")  # fmt: skip
        add("--add-reserved-ips", metavar="IP,IP", help="Addresses to withhold.")
        add("--remove-reserved-ips", metavar="IP,IP", help="Addresses not to withhold any more.")
        add("--add-to-backend", metavar="BACKEND", help="Make it exist on this backend.")
        add("--remove-from-backend", metavar="BACKEND", help="Remove it from this backend.")
        add_wait_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        network = find_network(options["network_id"])
        changes = NetworkChanges(
            name=options["name"],
            user_id=users.uuid_of(options["user"]) if options["user"] else None,
            drained=options["drained"],
            floating_ip_pool=options["floating_ip_pool"],
            add_reserved=words(options["add_reserved_ips"]),
            remove_reserved=words(options["remove_reserved_ips"]),
        )
        if changes != NetworkChanges(add_reserved=[], remove_reserved=[]):
            network = network_admin.modify(
                Credentials.administrator(), network_id=network.pk, changes=changes
            )
        if not self._place(network, options):
            raise CommandError("Not all backends did what they should", returncode=EXIT_PARTIAL)

    def _place(self, network: Network, options: dict[str, Any]) -> bool:
        wait, succeeded = options["wait"], True
        if options["floating_ip_pool"]:
            succeeded = provide(self, network, network_projection.online_backends(), wait=wait)
        if options["add_to_backend"]:
            backend = backends.get_backend(backend_id=options["add_to_backend"])
            succeeded = provide(self, network, [backend], wait=wait) and succeeded
        if options["remove_from_backend"]:
            backend = backends.get_backend(backend_id=options["remove_from_backend"])
            network_admin.check_removable_from(network, backend)
            jobs = network_projection.remove(network, [backend.pk])
            succeeded = follow_jobs(self, [backend], jobs, wait=wait) and succeeded
        return succeeded
