"""Signed forms: a browser sends files without a token (object-storage contract 22.2)."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase

from pithos.api import parameters
from pithos.api.bodies import body_length
from pithos.api.swift.service import plain
from pithos.logic import uploads
from pithos.logic.nodes import Address
from pithos.logic.permissions import SignedCredentials
from pithos.logic.temp_urls import keys_of
from pithos.logic.uploads import Wish
from pithos.paths import check_object
from synnefo import clock
from synnefo.errors import BadRequest, RequestTooLarge, SynnefoError, Unauthorized

_SIGNED = ("redirect", "max_file_size", "max_file_count", "expires")
_DIGESTS = {40: "sha1", 64: "sha256", 128: "sha512"}


def receive(request: HttpRequest, account: str, container: str, prefix: str) -> HttpResponseBase:
    """Store a form's files below ``prefix``, if the form was signed with one of the owner's keys."""
    account, container = parameters.container_name(request, account, container)
    body_length(request)
    try:
        fields = {name: request.POST.get(name, "") for name in (*_SIGNED, "signature")}
        files = [file for name in request.FILES for file in request.FILES.getlist(name)]
    except (MultiPartParserError, SuspiciousOperation, OSError, ValueError) as error:
        raise BadRequest("The form is malformed.") from error
    _check(request, fields, account, container)
    _check_redirect(fields["redirect"])  # before anything is stored
    try:
        _store(fields, files, account, container, prefix)
    except SynnefoError as error:
        return _lead_on(fields["redirect"], error.code, error.message)
    return _lead_on(fields["redirect"], 201, "")


def _check(request: HttpRequest, fields: dict[str, str], account: str, container: str) -> None:
    """Raise Unauthorized unless the form carries a good signature and its time is not over."""
    signature = fields["signature"].lower()
    algorithm = _DIGESTS.get(len(signature))
    lead = request.path.partition("/AUTH_")[0]
    ending = request.path[len(lead) :]
    good = False
    for path in (f"{lead}{ending}", f"/v1{ending}"):
        message = "\n".join([path, *(fields[name] for name in _SIGNED)]).encode()
        for key in keys_of(account, container):
            if algorithm and signature.isascii():
                good |= hmac.compare_digest(hmac.digest(key.encode(), message, algorithm).hex(), signature)
    if not good or _number(fields, "expires") < clock.now().timestamp():
        raise Unauthorized("The form is not signed, or not any more.")


def _check_redirect(target: str) -> None:
    """Raise BadRequest for an address that is none, or that would break out of its header."""
    if not target:
        return
    try:
        scheme = urlsplit(target).scheme
    except ValueError:
        scheme = ""
    if scheme not in ("http", "https") or not target.isprintable():
        raise BadRequest("The form's redirect is no web address.")


def _store(
    fields: dict[str, str], files: list[UploadedFile], account: str, container: str, prefix: str
) -> None:
    if not files:
        raise BadRequest("The form has no file.")
    if len(files) > _number(fields, "max_file_count"):
        raise BadRequest("The form has too many files.")
    largest = _number(fields, "max_file_size")
    for file in files:
        if file.size is None or file.size > largest:
            raise RequestTooLarge("A file is larger than the form allows.")
        name = check_object(prefix + (file.name or "file"))
        content_type = file.content_type or ""
        usable = content_type.isascii() and content_type.isprintable() and len(content_type) <= 256
        uploads.put_data(
            SignedCredentials(user_id=account, container=container, name=prefix, is_prefix=True),
            address=Address(account, container, name),
            body=_blocks(file),
            wish=Wish(content_type=content_type if usable else None),
        )


def _blocks(file: UploadedFile) -> Iterator[bytes]:
    return iter(lambda: file.read(settings.PITHOS_BACKEND_BLOCK_SIZE), b"")


def _number(fields: dict[str, str], name: str) -> int:
    text = fields[name]
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadRequest(f"The form's field {name} must be a number.")
    return int(text)


def _lead_on(target: str, status: int, message: str) -> HttpResponse:
    """Return the outcome, to the address that was signed with the form if there is one."""
    if not target:
        return plain(message, status=status)
    mark = "&" if urlsplit(target).query else "?"
    response = HttpResponse(status=303)
    response["Location"] = f"{target}{mark}{urlencode({'status': status, 'message': message})}"
    return response
