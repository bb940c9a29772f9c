"""Show one object (object-storage contract 20.4)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from pithos.api.links import public_url
from pithos.logic import domains
from pithos.logic.nodes import Address
from pithos.paths import check_account, check_container, check_object
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Show the properties, grants and public link of an object."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("place", nargs="+", metavar="ACCOUNT CONTAINER OBJECT | UUID")
        parser.add_argument("--obj-version", type=int, help="Show this version instead of the current one.")
        parser.add_argument("--domain", default="pithos", help="Domain of the metadata (default pithos).")
        parser.add_argument("--hashmap", action="store_true", help="List the object's blocks too.")

    def handle(self, *args: Any, **options: Any) -> None:
        info = self._find(options["place"], options["domain"])
        if options["obj_version"] is not None:
            info = domains.get_object(
                Credentials.administrator(),
                uuid=info.uuid,
                version=options["obj_version"],
                domain=options["domain"],
            )
        public_id = domains.public_id(uuid=info.uuid)
        fields: dict[str, Any] = {
            "account": info.account,
            "container": info.container,
            "name": info.name,
            "uuid": info.uuid,
            "version": info.version,
            "size": info.size,
            "type": info.content_type,
            "hash": info.hash,
            "checksum": info.checksum,
            "modified_by": info.modified_by,
            "available": info.available,
            "mapfile": info.mapfile or "",
            "readers": ", ".join(sorted(info.readers)),
            "writers": ", ".join(sorted(info.writers)),
            "public": public_url(public_id) if public_id else "",
            **{f"{options['domain']}:{key}": value for key, value in sorted(info.metadata.items())},
        }
        if options["hashmap"]:
            fields["hashmap"] = ", ".join(domains.block_hashes(info.mapfile, size=info.size))
        self.print_show(fields)

    def _find(self, place: list[str], domain: str) -> domains.ObjectInfo:
        administrator = Credentials.administrator()
        if len(place) == 1:
            return domains.get_object(administrator, uuid=place[0], domain=domain)
        if len(place) == 3:
            address = Address(check_account(place[0]), check_container(place[1]), check_object(place[2]))
            return domains.get_object_at(administrator, address=address, domain=domain)
        raise CommandError("Give an account, a container and an object, or a uuid.")
