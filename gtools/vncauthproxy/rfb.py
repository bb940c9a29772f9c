"""The handshakes of RFB, as a client of the guest's screen and as a server for the end client (RFC 6143)."""

from __future__ import annotations

import hmac
import secrets
import struct

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from gtools.vncauthproxy.channels import Channel

VERSION = b"RFB 003.008\n"
_SECURITY_NONE = 1
_SECURITY_VNC = 2
_CHALLENGE = 16
_DENIED = b"Authentication failed"
#: What a guest may say in its refusal, in bytes.
_MAX_REASON = 4096


class RfbError(Exception):
    """The other side does not speak RFB as expected, or does not know the password."""


def response_to(challenge: bytes, password: str) -> bytes:
    """Return VNC's answer to *challenge*: DES under the first eight bytes of the password, bits reversed."""
    key = password.encode("utf-8", errors="replace")[:8].ljust(8, b"\0")
    reversed_bits = bytes(int(f"{byte:08b}"[::-1], 2) for byte in key)
    # Single DES is triple DES under one key three times.
    encryptor = Cipher(TripleDES(reversed_bits * 3), modes.ECB()).encryptor()  # noqa: S305  (as RFB has it)
    return encryptor.update(challenge) + encryptor.finalize()


async def greet_guest(guest: Channel) -> None:
    """Do the handshake with a guest's VNC server, which must ask for no password; raises ``RfbError``."""
    offered = await guest.read_exactly(len(VERSION))
    if _minor_version(offered) < 8:
        raise RfbError(f"the guest speaks {offered!r}")
    await guest.write(VERSION)
    count = (await guest.read_exactly(1))[0]
    if count == 0:
        raise RfbError(f"the guest refuses: {await _reason(guest)}")
    types = await guest.read_exactly(count)
    if _SECURITY_NONE not in types:
        raise RfbError(f"the guest offers only the security types {list(types)}")
    await guest.write(bytes([_SECURITY_NONE]))
    (result,) = struct.unpack("!I", await guest.read_exactly(4))
    if result:
        raise RfbError(f"the guest refuses: {await _reason(guest)}")


async def _reason(guest: Channel) -> str:
    (length,) = struct.unpack("!I", await guest.read_exactly(4))
    return ascii((await guest.read_exactly(min(length, _MAX_REASON))).decode("latin-1"))


async def admit_client(client: Channel, password: str) -> None:
    """Do the handshake with the end client and check its password; raises ``RfbError``."""
    await client.write(VERSION)
    minor = _minor_version(await client.read_exactly(len(VERSION)))
    if minor < 7:
        # The server alone decides in this version.
        await client.write(struct.pack("!I", _SECURITY_VNC))
    else:
        await client.write(bytes([1, _SECURITY_VNC]))
        chosen = (await client.read_exactly(1))[0]
        if chosen != _SECURITY_VNC:
            await _deny(client, minor)
            raise RfbError(f"the client chose security type {chosen}")
    challenge = secrets.token_bytes(_CHALLENGE)
    await client.write(challenge)
    answer = await client.read_exactly(_CHALLENGE)
    if not hmac.compare_digest(answer, response_to(challenge, password)):
        await _deny(client, minor)
        raise RfbError("the client does not know the password")
    await client.write(struct.pack("!I", 0))


async def _deny(client: Channel, minor: int) -> None:
    reason = struct.pack("!I", len(_DENIED)) + _DENIED if minor >= 8 else b""
    await client.write(struct.pack("!I", 1) + reason)


def _minor_version(line: bytes) -> int:
    """Return the minor version of a greeting of major version 3; raises ``RfbError``."""
    major, minor = line[4:7], line[8:11]
    well_formed = line[:4] == b"RFB " and line[7:8] == b"." and line[11:] == b"\n"
    if not well_formed or not (major + minor).isdigit() or int(major) != 3:
        raise RfbError(f"not RFB: {line!r}")
    return int(minor)
