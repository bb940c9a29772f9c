"""How accounts, containers and objects stand in addresses (object-storage contract 1)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Places:
    """The patterns of one dialect's addresses, below ``object-store/``."""

    account: str
    container: str
    object: str


#: Clients write the version in two ways.
VERSION = r"v1(?:\.0)?"


def below(*, version: str = f"{VERSION}/", lead: str = "") -> Places:
    """Return the patterns of addresses that begin so; ``lead`` stands before the account's id."""
    account = rf"{version}{lead}(?P<account>[^/]+)"
    container = rf"{account}/(?P<container>[^/]+)"
    return Places(f"{account}/?", f"{container}/?", rf"{container}/(?P<name>[\s\S]+)")
