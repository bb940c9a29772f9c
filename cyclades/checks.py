"""What ``snf-manage check`` says about Cyclades' configuration."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from cyclades.console import proxies
from synnefo.crypto import constant_time_equal


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


def register_checks() -> None:
    """Make the checks known; called once Django has started."""
    register(check_console_proxies)
