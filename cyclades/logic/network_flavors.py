"""The four kinds of networks and what Ganeti gets of each (network contract 3)."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from cyclades.ganeti import names
from cyclades.logic import value_pools
from cyclades.logic.pools import is_mac_prefix
from cyclades.models import Network
from synnefo.errors import BadRequest

BRIDGED, ROUTED = "bridged", "routed"


@dataclass(frozen=True)
class NetworkFlavor:
    """How NICs of a network are wired; the booleans say which values come from a pool."""

    name: str
    mode: str
    tags: str = ""
    pooled_link: bool = False
    pooled_mac_prefix: bool = False


CUSTOM = NetworkFlavor("CUSTOM", BRIDGED)
IP_LESS_ROUTED = NetworkFlavor("IP_LESS_ROUTED", ROUTED, "ip-less-routed")
MAC_FILTERED = NetworkFlavor("MAC_FILTERED", BRIDGED, "private-filtered", pooled_mac_prefix=True)
PHYSICAL_VLAN = NetworkFlavor("PHYSICAL_VLAN", BRIDGED, "physical-vlan", pooled_link=True)

FLAVORS = {flavor.name: flavor for flavor in (CUSTOM, IP_LESS_ROUTED, MAC_FILTERED, PHYSICAL_VLAN)}


@dataclass(frozen=True)
class Overrides:
    """What an administrator sets instead of the flavor's own values; ``None`` keeps those."""

    mode: str | None = None
    link: str | None = None
    mac_prefix: str | None = None
    tags: str | None = None


def flavor_named(name: str) -> NetworkFlavor:
    """Return the flavor *name*; raises ``BadRequest``."""
    if name not in FLAVORS:
        raise BadRequest(f"Unknown network type '{name[:64]}'. Choose one of {', '.join(sorted(FLAVORS))}.")
    return FLAVORS[name]


def check_overrides(flavor: NetworkFlavor, overrides: Overrides) -> None:
    """Raise ``BadRequest`` for values that *flavor* draws from a pool, or that are malformed."""
    if flavor.pooled_mac_prefix and overrides.mac_prefix is not None:
        raise BadRequest(f"Cannot override MAC_PREFIX of {flavor.name} networks, which comes from a pool")
    if flavor.pooled_link and overrides.link is not None:
        raise BadRequest(f"Cannot override link of {flavor.name} networks, which comes from a pool")
    if overrides.mode not in (None, BRIDGED, ROUTED):
        raise BadRequest(f"The mode of a network is {BRIDGED} or {ROUTED}, not '{overrides.mode}'")
    if overrides.mac_prefix is not None and not is_mac_prefix(overrides.mac_prefix):
        raise BadRequest(f"'{overrides.mac_prefix}' is not a MAC prefix such as aa:00:0")
    for field, limit in (("link", 32), ("tags", 128)):
        if len(getattr(overrides, field) or "") > limit:
            raise BadRequest(f"'{field}' has at most {limit} characters")


def wire(network: Network, flavor: NetworkFlavor, overrides: Overrides) -> None:
    """Give the saved row *network* its mode, link, MAC prefix and tags, taking from pools what needs to.

    Raises ``ServiceUnavailable`` when a pool is missing or empty, ``BadRequest`` when another routed
    network has the link.
    """
    network.mode = overrides.mode or flavor.mode
    network.tags = flavor.tags if overrides.tags is None else overrides.tags
    if flavor.pooled_mac_prefix:
        network.mac_prefix = value_pools.take_mac_prefix()
    else:
        network.mac_prefix = overrides.mac_prefix or settings.DEFAULT_MAC_PREFIX
    if flavor.pooled_link:
        network.link = value_pools.take_bridge()
    elif overrides.link is not None:
        network.link = overrides.link
    else:
        network.link = _default_link(network, flavor)
    if flavor is IP_LESS_ROUTED:
        _require_unused_link(network)


def unwire(network: Network) -> None:
    """Give back to their pools what the deleted *network* had from them."""
    flavor = FLAVORS.get(network.flavor)
    if flavor is None:
        return
    if flavor.pooled_mac_prefix:
        value_pools.give_back_mac_prefix(network.mac_prefix)
    if flavor.pooled_link and network.link:
        value_pools.give_back_bridge(network.link)


def _default_link(network: Network, flavor: NetworkFlavor) -> str:
    if flavor is IP_LESS_ROUTED:
        return names.link_name(network.pk)
    bridge: str = settings.DEFAULT_MAC_FILTERED_BRIDGE if flavor is MAC_FILTERED else settings.DEFAULT_BRIDGE
    return bridge


def _require_unused_link(network: Network) -> None:
    others = Network.objects.filter(deleted=False, mode=network.mode, link=network.link)
    if others.exclude(pk=network.pk).exists():
        raise BadRequest(f"The link '{network.link}' is used by another network")
