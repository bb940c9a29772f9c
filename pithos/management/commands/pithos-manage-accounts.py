"""Administration of object storage accounts (object-storage contract 20.4)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from pithos.logic import account_merge, account_removal, account_reports, sharing
from pithos.paths import check_account, check_container
from synnefo.credentials import Credentials
from synnefo.management import tables
from synnefo.management.base import SynnefoCommand

_SHOWN = 1000


class Command(SynnefoCommand):
    help = "List, merge and delete object storage accounts; export and set quota."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", help="What to do.")
        one = actions.add_parser("list", help="List all accounts.")
        one.add_argument("--duplicate", action="store_true", help="Only names that differ in case only.")
        one.add_argument("--no-headers", action="store_true", help="Leave the line of titles out.")
        # After the action too, where one expects it.
        one.add_argument(
            "--output-format", choices=tables.FORMATS, default=argparse.SUPPRESS, help="As above."
        )
        one = actions.add_parser("delete", help="Remove an account with everything in it.")
        one.add_argument("account", help="The account to remove.")
        _add_dry(one)
        one = actions.add_parser("merge", help="Copy everything of one account into another.")
        one.add_argument("source", help="The account whose objects are copied.")
        one.add_argument("destination", help="The account that gets them.")
        _add_dry(one)
        one = actions.add_parser("export-quota", help="Write every account's disk space limit to a file.")
        one.add_argument("--location", required=True, metavar="FILE", help="The file to write.")
        one = actions.add_parser("set-container-quota", help="Set the quota policy of containers of a name.")
        one.add_argument("container", help="The name of the containers.")
        one.add_argument("quota", type=int, help="Bytes; 0 is unlimited.")
        one.add_argument("--account", help="Only in this account.")
        one.add_argument("--report", action="store_true", help="List the accounts without such a container.")
        _add_dry(one)

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['action'].replace('-', '_')}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        show_headers = not options["no_headers"]
        if options["duplicate"]:
            groups = account_reports.lookalikes()
            rows = [(name, number) for number, names in enumerate(groups, 1) for name in names]
            self.print_table(("account", "group"), rows, show_headers=show_headers)
            return
        self.print_table(
            ("account",), [(name,) for name in account_reports.accounts()], show_headers=show_headers
        )

    def _delete(self, options: dict[str, Any]) -> None:
        account = check_account(options["account"])
        self._show_content(account)
        if options["dry"]:
            return
        self._require_yes(f"All this will be deleted from account {account}.")
        account_removal.remove_account(Credentials.administrator(), account=account)
        self.say(f"Account {account} deleted.")

    def _merge(self, options: dict[str, Any]) -> None:
        source, target = check_account(options["source"]), check_account(options["destination"])
        self._show_content(source)
        if options["dry"]:
            return
        self._require_yes(f"All this will be copied to account {target}; history and groups will move.")
        merged = account_merge.merge_accounts(Credentials.administrator(), source=source, target=target)
        self.say(f"{merged.objects} objects copied and {merged.versions} versions moved to {target}.")

    def _export_quota(self, options: dict[str, Any]) -> None:
        path = Path(options["location"])
        try:
            with path.open("w", encoding="utf-8") as file:
                count = sum(file.write(f"{line}\n") > 0 for line in account_reports.quota_lines())
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        self.say(f"{count} limits written to {path}.")

    def _set_container_quota(self, options: dict[str, Any]) -> None:
        change = account_reports.set_container_quota(
            Credentials.administrator(),
            container=check_container(options["container"]),
            quota=options["quota"],
            account=options["account"],
            dry=options["dry"],
        )
        self.print_table(("account", "quota"), [(name, options["quota"]) for name in change.changed])
        if options["report"]:
            for name in change.missing:
                self.say(f"No container {options['container']} in account {name}.")
        if options["account"] and change.missing:
            raise CommandError(f"There is no container {options['container']} in {options['account']}.")

    def _show_content(self, account: str) -> None:
        """Print what an account has: its first objects, how many more, and its groups."""
        node = account_removal.require_account(account)
        count = 0
        for path in account_removal.objects_of(node):
            count += 1
            if count <= _SHOWN:
                self.stdout.write(tables.text_of(path))
        if count > _SHOWN:
            self.stdout.write(f"… and {count - _SHOWN} more")
        for name, members in sharing.groups_of(account).items():
            self.stdout.write(f"group {tables.text_of(name)}: {', '.join(members)}")
        self.say(f"{count} objects in account {account}.")

    def _require_yes(self, warning: str) -> None:
        self.stderr.write(f"{warning} Type 'yes' to go on: ", ending="")
        self.stderr.flush()
        if sys.stdin.readline().strip() != "yes":
            raise CommandError("Nothing was changed.")


def _add_dry(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry", action="store_true", help="Only show what would be done.")
