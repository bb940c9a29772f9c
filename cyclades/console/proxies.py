"""What CYCLADES_VNCAUTHPROXY_OPTS says about the console proxies (compute contract 20)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

DEFAULT: dict[str, Any] = {
    "auth_user": "synnefo",
    "auth_password": "secret_password",
    "server_address": "127.0.0.1",
    "server_port": 24999,
    "enable_ssl": False,
    "ca_cert": None,
    "strict": False,
}


class ProxySettingsError(Exception):
    """The setting can't be used; the text says why, and holds no password."""


@dataclass(frozen=True, kw_only=True)
class ProxyServer:
    """One console proxy: where it takes requests, and as whom it is asked.

    ca_cert: file with the certificate authority of the proxy's certificate. strict: check the certificate
    and the host name in it; else TLS only hides what is said.
    """

    auth_user: str
    auth_password: str
    server_address: str
    server_port: int
    enable_ssl: bool
    ca_cert: str | None
    strict: bool


def read(value: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[ProxyServer]:
    """Return the proxies of the setting, which may be one mapping; raises ``ProxySettingsError``."""
    entries = [value] if isinstance(value, Mapping) else list(value)
    if not entries:
        raise ProxySettingsError("it names no proxy")
    return [_entry(entry) for entry in entries]


def _entry(entry: Mapping[str, Any]) -> ProxyServer:
    if not isinstance(entry, Mapping):
        raise ProxySettingsError("every entry must be a dict")
    unknown = sorted(map(str, set(entry) - {item.name for item in fields(ProxyServer)}))
    if unknown:
        raise ProxySettingsError(f"unknown keys: {', '.join(unknown)}")
    proxy = ProxyServer(**{**DEFAULT, **entry})
    for name in ("auth_user", "auth_password", "server_address"):
        if not isinstance(getattr(proxy, name), str) or not getattr(proxy, name):
            raise ProxySettingsError(f"'{name}' must be a text")
    if not isinstance(proxy.server_port, int) or not 0 < proxy.server_port < 65536:
        raise ProxySettingsError("'server_port' must be a port number")
    if proxy.strict and not (proxy.enable_ssl and proxy.ca_cert):
        raise ProxySettingsError("'strict' needs 'enable_ssl' and 'ca_cert'")
    return proxy


def choose(proxies: Sequence[ProxyServer]) -> ProxyServer:
    """Return any one of the proxies."""
    return secrets.choice(proxies)
