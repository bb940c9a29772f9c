"""A SAML identity provider made of pysaml2, over HTTP in a thread; it can be told to forge.

``mutate`` changes the response before it is signed, ``signing`` says with which key (``own``, another's name
or ``None`` for none), ``rewrite`` changes the signed text.
"""

from __future__ import annotations

import base64
import html
import http.server
import re
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, class_name
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
from saml2.server import Server
from saml2.sigver import pre_signature_part, signed_instance_factory
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

from tests.lab.certificates import self_signed

Mutation = Callable[[Any], None]


class SamlIdp:
    """One identity provider called *name*, with Maria logged in."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.reset()

    def reset(self) -> None:
        """Be well-behaved again."""
        self.attributes: dict[str, Any] = {
            "mail": "maria@university.example", "givenName": "Maria", "sn": "Doe", "uid": "maria",
        }  # fmt: skip
        self.name_id = "persistent-maria"
        self.name_id_format = NAMEID_FORMAT_PERSISTENT
        self.audience: str | None = None
        self.mutate: Mutation = lambda response: None
        self.signing: str | None = "own"
        self.rewrite: Callable[[str], str] = lambda text: text
        self.logged_out: list[str] = []

    def start(self, sp_metadata: Path | None = None) -> SamlIdp:
        """Serve; without *sp_metadata* only the own metadata can be made."""
        idp = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = idp.handle(self.path)
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Stay silent."""

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.entity_id = f"{self.url}/metadata"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        certificate, key = self_signed(self.name)
        (self.folder / f"{self.name}.crt").write_bytes(certificate)
        (self.folder / f"{self.name}.key").write_bytes(key)
        self.metadata_path = self.folder / f"{self.name}.xml"
        self.metadata_path.write_text(str(entity_descriptor(self._configuration(None))))
        return self

    def trust(self, sp_metadata: str) -> None:
        """Learn who the service is."""
        path = self.folder / f"sp-of-{self.name}.xml"
        path.write_text(sp_metadata)
        self.server = Server(config=self._configuration(path))

    def stop(self) -> None:
        """Stop serving."""
        self._http.shutdown()
        self._http.server_close()

    def _configuration(self, sp_metadata: Path | None, signer: str = "") -> Any:
        name = signer or self.name
        return IdPConfig().load(
            {
                "entityid": self.entity_id,
                "xmlsec_binary": "/usr/bin/xmlsec1",
                "key_file": str(self.folder / f"{name}.key"),
                "cert_file": str(self.folder / f"{name}.crt"),
                "metadata": {"local": [str(sp_metadata)]} if sp_metadata else {},
                "organization": {
                    "name": [(self.name.title(), "en")],
                    "display_name": [(self.name.title(), "en")],
                    "url": [(self.url, "en")],
                },
                "service": {
                    "idp": {
                        "name": self.name.title(),
                        "endpoints": {
                            "single_sign_on_service": [(f"{self.url}/sso", BINDING_HTTP_REDIRECT)],
                            "single_logout_service": [(f"{self.url}/slo", BINDING_HTTP_REDIRECT)],
                        },
                        "policy": {"default": {"lifetime": {"minutes": 15}, "attribute_restrictions": None}},
                    }
                },
            }
        )

    # -- what it answers -----------------------------------------------------------------------------------

    def handle(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Answer a login or logout request that a browser brought."""
        parts = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/slo":
            request = self.server.parse_logout_request(query["SAMLRequest"], BINDING_HTTP_REDIRECT)
            self.logged_out.append(request.message.name_id.text)
            answer = self.server.create_logout_response(request.message, [BINDING_HTTP_REDIRECT])
            target = self.server.response_args(request.message, [BINDING_HTTP_REDIRECT])["destination"]
            sent = self.server.apply_binding(
                BINDING_HTTP_REDIRECT, str(answer), target, response=True, sign=True
            )
            return 303, {"Location": dict(sent["headers"])["Location"]}, b""
        request = self.server.parse_authn_request(query["SAMLRequest"], BINDING_HTTP_REDIRECT)
        form = self._form(request.message, query.get("RelayState", ""))
        return 200, {"Content-Type": "text/html"}, form.encode()

    def _form(self, request: Any, relay_state: str) -> str:
        target = self.server.response_args(request, [BINDING_HTTP_POST])
        response = self.server.create_authn_response(
            identity=dict(self.attributes),
            in_response_to=request.id,
            destination=target["destination"],
            sp_entity_id=target["sp_entity_id"],
            name_id=NameID(format=self.name_id_format, text=self.name_id),
            authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password", "authn_auth": self.url},
            sign_assertion=False,
            sign_response=False,
        )
        self.mutate(response)
        text = self.rewrite(self._signed(response))
        sent = base64.b64encode(text.encode()).decode()
        return (
            f'<form method="post" action="{html.escape(target["destination"])}">'
            f'<input name="SAMLResponse" value="{sent}">'
            f'<input name="RelayState" value="{html.escape(relay_state)}">'
        )

    def _signed(self, response: Any) -> str:
        if self.signing is None:
            return str(response)
        signer = self.server
        if self.signing != "own":
            certificate, key = self_signed(self.signing)
            (self.folder / f"{self.signing}.crt").write_bytes(certificate)
            (self.folder / f"{self.signing}.key").write_bytes(key)
            signer = Server(config=self._configuration(None, self.signing))
        assertion = response.assertion
        assertion.signature = pre_signature_part(
            assertion.id, signer.sec.my_cert, 1, sign_alg=SIG_RSA_SHA256, digest_alg=DIGEST_SHA256
        )
        return str(signed_instance_factory(response, signer.sec, [(class_name(assertion), assertion.id)]))

    def logout_request(self, sls_url: str, *, sign: bool = True, session_index: str = "") -> str:
        """The URL by which it asks the service to end Maria's sessions."""
        _id, message = self.server.create_logout_request(
            sls_url,
            self.entity_id,
            name_id=NameID(format=self.name_id_format, text=self.name_id),
            session_indexes=[session_index] if session_index else None,
            sign=False,
        )
        sent = self.server.apply_binding(
            BINDING_HTTP_REDIRECT, str(message), sls_url, sign=sign, sigalg=SIG_RSA_SHA256
        )
        return str(dict(sent["headers"])["Location"])


def visit(url: str) -> dict[str, str]:
    """Open the identity provider's page as a browser and return the fields of its form."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        page = answer.read().decode()
    return {name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page)}


def without(url: str, *names: str) -> str:
    """*url* without some parameters."""
    parts = urlsplit(url)
    return parts._replace(
        query=urlencode([item for item in parse_qsl(parts.query) if item[0] not in names])
    ).geturl()
