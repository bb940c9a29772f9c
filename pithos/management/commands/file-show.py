"""Show one object (object-storage contract 20.4)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from pithos.api.links import public_url
from pithos.api.rendering import epoch
from pithos.logic import object_reports
from pithos.logic.nodes import Address
from pithos.logic.object_reports import ObjectReport
from pithos.paths import check_account, check_container, check_object
from synnefo.clock import isoformat
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Show the properties, grants and public link of an object."
    umask = 0o007

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("place", nargs="+", metavar="ACCOUNT CONTAINER OBJECT | UUID")
        parser.add_argument("--obj-version", type=int, help="Show this version instead of the current one.")
        parser.add_argument("--domain", default="pithos", help="Domain of the metadata (default pithos).")
        parser.add_argument("--hashmap", action="store_true", help="List the object's blocks too.")

    def handle(self, *args: Any, **options: Any) -> None:
        report = self._find(options["place"], options["obj_version"], options["domain"])
        fields = {**report.metadata, **_properties(report), **_access(report)}
        if options["hashmap"]:
            fields["hashmap"] = object_reports.hashes_of(report)
        self.print_show(fields)

    def _find(self, place: list[str], serial: int | None, domain: str) -> ObjectReport:
        if len(place) == 1:
            return object_reports.by_uuid(place[0], serial=serial, domain=domain)
        if len(place) == 3:
            address = Address(check_account(place[0]), check_container(place[1]), check_object(place[2]))
            return object_reports.by_path(address, serial=serial, domain=domain)
        raise CommandError("Give an account, a container and an object, or a uuid.")


def _properties(report: ObjectReport) -> dict[str, Any]:
    version = report.version
    checked = version.map_check_timestamp
    return {
        "account": report.address.account,
        "container": report.address.container,
        "name": report.address.name,
        "bytes": version.size,
        "type": version.type,
        "hash": version.hash,
        "version": version.pk,
        "version_timestamp": epoch(version.mtime),
        "modified": isoformat(report.modified),
        "modified_by": version.muser,
        "uuid": version.uuid,
        "checksum": version.checksum,
        "available": version.available,
        "map_check_timestamp": epoch(checked) if checked is not None else None,
        "mapfile": version.mapfile,
        "is_snapshot": version.is_snapshot,
    }


def _access(report: ObjectReport) -> dict[str, Any]:
    """Return grants and public address, as far as there are any."""
    fields: dict[str, Any] = {}
    if report.sharing:
        if report.shared_by is not None:
            address = report.address
            fields["permissions_from"] = f"{address.account}/{address.container}/{report.shared_by}"
        fields["read"] = sorted(report.sharing.read)
        fields["write"] = sorted(report.sharing.write)
    if report.public_id is not None:
        fields["X-Object-Public"] = public_url(report.public_id)
    return fields
