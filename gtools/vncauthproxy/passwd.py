"""``vncauthproxy-passwd``: who may ask the console proxy for consoles."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from gtools.vncauthproxy import accounts

_EPILOG = """examples:
  vncauthproxy-passwd /var/lib/vncauthproxy/users synnefo      asks for the password, twice
  vncauthproxy-passwd -d /var/lib/vncauthproxy/users synnefo   removes the user
The daemon reads the file when it starts and on SIGHUP. The same user and password go into
CYCLADES_VNCAUTHPROXY_OPTS of every Cyclades host."""


def parser() -> argparse.ArgumentParser:
    """Return the command line's description."""
    result = argparse.ArgumentParser(
        prog="vncauthproxy-passwd",
        description="Add a user to the console proxy's file, change their password, or remove them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("-n", "--dry-run", action="store_true", help="print what the file would hold; write nothing")
    add("-d", "--delete", action="store_true", help="remove the user")
    add("-p", "--password", metavar="PASS", help="the password; other users of this host may see it")
    add("file", type=Path, metavar="FILE", help="the file of users, usually /var/lib/vncauthproxy/users")
    add("user", metavar="USER", help="1 to 31 lower-case letters, digits and underscores; no digit first")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Change the file; return the exit status."""
    options = parser().parse_args(arguments)
    try:
        change(options)
    except (accounts.AccountsError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def change(options: argparse.Namespace) -> None:
    """Do what the command line asks for; raises ``AccountsError``."""
    if not accounts.is_user_name(options.user):
        raise accounts.AccountsError(
            f"'{options.user}' is no user name: 1 to 31 of a-z, 0-9 and _, no digit first"
        )
    hashes = accounts.read_file(options.file) if options.file.exists() else {}
    if options.delete:
        if hashes.pop(options.user, None) is None:
            raise accounts.AccountsError(f"{options.file} names no user '{options.user}'")
    else:
        hashes[options.user] = accounts.hash_password(options.password or _ask())
    if options.dry_run:
        sys.stdout.write(accounts.render(hashes))
    else:
        accounts.write_file(options.file, hashes)


def _ask() -> str:
    first = getpass.getpass("Password: ")
    if not 1 <= len(first) <= accounts.MAX_PASSWORD:
        raise accounts.AccountsError(f"a password has 1 to {accounts.MAX_PASSWORD} characters")
    if getpass.getpass("Again: ") != first:
        raise accounts.AccountsError("the two passwords differ")
    return first


if __name__ == "__main__":
    sys.exit(main())
