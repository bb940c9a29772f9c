"""An OpenID Connect provider and OAuth 2.0 server with real RSA signatures, in a thread.

Tests change ``answers`` to make it misbehave: each entry replaces a claim, a header or a whole step.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt

from tests.lab.certificates import rsa_key

CLIENT_ID = "lab-client"
CLIENT_SECRET = "lab-secret"
KEY_ID = "lab-key"


@dataclass
class Grant:
    """A code that was given out."""

    redirect_uri: str
    nonce: str
    challenge: str
    method: str


@dataclass
class OidcServer:
    """The provider; ``claims`` is who is logged in there."""

    claims: dict[str, Any] = field(default_factory=dict)
    #: Overrides: token_claims, signing_key, algorithm, drop_nonce, userinfo, status.
    answers: dict[str, Any] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)

    def start(self) -> OidcServer:
        """Serve on a free port until ``stop``."""
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.handle(self, "")

            def do_POST(self) -> None:
                server.handle(self, self.rfile.read(int(self.headers["Content-Length"])).decode())

            def log_message(self, *arguments: object) -> None:
                """Stay silent."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def reset(self) -> None:
        """Be a well-behaved provider whose visitor is Maria."""
        self.answers, self.grants, self.tokens = {}, {}, set()
        self.claims = {
            "sub": "1234567890", "email": "maria@provider.example", "email_verified": True,
            "name": "Maria Doe", "given_name": "Maria", "family_name": "Doe", "preferred_username": "maria",
        }  # fmt: skip

    # -- the visitor's browser ---------------------------------------------------------------------------

    def authorize(self, url: str) -> str:
        """Agree to a login request as the visitor would; returns the query that is sent back."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        assert query["response_type"] == "code" and query["client_id"] == CLIENT_ID
        assert query["code_challenge_method"].lower() == "s256"
        code = secrets.token_urlsafe(16)
        self.grants[code] = Grant(
            query["redirect_uri"],
            query.get("nonce", ""),
            query["code_challenge"],
            query["code_challenge_method"],
        )
        return urlencode({"code": code, "state": query["state"]})

    # -- the other server --------------------------------------------------------------------------------

    def handle(self, request: http.server.BaseHTTPRequestHandler, body: str) -> None:
        """Answer one request."""
        path = urlsplit(request.path).path
        if self.answers.get("status"):
            return self._send(request, self.answers["status"], {"error": "server_error"})
        if path == "/.well-known/openid-configuration":
            return self._send(request, 200, self._configuration())
        if path == "/jwks":
            key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key("oidc").public_key()))
            return self._send(request, 200, {"keys": [{**key, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]})
        if path == "/token":
            return self._token(request, body)
        bearer = (request.headers.get("Authorization") or "").removeprefix("Bearer ")
        if bearer not in self.tokens:
            return self._send(request, 401, {"error": "invalid_token"})
        if path == "/2/users/me":
            return self._send(
                request, 200, {"data": {"id": "777", "name": "Maria Doe", "username": "maria_x"}}
            )
        return self._send(request, 200, self.answers.get("userinfo", self.claims))

    def _configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }

    def _token(self, request: http.server.BaseHTTPRequestHandler, body: str) -> None:
        form = {key: values[0] for key, values in parse_qs(body).items()}
        basic = (request.headers.get("Authorization") or "").removeprefix("Basic ")
        sent = (
            base64.b64decode(basic).decode()
            if basic
            else f"{form.get('client_id')}:{form.get('client_secret')}"
        )
        grant = self.grants.pop(form.get("code", ""), None)
        if sent != f"{CLIENT_ID}:{CLIENT_SECRET}":
            return self._send(request, 401, {"error": "invalid_client"})
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if grant is None or grant.redirect_uri != form["redirect_uri"] or grant.challenge != challenge:
            return self._send(request, 400, {"error": "invalid_grant"})
        token = secrets.token_urlsafe(16)
        self.tokens.add(token)
        return self._send(
            request,
            200,
            {"access_token": token, "token_type": "Bearer", "id_token": self._id_token(grant.nonce)},
        )

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            **self.claims,
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
        }
        if nonce and not self.answers.get("drop_nonce"):
            claims["nonce"] = nonce
        claims.update(self.answers.get("token_claims", {}))
        algorithm = self.answers.get("algorithm", "RS256")
        if algorithm == "none":
            return jwt.encode(claims, None, algorithm="none", headers={"kid": KEY_ID})
        if algorithm == "HS256":
            # A client that lets the token choose the algorithm would take any secret for the key.
            return jwt.encode(claims, "a" * 64, algorithm="HS256", headers={"kid": KEY_ID})
        key = rsa_key(self.answers.get("signing_key", "oidc"))
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": KEY_ID})

    def _send(self, request: http.server.BaseHTTPRequestHandler, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
