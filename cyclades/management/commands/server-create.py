"""Create a server on behalf of a user."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import server_create
from cyclades.management.arguments import find_flavor, number, words
from cyclades.management.disk_arguments import VOLUME_HELP, block_devices, boot_image
from cyclades.management.server_view import summary
from cyclades.management.waiting import follow
from cyclades.models import IPAddress, JobIntent
from synnefo import users
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, add_wait_option

_MANDATORY = ("name", "user", "password", "flavor")


class Command(SynnefoCommand):
    help = (
        "Create a server on behalf of a user, whose quota is charged. Example: snf-manage server-create "
        "--name web1 --user maria@example.org --flavor 3 --image 8c6a2f0e-... --password ... "
        "--port network:9 --volume size=20 --wait True"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--backend-id", metavar="ID", help="Cluster to use, even a drained one.")
        add("--name", help="Name of the server.")
        add("--user", "--user-id", dest="user", metavar="UUID|EMAIL", help="Owner.")
        add("--project", metavar="UUID", help="Project to charge; the owner's own by default.")
        add("--image", "--image-id", dest="image", metavar="UUID", help="Image of the system disk.")
        add("--flavor", "--flavor-id", dest="flavor", metavar="ID", help="Flavor.")
        add("--password", help="Password of the server.")
        add(
            "--port",
            action="append",
            default=[],
            metavar="SPEC",
            help="network:<id>[,address=<ip>], id:<port> or floatingip:<id>; may be repeated.",
        )
        add("--volume", action="append", default=[], metavar="SPEC", help=VOLUME_HELP)
        add("--floating-ips", metavar="IDS", help="Comma list of floating IPs to connect.")
        add("--tags", metavar="A,B", help="Tags.")
        add("--helper", action="store_true", help="Make it a helper server.")
        add_wait_option(parser, default=False)

    def handle(self, *args: Any, **options: Any) -> None:
        for name in _MANDATORY:
            if not options[name]:
                raise CommandError(f"{name} is mandatory")
        disks = block_devices(options["volume"], options["image"])
        image_id = options["image"] or boot_image(disks)
        if not image_id:
            raise CommandError("image or a volume made of one is mandatory")
        user = users.uuid_of(options["user"])
        credentials = Credentials(user_id=user, default_project=user, is_admin=True)
        request = server_create.ServerRequest(
            name=options["name"],
            image_id=image_id,
            flavor_id=find_flavor(options["flavor"]).pk,
            project=options["project"],
            tags=words(options["tags"]),
            networks=self._networks(options),
            block_devices=disks,
            admin_password=options["password"],
            helper=options["helper"],
            backend_id=number(options["backend_id"], "Backend") if options["backend_id"] else None,
        )
        new = server_create.create(credentials, request=request)
        new.server.refresh_from_db()
        self.print_show(summary(new.server))
        intent = JobIntent.objects.filter(server=new.server).order_by("pk").first()
        follow(self, intent, wait=options["wait"])

    def _networks(self, options: dict[str, Any]) -> list[dict[str, Any]] | None:
        wishes = [self._port(spec) for spec in options["port"]]
        wishes += [self._floating_ip(word) for word in words(options["floating_ips"])]
        return wishes or None

    def _port(self, spec: str) -> dict[str, Any]:
        head, *rest = spec.split(",")
        kind, _, value = head.partition(":")
        if kind == "network" and value:
            address = self._address(rest)
            return {"uuid": value} if address is None else {"uuid": value, "fixed_ip": address}
        if kind == "id" and value and not rest:
            return {"port": value}
        if kind == "floatingip" and value and not rest:
            return self._floating_ip(value)
        raise CommandError(f"'{spec}' is not network:<id>[,address=<ip>], id:<port> or floatingip:<id>")

    def _address(self, rest: list[str]) -> str | None:
        if not rest:
            return None
        key, _, value = rest[0].replace(":", "=", 1).partition("=")
        if key != "address" or not value or len(rest) > 1:
            raise CommandError(f"'{','.join(rest)}' is not address=<ip>")
        return value

    def _floating_ip(self, word: str) -> dict[str, Any]:
        ip = IPAddress.objects.filter(pk=number(word, "Floating IP"), floating_ip=True, deleted=False).first()
        if ip is None:
            raise CommandError(
                f"Floating IP with ID {word} does not exist. "
                "Use floating-ip-list to find out available floating IP IDs."
            )
        return {"uuid": str(ip.network_id), "fixed_ip": ip.address}
