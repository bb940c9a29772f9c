"""What ``snf-manage check`` says about Cyclades' configuration."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.module_loading import import_string

from cyclades.console import proxies
from cyclades.logic import server_ports
from synnefo.crypto import constant_time_equal
from synnefo.errors import BadRequest


def check_console_proxies(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Warn of the password that everybody knows, and tell what is wrong with the setting."""
    try:
        configured = proxies.read(settings.CYCLADES_VNCAUTHPROXY_OPTS)
    except proxies.ProxySettingsError as error:
        return [Error(f"CYCLADES_VNCAUTHPROXY_OPTS: {error}.", id="cyclades.E001")]
    known = proxies.DEFAULT["auth_password"]
    if not any(constant_time_equal(proxy.auth_password, known) for proxy in configured):
        return []
    return [
        Warning(
            "CYCLADES_VNCAUTHPROXY_OPTS has the password that this program comes with.",
            hint="Choose one with vncauthproxy-passwd and write it to auth_password.",
            id="cyclades.W001",
        )
    ]


def check_new_servers(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Tell of settings that every server's description or connections would fail with."""
    found: list[CheckMessage] = []
    template = settings.CYCLADES_SERVERS_FQDN
    try:
        _ = template is None or template % {"id": 1}
    except (KeyError, TypeError, ValueError):
        found.append(Error("CYCLADES_SERVERS_FQDN: only %(id)s can stand in it.", id="cyclades.E003"))
    for name in ("CYCLADES_DEFAULT_SERVER_NETWORKS", "CYCLADES_FORCED_SERVER_NETWORKS"):
        for entry in getattr(settings, name):
            try:
                named = server_ports.specs_of(entry)
            except BadRequest:
                named = []
            if not named:
                found.append(Error(f"{name}: {entry!r} names no network.", id="cyclades.E004"))
    return found


def check_ganeti_settings(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Tell of settings with which servers could not be made, or not be found (Ganeti contract 2 and 13)."""
    problems: list[str] = []
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*-", settings.BACKEND_PREFIX_ID):
        problems.append("BACKEND_PREFIX_ID must be a word with a dash at the end")
    if not settings.GANETI_CREATEINSTANCE_KWARGS.get("os"):
        problems.append("GANETI_CREATEINSTANCE_KWARGS names no 'os'")
    for word in ("ENABLED", "DISABLED", "PROTECTED"):
        name = f"GANETI_FIREWALL_{word}_TAG"
        # Nodes and the event daemon find a NIC's profile by this form.
        if not re.fullmatch(r"synnefo:network:%s:[^:]+", getattr(settings, name)):
            problems.append(f"{name} must be 'synnefo:network:%s:' and a word")
    for path in (settings.BACKEND_ALLOCATOR_MODULE, *settings.BACKEND_FILTER_ALLOCATOR_FILTERS):
        try:
            import_string(path)
        except ImportError as error:
            problems.append(f"BACKEND_ALLOCATOR_MODULE and its filters: {error}")
    return [Error(f"{problem}.", id="cyclades.E002") for problem in problems]


def register_checks() -> None:
    """Make the checks known; called once Django has started."""
    register(check_console_proxies)
    register(check_new_servers)
    register(check_ganeti_settings)
