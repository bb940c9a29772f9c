"""The beginning of a VNC session, up to the accepted password (compute contract 8)."""

from __future__ import annotations

import socket

from cryptography.hazmat.primitives.ciphers import Cipher, modes

from cyclades.burnin.failures import CheckFailed, same

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:  # before cryptography 43
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES

VERSION = b"RFB 003.008\n"
_VNC_AUTHENTICATION = 2
_SECONDS = 30.0


def answer_challenge(password: str, challenge: bytes) -> bytes:
    """Encrypt the server's challenge: DES with the first 8 characters, the bits of each byte reversed."""
    key = password.encode()[:8].ljust(8, b"\0")
    reversed_key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in key)
    # DES is triple DES with the same key three times.
    encryptor = Cipher(TripleDES(reversed_key * 3), modes.ECB()).encryptor()  # noqa: S305  (the protocol's)
    return encryptor.update(challenge) + encryptor.finalize()


def shake_hands(host: str, port: int, password: str) -> None:
    """Open a session; raises ``CheckFailed`` when anything is not as the protocol says."""
    try:
        with socket.create_connection((host, port), timeout=_SECONDS) as connection:
            _authenticate(connection, password)
    except OSError as error:
        raise CheckFailed(f"console at {host}:{port}: {error}") from None


def _authenticate(connection: socket.socket, password: str) -> None:
    same("the console's greeting", _receive(connection, 12), VERSION)
    connection.sendall(VERSION)
    count = _receive(connection, 1)[0]
    offered = list(_receive(connection, count)) if count else []
    same("the console's offer of security types", offered, [_VNC_AUTHENTICATION])
    connection.sendall(bytes([_VNC_AUTHENTICATION]))
    connection.sendall(answer_challenge(password, _receive(connection, 16)))
    same("the console's verdict on the password", _receive(connection, 4), b"\0\0\0\0")


def _receive(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise CheckFailed(f"the console closed the connection after {data!r}")
        data += piece
    return data
