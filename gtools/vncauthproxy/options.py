"""What the console proxy is started with (compute contract 8.3)."""

from __future__ import annotations

import argparse
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from gtools.vncauthproxy.control import MAX_MESSAGE

_DIRECTORY = Path("/var/lib/vncauthproxy")
_EPILOG = """examples:
  vncauthproxy-passwd /var/lib/vncauthproxy/users synnefo
  snf-vncauthproxy --proxy-listen-address 0.0.0.0 --advertise console.example.org
      Cyclades asks 127.0.0.1:24999; users come to ports 25000 to 30000 of console.example.org
  snf-vncauthproxy --websocket-port 6080 --websocket-url wss://console.example.org/vnc \\
      --websocket-plain --origin https://cloud.example.org
      besides, browsers come to one address, where a front server ends TLS
SIGHUP reads the users and certificates anew; SIGTERM ends the daemon with its sessions."""


class OptionsError(Exception):
    """The options contradict each other; the text says how."""


@dataclass(frozen=True, kw_only=True)
class ProxyOptions:
    """All options; times in seconds.

    ``proxy_listen_address`` "*" is every address of IPv4 and IPv6. ``websocket_port`` None: browsers use
    each session's own port.
    """

    listen_address: str = "127.0.0.1"
    listen_port: int = 24999
    proxy_listen_address: str = "*"
    advertise: str = ""
    min_port: int = 25000
    max_port: int = 30000
    connect_timeout: float = 30.0
    server_timeout: float = 60.0
    connect_retries: int = 3
    retry_wait: float = 0.1
    handshake_timeout: float = 10.0
    max_sessions: int = 500
    max_requests: int = 64
    enable_ssl: bool = False
    cert_file: Path = _DIRECTORY / "cert.pem"
    key_file: Path = _DIRECTORY / "key.pem"
    client_cert_file: Path | None = None
    client_key_file: Path | None = None
    auth_file: Path = _DIRECTORY / "users"
    origin: tuple[str, ...] = ()
    websocket_port: int | None = None
    websocket_address: str = "127.0.0.1"
    websocket_url: str = ""
    websocket_plain: bool = False

    def check(self) -> None:
        """Raise ``OptionsError`` for what can't work together."""
        if not 1 <= self.min_port <= self.max_port <= 65535:
            raise OptionsError(f"--min-port {self.min_port} and --max-port {self.max_port} name no range")
        if self.websocket_port is None:
            return
        if not self.websocket_url.startswith(("wss://", "ws://")):
            raise OptionsError("--websocket-port needs --websocket-url, an address that begins with wss://")
        if not self.origin:
            raise OptionsError("--websocket-port needs --origin: whose pages may open consoles")
        if len(self.websocket_url) > MAX_MESSAGE // 2:
            raise OptionsError("--websocket-url is too long")

    @property
    def public_address(self) -> str:
        """The name or address that end clients connect to."""
        if self.advertise:
            return self.advertise
        if self.proxy_listen_address == "*" or _is_any(self.proxy_listen_address):
            return socket.getfqdn()
        return self.proxy_listen_address


def _is_any(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return False


def parser() -> argparse.ArgumentParser:
    """Return the command line's description."""
    result = argparse.ArgumentParser(
        prog="snf-vncauthproxy",
        description="Lends the screens of running servers to users who know a one-time password.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_addresses(result)
    _add_times(result)
    _add_files(result)
    group = result.add_argument_group("browsers at one address")
    add = group.add_argument
    add("--origin", action="append", default=[], metavar="URL", help="whose pages may connect; repeatable")
    add("--websocket-port", type=int, metavar="N", help="port for all browsers' sessions (default: none)")
    add("--websocket-address", default="127.0.0.1", metavar="A", help="its address (default: %(default)s)")
    add("--websocket-url", default="", metavar="URL", help="how browsers reach it: wss://host/path")
    add("--websocket-plain", action="store_true", help="a front server ends TLS before it")
    return result


def _add_addresses(result: argparse.ArgumentParser) -> None:
    group = result.add_argument_group("addresses")
    add = group.add_argument
    add("--listen-address", default="127.0.0.1", help="for Cyclades' requests (default: %(default)s)")
    add("--listen-port", type=int, default=24999, help="for Cyclades' requests (default: %(default)s)")
    add("--proxy-listen-address", default="*", help="for users (default: all addresses)")
    add("--advertise", default="", metavar="HOST", help="what users are told to connect to")
    add("-p", "--min-port", type=int, default=25000, help="first port for users (default: %(default)s)")
    add("-P", "--max-port", type=int, default=30000, help="last port for users (default: %(default)s)")


def _add_times(result: argparse.ArgumentParser) -> None:
    group = result.add_argument_group("times, in seconds, and limits")
    add = group.add_argument
    add("--connect-timeout", type=float, default=30.0, help="for the user to come (default: %(default)s)")
    add("--server-timeout", type=float, default=60.0, help="for the guest's screen (default: %(default)s)")
    add("--connect-retries", type=int, default=3, help="tries to reach it (default: %(default)s)")
    add("--retry-wait", type=float, default=0.1, help="pause between two tries (default: %(default)s)")
    add("--handshake-timeout", type=float, default=10.0, help="for any handshake (default: %(default)s)")
    add("--max-sessions", type=int, default=500, help="consoles at a time (default: %(default)s)")
    add("--max-requests", type=int, default=64, help="requests handled at a time (default: %(default)s)")


def _add_files(result: argparse.ArgumentParser) -> None:
    group = result.add_argument_group("files")
    add = group.add_argument
    add("--enable-ssl", action="store_true", help="TLS for Cyclades' requests")
    add("--cert-file", type=Path, default=_DIRECTORY / "cert.pem", help="default: %(default)s")
    add("--key-file", type=Path, default=_DIRECTORY / "key.pem", help="default: %(default)s")
    add("--client-cert-file", type=Path, help="certificate for users (default: the one of --cert-file)")
    add("--client-key-file", type=Path, help="its key (default: the one of --key-file)")
    add("--auth-file", type=Path, default=_DIRECTORY / "users", help="default: %(default)s")
    add("--log", default="/var/log/vncauthproxy/vncauthproxy.log", help="default: %(default)s")
    add("--pid-file", default="/var/run/vncauthproxy/vncauthproxy.pid", help="default: %(default)s")
    add("-d", "--debug", action="store_true", help="log more, and to standard error")


def from_arguments(arguments: argparse.Namespace) -> ProxyOptions:
    """Return the checked options that a command line stands for; raises ``OptionsError``."""
    names = {item.name for item in fields(ProxyOptions)}
    values = {name: value for name, value in vars(arguments).items() if name in names}
    options = ProxyOptions(**{**values, "origin": tuple(arguments.origin)})
    options.check()
    return options


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse a command line."""
    return parser().parse_args(arguments)
