"""A passkey in software: what a browser and its authenticator answer to WebAuthn requests."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec


def encoded(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Authenticator:
    """One P-256 passkey that counts its uses."""

    def __init__(self, origin: str = "http://testserver") -> None:
        self.origin = origin
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(32)
        self.count = 0

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps(
            {"type": f"webauthn.{kind}", "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        ).encode()

    def _data(self, host: str, attested: bytes = b"") -> bytes:
        flags = 0b0000_0101 | (0b0100_0000 if attested else 0)
        return (
            hashlib.sha256(host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big") + attested
        )

    def make(self, options: str) -> str:
        """Answer a request for a new passkey."""
        wanted = json.loads(options)
        point = self.key.public_key().public_numbers()
        public = cbor2.dumps(
            {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        )
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        statement = cbor2.dumps(
            {"fmt": "none", "attStmt": {}, "authData": self._data(wanted["rp"]["id"], attested)}
        )
        return self._answer(
            {
                "clientDataJSON": encoded(self._client_data("create", wanted["challenge"])),
                "attestationObject": encoded(statement),
            }
        )

    def use(self, options: str) -> str:
        """Answer a request to show the passkey."""
        wanted = json.loads(options)
        self.count += 1
        client_data = self._client_data("get", wanted["challenge"])
        data = self._data(wanted["rpId"])
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {
                "clientDataJSON": encoded(client_data),
                "authenticatorData": encoded(data),
                "signature": encoded(signature),
            }
        )

    def _answer(self, response: dict[str, Any]) -> str:
        return json.dumps(
            {
                "id": encoded(self.id),
                "rawId": encoded(self.id),
                "type": "public-key",
                "response": response,
                "clientExtensionResults": {},
            }
        )
