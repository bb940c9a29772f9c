"""The screen of a running server, for one viewer and once (compute contract 8)."""

from __future__ import annotations

import logging
import secrets
import string
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings

from cyclades.console import proxies
from cyclades.console.forwarding import Forwarding, ForwardingRefused, ProxyUnavailable, request_forwarding
from cyclades.ganeti import clients, names, observation
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import server_events, servers
from cyclades.logic.server_state import Access, require_allowed
from cyclades.models import Server, ServerState
from synnefo import audit, clock, rate_limit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, ServiceUnavailable, SynnefoError, TooManyRequests, WrongState

log = logging.getLogger(__name__)

#: How the viewer speaks to the proxy.
KINDS = ("vnc", "vnc-ws", "vnc-wss")
_PASSWORD_LENGTH = 10
_ALPHABET = string.ascii_letters + string.digits
_RETRY_SECONDS = 10


@dataclass(frozen=True)
class Console:
    """Where a viewer finds the screen, and the password that opens it once.

    websocket_url: the one address for browsers of a proxy that has such; empty: ``host`` and ``port``.
    """

    server_id: int
    server_name: str
    kind: str
    host: str
    port: int
    password: str = field(repr=False)
    websocket_url: str = field(default="", repr=False)


def open_console(credentials: Credentials, *, server_id: int, kind: str) -> Console:
    """Let the proxy lend a running server's screen to whoever brings the returned password.

    No lock is held and no transaction open while Ganeti and the proxy are asked, so the instance is looked
    at before and after. Raises ``NotFound``, ``BadRequest`` (kind, deleted, not running), ``Forbidden``
    (suspended), ``TooManyRequests`` or ``ServiceUnavailable``.
    """
    if kind not in KINDS:
        raise BadRequest(f"'type' must be one of {', '.join(KINDS)}")
    server = servers.get_server(credentials, server_id=server_id)
    require_allowed(credentials, server, Access.CONSOLE)
    _count(credentials)
    moment = clock.now()
    target = _screen_of(server)
    if target is None:
        _note_shutdown(credentials, server_id=server_id, moment=moment)
        raise WrongState(f"Server {server_id} is not running, so it shows nothing; start it first.")
    password = "".join(secrets.choice(_ALPHABET) for _ in range(_PASSWORD_LENGTH))
    forwarding = _forward(target, password, kind)
    if _screen_of(server) != target:
        raise ServiceUnavailable(
            "The server moved or stopped meanwhile; ask again.", retry_after=_RETRY_SECONDS
        )
    with locks.atomic():
        audit.record(credentials, "server.console", f"server:{server_id}", type=kind)
    return Console(
        server_id, server.name, kind, forwarding.host, forwarding.port, password, forwarding.websocket_url
    )


def _count(credentials: Credentials) -> None:
    """Every console takes a port of the proxy for half a minute; one user must not take them all."""
    limit = settings.CYCLADES_CONSOLES_PER_MINUTE
    asked = rate_limit.count_attempt(f"console:{credentials.user_id}", limit=limit)
    if asked.exceeded and not credentials.is_admin:
        raise TooManyRequests(
            f"At most {limit} consoles a minute; wait {asked.retry_after} s.", retry_after=asked.retry_after
        )


def _screen_of(server: Server) -> tuple[str, int] | None:
    """Return host and port of the instance's own VNC server, ``None`` when it does not run."""
    instance = _instance_of(server)
    if not observation.is_running(instance):
        return None
    assert server.backend is not None
    has_serial_console = (instance.get("hvparams") or {}).get("serial_console")
    if server.backend.hypervisor == "kvm" and has_serial_console:
        raise SynnefoError("The hypervisor gives this server a serial console only; tell the administrator.")
    host, port = instance.get("pnode"), instance.get("network_port")
    if not isinstance(host, str) or not host or not isinstance(port, int):
        raise ServiceUnavailable("This server's hypervisor offers no screen.", retry_after=_RETRY_SECONDS)
    return host, port


def _instance_of(server: Server) -> dict[str, Any]:
    if server.backend is None:
        raise ServiceUnavailable(f"Server {server.pk} is on no backend.", retry_after=_RETRY_SECONDS)
    name = names.instance_name(server.pk)
    try:
        with clients.rapi_for(server.backend) as rapi:
            return rapi.GetInstance(name)
    except clients.RapiRefused as error:
        if error.not_found:
            return {}
        log.warning("console: the cluster refused to show %s: %s", name, error)
    except clients.GanetiApiError as error:
        log.warning("console: the cluster did not show %s: %s", name, error)
    raise ServiceUnavailable("The server's cluster does not answer; try again.", retry_after=_RETRY_SECONDS)


def _forward(target: tuple[str, int], password: str, kind: str) -> Forwarding:
    try:
        proxy = proxies.choose(proxies.read(settings.CYCLADES_VNCAUTHPROXY_OPTS))
        return request_forwarding(proxy, destination=target, password=password, kind=kind)
    except proxies.ProxySettingsError as error:
        log.error("CYCLADES_VNCAUTHPROXY_OPTS: %s", error)
    except ForwardingRefused as error:
        log.warning("console: the proxy refused to show %s:%d: %s", *target, error)
    except ProxyUnavailable as error:
        log.warning("console: no proxy: %s", error)
    raise ServiceUnavailable("The console proxy can't show this server now.", retry_after=_RETRY_SECONDS)


@locks.retry_on_deadlock
def _note_shutdown(credentials: Credentials, *, server_id: int, moment: datetime) -> None:
    """Record that Ganeti, asked after *moment*, said the server does not run, as its event would have.

    While a task is pending its job's event tells the truth; an event after *moment* is newer than this.
    """
    with locks.atomic():
        server = servers.lock_server(credentials, server_id=server_id)
        if server.operstate != ServerState.STARTED or server.task or server.deleted:
            return
        event = server_events.simulated(server, opcode=Opcode.INSTANCE_SHUTDOWN, moment=moment)
        server_events.apply(server, event)
