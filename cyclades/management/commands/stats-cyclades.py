"""Print numbers about clusters, servers, networks and addresses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import statistics
from cyclades.logic.backends import get_backend
from synnefo.management.base import SynnefoCommand, strict_bool

_SECTIONS = ("clusters", "servers", "ip_pools", "networks", "images")


class Command(SynnefoCommand):
    help = (
        "Print numbers about Ganeti clusters, servers, networks, addresses and images, with sizes in bytes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        for name in (*_SECTIONS, "cluster_details"):
            parser.add_argument(
                f"--{name.replace('_', '-')}",
                type=strict_bool,
                default=True,
                metavar="True|False",
                help="Ask each cluster about its nodes." if name == "cluster_details" else f"Show {name}.",
            )
        parser.add_argument("--backend", metavar="ID", help="Only this backend (id or cluster name).")
        parser.add_argument("--json-file", metavar="FILE", help="Write JSON to this file instead.")

    def handle(self, *args: Any, **options: Any) -> None:
        found = statistics.detailed_statistics(
            backend=get_backend(backend_id=options["backend"]) if options["backend"] else None,
            sections=[name for name in _SECTIONS if options[name]],
            with_nodes=options["cluster_details"],
        )
        if options["json_file"]:
            self._write(Path(options["json_file"]), found)
        elif self.style_name == "json":
            self.stdout.write(json.dumps(found, indent=4))
        else:
            self.print_show(dict(_flat(found)))

    def _write(self, path: Path, found: dict[str, Any]) -> None:
        try:
            path.write_text(json.dumps(found, indent=4) + "\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{path} can't be written: {error}") from error
        self.say(f"Wrote {path}.")


def _flat(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Return the leaves of nested objects with their paths, such as ``servers started count``."""
    if isinstance(value, dict):
        return [
            pair
            for key, inner in value.items()
            for pair in _flat(inner, f"{prefix} {key}" if prefix else key)
        ]
    return [(prefix, value)]
