"""Change a user's account."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from astakos.logic import accounts, resources, system_limits, user_changes, users
from astakos.logic.user_changes import UserChanges
from astakos.management.units import parse_quantity
from astakos.models import User
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand

_SWITCHES = {
    "--verify": "Mark the e-mail address as verified.",
    "--accept": "Accept the account; it becomes active.",
    "--reject": "Reject the account.",
    "--renew-password": "Make a new password and print it.",
    "--renew-token": "Make a new token and print it.",
    "--sign-terms": "Sign the terms of use on the user's behalf.",
    "--delete": "Delete the user, who must never have been accepted.",
    "--all": "With --base-quota: every user.",
}
_VALUES = {
    "--reject-reason": "Why the account is rejected.",
    "--inactive-reason": "Why the user is shut out.",
    "--set-default-project": "Uuid of the project that new resources are charged to.",
    "--password": "The new password.",
}
_LISTS = {
    "--add-group": "Add to this group (repeatable).",
    "--delete-group": "Take out of this group (repeatable).",
    "--add-permission": "Give this permission (repeatable).",
    "--delete-permission": "Take this permission away (repeatable).",
}


class Command(SynnefoCommand):
    help = "Change a user's account."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("user", metavar="ID|UUID", nargs="?")
        for option, text in _SWITCHES.items():
            add(option, action="store_true", help=text)
        for option, text in _VALUES.items():
            add(option, help=text)
        for option, text in _LISTS.items():
            add(option, action="append", default=[], help=text)
        add("--set-admin", action="store_true", help="Give the user every permission.")
        add("--set-noadmin", action="store_true", help="Take that away.")
        add("--set-active", action="store_true", help="Let an accepted user in again.")
        add("--set-inactive", action="store_true", help="Shut an accepted user out.")
        add("--set-email", "--email", dest="email", help="The new e-mail address.")
        add("--invitations", type=int, help="How many people the user may still invite.")
        add("--level", type=int, help="Level of the user: whom he invites is one level further out.")
        add("-f", "--no-confirm", "--force", action="store_true", help="Do not ask before deleting.")
        add(
            "--base-quota",
            nargs=2,
            action="append",
            default=[],
            metavar=("RESOURCE", "CAPACITY|default"),
            help="Set the limits of the user's system project (repeatable).",
        )
        add("--exclude", default="", metavar="UUID|EMAIL,…", help="With --all: leave these users alone.")

    def handle(self, *args: Any, **options: Any) -> None:
        self._check(options)
        user = None if options["all"] else users.find(options["user"], by_email=False)
        if user is not None:
            self._modify(user, options)
        for resource, text in options["base_quota"]:
            self._set_base_quota(user, resource, text, options)
        if user is not None and options["delete"]:
            self._delete(user, options)

    def _check(self, options: dict[str, Any]) -> None:
        for on, off in (("set_admin", "set_noadmin"), ("set_active", "set_inactive"), ("accept", "reject")):
            if options[on] and options[off]:
                raise CommandError(
                    f"--{on.replace('_', '-')} and --{off.replace('_', '-')} contradict each other"
                )
        if options["all"]:
            if options["user"] or not options["base_quota"]:
                raise CommandError("--all goes with --base-quota and without a user")
        elif not options["user"]:
            raise CommandError("Please provide a user ID or UUID")
        elif options["exclude"]:
            raise CommandError("--exclude goes with --all")

    def _modify(self, user: User, options: dict[str, Any]) -> None:
        changes = _changes(options)
        if changes == UserChanges():
            return
        result = user_changes.modify(Credentials.administrator(), user_id=user.pk, changes=changes)
        for message in result.messages:
            self.stdout.write(message)
        if result.password is not None:
            self.stdout.write(f"New password: {result.password}")
        if result.token is not None:
            self.stdout.write(f"New token: {result.token}")

    def _set_base_quota(self, user: User | None, resource: str, text: str, options: dict[str, Any]) -> None:
        unit = resources.unit_of(resource)
        capacity = None if text == "default" else parse_quantity(text, unit, resource)
        question = f"Set {resource} to {text} for every user?"
        if user is None and not options["no_confirm"] and not self.confirm(question):
            raise CommandError("Nothing changed")
        count = system_limits.set_base_quota(
            Credentials.administrator(),
            resource=resource,
            capacity=capacity,
            users=None if user is None else [user.uuid],
            # A name that is nobody's must not pass for an exclusion.
            exclude=[users.find(item.strip()).uuid for item in options["exclude"].split(",") if item.strip()],
        )
        self.stdout.write(f"{resource} set to {text} in {count} system project(s)")

    def _delete(self, user: User, options: dict[str, Any]) -> None:
        self.say(f"{user.pk} {user.uuid} {user.email} {user.realname}: {accounts.status_text(user)}")
        if not options["no_confirm"] and not self.confirm("Delete this user?"):
            raise CommandError("Aborting deletion")
        accounts.delete(Credentials.administrator(), user_id=user.pk)
        self.stdout.write(f"User {user.uuid} deleted")


def _either(on: bool, off: bool) -> bool | None:
    """Return what a pair of opposite switches asks for, ``None`` when neither is given."""
    return on if on or off else None


def _changes(options: dict[str, Any]) -> UserChanges:
    return UserChanges(
        admin=_either(options["set_admin"], options["set_noadmin"]),
        reject=options["reject"],
        reject_reason=options["reject_reason"] or "",
        verify=options["verify"],
        accept=options["accept"],
        default_project=options["set_default_project"],
        active=_either(options["set_active"], options["set_inactive"]),
        inactive_reason=options["inactive_reason"] or "",
        invitations=options["invitations"],
        add_groups=tuple(options["add_group"]),
        delete_groups=tuple(options["delete_group"]),
        add_permissions=tuple(options["add_permission"]),
        delete_permissions=tuple(options["delete_permission"]),
        level=options["level"],
        password=options["password"],
        renew_password=options["renew_password"],
        renew_token=options["renew_token"],
        sign_terms=options["sign_terms"],
        email=options["email"],
    )
