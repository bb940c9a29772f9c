"""What our objects are called in Ganeti, and back (Ganeti contract 2)."""

from __future__ import annotations

import re
from urllib.parse import quote_plus, unquote_plus

from django.conf import settings

#: Fields of Ganeti that hold one tag accept this much.
MAX_TAG_LENGTH = 128
_GANETI_TAG = re.compile(r"[\w.+*/:@-]+", re.ASCII)
_TAG_PREFIXES = ("cyclades:user:", "cyclades:system:")
_DIGITS = re.compile(r"[0-9]{1,18}")


def _prefix() -> str:
    prefix: str = settings.BACKEND_PREFIX_ID
    return prefix


def _number(name: str | None, prefix: str) -> int | None:
    if not name or not name.startswith(prefix):
        return None
    digits = name[len(prefix) :]
    return int(digits) if _DIGITS.fullmatch(digits) else None


def instance_name(server_id: int) -> str:
    """Return the instance name of a server."""
    return f"{_prefix()}{server_id}"


def server_id_of(name: str | None) -> int | None:
    """Return the server an instance name stands for, ``None`` when the instance is not ours."""
    return _number(name, _prefix())


def network_name(network_id: int) -> str:
    """Return the Ganeti name of a network."""
    return f"{_prefix()}net-{network_id}"


def network_id_of(name: str | None) -> int | None:
    """Return the network a Ganeti name stands for, ``None`` when it is not ours."""
    return _number(name, f"{_prefix()}net-")


def link_name(network_id: int) -> str:
    """Return the routing table of a routed network that was given none."""
    return f"{_prefix()}link-{network_id}"


def nic_name(port_id: int) -> str:
    """Return the Ganeti name of a port."""
    return f"{_prefix()}nic-{port_id}"


def port_id_of(name: str | None) -> int | None:
    """Return the port a NIC name stands for, ``None`` for an unnamed or hand-made NIC."""
    return _number(name, f"{_prefix()}nic-")


def disk_name(volume_id: int, legacy_uuid: str | None = None) -> str:
    """Return the Ganeti name of a volume; volumes of old installations keep their own."""
    return legacy_uuid or f"{_prefix()}vol-{volume_id}"


def volume_id_of(name: str | None) -> int | None:
    """Return the volume a disk name stands for, ``None`` for an unnamed, legacy or hand-made disk."""
    return _number(name, f"{_prefix()}vol-")


def backend_mac_prefix(mac_prefix: str, backend_index: int) -> str:
    """Return a network's MAC prefix inside one backend: its own plus the backend's hex digit.

    Raises ``ValueError`` when the result can't begin a MAC address.
    """
    full = f"{mac_prefix}{backend_index:x}"
    if not re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){2}", full):
        raise ValueError(f"'{full}' is not the first half of a MAC address")
    return full


def encode_tag(tag: str) -> str:
    """Return a server tag as Ganeti stores it (contract 2.2)."""
    return quote_plus(tag, safe=":").replace("~", "%7E").replace("%", "/").replace("_", "*")


def is_valid_tag(tag: str) -> bool:
    """Tell whether Ganeti accepts the encoded form of *tag*."""
    encoded = encode_tag(tag)
    return len(encoded) <= MAX_TAG_LENGTH and bool(_GANETI_TAG.fullmatch(encoded))


def decode_tag(encoded: str) -> str | None:
    """Return the tag behind Ganeti's form, ``None`` for a tag that is not one of our servers'."""
    tag = unquote_plus(encoded.replace("*", "_").replace("/", "%"), errors="replace")
    if not tag.startswith(_TAG_PREFIXES) or "/" in tag or "," in tag:
        return None
    return tag


def firewall_tag(profile: str, port_id: int) -> str:
    """Return the instance tag that gives a port the firewall *profile* (contract 2.1)."""
    template: str = getattr(settings, f"GANETI_FIREWALL_{profile}_TAG")
    return template.replace("%s", nic_name(port_id))


def firewall_profile(word: str | None, *, public: bool) -> str | None:
    """Return the profile a NIC's tag suffix stands for; without one the network's default."""
    if word:
        for profile in ("ENABLED", "DISABLED", "PROTECTED"):
            template: str = getattr(settings, f"GANETI_FIREWALL_{profile}_TAG")
            if template.rsplit(":", 1)[-1] == word:
                return profile
    default: str = settings.DEFAULT_FIREWALL_PROFILE
    return default if public else None
