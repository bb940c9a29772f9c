"""Create flavors."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import flavors, volume_types
from cyclades.management.arguments import number, numbers, specs, words
from cyclades.models import Flavor, VolumeType
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, strict_bool

HEADERS = ("id", "name", "outcome")
#: The largest multiple of four that is stored.
_MAX_RAM = 2**31 - 4


class Command(SynnefoCommand):
    help = "Create every flavor that combines the given CPUs, memories, disks and volume types."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("cpu", help="Comma list of numbers of CPUs.")
        add("ram", help="Comma list of memory sizes in MiB; rounded up to a multiple of 4.")
        add("disk", help="Comma list of disk sizes in GiB.")
        add("volume_type", help="Comma list of volume types: ids, names, or disk templates (made if needed).")
        add("-n", "--dry-run", action="store_true", help="Only tell what would be created.")
        add("--public", type=strict_bool, default=True, metavar="True|False", help="Open to all projects.")
        add("--specs", metavar="K=V,...", help="Further parameters.")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run: bool = options["dry_run"]
        sizes = flavors.sizes(
            cpus=numbers(options["cpu"], "cpu"),
            rams=numbers(options["ram"], "ram", maximum=_MAX_RAM),
            disks=numbers(options["disk"], "disk"),
            volume_types=[self._volume_type(word, dry_run) for word in words(options["volume_type"])],
        )
        outcome = self._plan if dry_run else self._create
        given = specs(options["specs"])
        self.print_table(HEADERS, [outcome(size, options["public"], given) for size in sizes])

    def _volume_type(self, word: str, dry_run: bool) -> VolumeType:
        if word.isdigit():
            return volume_types.get_volume_type(number(word, "Volume type"))
        named = list(VolumeType.objects.filter(name=word, deleted=False)[:2])
        if len(named) == 1:
            return named[0]
        if dry_run:
            volume_types.check_template(word)
            found = VolumeType.objects.filter(disk_template=word, deleted=False).order_by("pk").first()
            return found or VolumeType(name=word, disk_template=word)
        return volume_types.for_template(Credentials.administrator(), disk_template=word)

    def _plan(self, size: flavors.FlavorSize, public: bool, given: dict[str, str]) -> tuple[Any, ...]:
        wanted = Flavor(cpu=size.cpu, ram=size.ram, disk=size.disk, volume_type=size.volume_type)
        return (None, wanted.name, "would be created")

    def _create(self, size: flavors.FlavorSize, public: bool, given: dict[str, str]) -> tuple[Any, ...]:
        flavor, created = flavors.create_flavor(
            Credentials.administrator(), size=size, public=public, specs=given
        )
        return (flavor.pk, flavor.name, "created" if created else "exists")
