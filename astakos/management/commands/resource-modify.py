"""Change a resource's defaults and visibility."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from astakos.logic import resources
from astakos.management.units import add_unit_style, parse_quantity, shown
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, strict_bool


class Command(SynnefoCommand):
    help = "Change the limits future users and projects get, and who sees a resource."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("resource", metavar="NAME", nargs="?")
        add(
            "--system-default",
            "--default-quota",
            metavar="LIMIT",
            help="Limit of future users' system projects.",
        )
        add("--project-default", metavar="LIMIT", help="Limit of future other projects.")
        add("--api-visible", type=strict_bool, metavar="True|False", help="Whether the API shows it.")
        add("--ui-visible", type=strict_bool, metavar="True|False", help="Whether pages show it.")
        add(
            "--default-quota-interactive",
            action="store_true",
            help="Ask for the system default of the resource, or of all without a name.",
        )
        add("--default-quota-from-file", metavar="FILE", help="JSON object of resource names and limits.")
        add_unit_style(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["default_quota_interactive"]:
            limits = self._ask(options)
        elif options["default_quota_from_file"]:
            limits = self._read(options["default_quota_from_file"], options["resource"])
        else:
            self._modify_one(options)
            return
        for name, text in limits.items():
            self._modify(name, system_default=self._quantity(name, text))

    def _modify_one(self, options: dict[str, Any]) -> None:
        name = options["resource"]
        if not name:
            raise CommandError("Please provide a resource name")
        keys = ("system_default", "project_default", "api_visible", "ui_visible")
        changes = {key: options[key] for key in keys if options[key] is not None}
        if not changes:
            raise CommandError(
                "Nothing to change: give --system-default, --project-default, --api-visible or --ui-visible"
            )
        for key in ("system_default", "project_default"):
            if key in changes:
                changes[key] = self._quantity(name, changes[key])
        self._modify(name, **changes)

    def _quantity(self, name: str, text: str) -> int:
        return parse_quantity(text, resources.unit_of(name), name)

    def _modify(self, name: str, **changes: Any) -> None:
        resources.modify(Credentials.administrator(), name=name, **changes)
        self.say(f"Resource {name} changed")

    def _ask(self, options: dict[str, Any]) -> dict[str, str]:
        answers = {}
        for row in resources.find_all(options["resource"]):
            now = shown(row.uplimit, row.unit, options["unit_style"])
            self.stderr.write(f"Limit of {row.name} (now {now}; empty to keep): ", ending="")
            self.stderr.flush()
            answer = sys.stdin.readline().strip()
            if answer:
                answers[row.name] = answer
        return answers

    def _read(self, path: str, only: str | None) -> dict[str, str]:
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CommandError(f"Cannot read {path}: {error}") from None
        if not isinstance(document, dict):
            raise CommandError(f"{path} must hold a JSON object of resource names and limits")
        return {name: str(limit) for name, limit in document.items() if only in (None, name)}
