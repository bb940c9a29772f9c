"""Where a server's graphs are (compute contract 9.5)."""

from __future__ import annotations

from django.conf import settings

from cyclades.ganeti import names
from cyclades.logic.servers import get_server
from synnefo import clock, stats_token
from synnefo.credentials import Credentials

#: Key of the answer to the setting that holds the address.
GRAPHS = {
    "cpuBar": "CPU_BAR_GRAPH_URL",
    "cpuTimeSeries": "CPU_TIMESERIES_GRAPH_URL",
    "netBar": "NET_BAR_GRAPH_URL",
    "netTimeSeries": "NET_TIMESERIES_GRAPH_URL",
}


def token_secret() -> str:
    """Return the secret that this service and the one that draws graphs share."""
    return str(
        settings.CYCLADES_STATS_SECRET_KEY or settings.STATS_SECRET_KEY or settings.SECRET_ENCRYPTION_KEY
    )


def links_of(credentials: Credentials, *, server_id: int) -> dict[str, str]:
    """Return the addresses of the graphs of a visible server; raises ``NotFound``."""
    server = get_server(credentials, server_id=server_id)
    name = names.instance_name(server.pk)
    if settings.CYCLADES_STATS_LEGACY_TOKENS:
        token = stats_token.seal_legacy(name, secret=token_secret())
    else:
        expires = int(clock.now().timestamp()) + settings.CYCLADES_STATS_TOKEN_LIFETIME
        token = stats_token.seal(name, secret=token_secret(), expires=expires)
    return {key: getattr(settings, setting).replace("%s", token) for key, setting in GRAPHS.items()}
