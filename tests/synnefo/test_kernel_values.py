"""Units, secrets, log masking, header names and filters."""

from __future__ import annotations

import base64
import logging

import pytest
from cryptography.hazmat.decrepit.ciphers.modes import CFB8
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from hypothesis import given
from hypothesis import strategies as st

from synnefo import crypto, logs
from synnefo.gunicorn_hooks import normalise_headers
from synnefo.management.runner import masked
from synnefo.units import INF, format_size, parse_size

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20", 20), ("20 bytes", 20), ("1k", 1024), ("1KiB", 1024), ("2MB", 2 << 20), ("1.5GiB", 3 << 29),
        ("3T", 3 << 40), ("1pb", 1 << 50), ("inf", INF), ("Infinite", INF),
    ],
)  # fmt: skip
def test_sizes_are_read(text, value):
    assert parse_size(text) == value


@pytest.mark.parametrize("text", ["", "x", "-1", "1 XB", "1 kk", "nan", "1e3"])
def test_wrong_sizes_are_refused(text):
    with pytest.raises(ValueError, match=r"is not a number|unknown or unsuitable"):
        parse_size(text)


@pytest.mark.parametrize(
    ("value", "style", "text"),
    [(INF, "mb", "inf"), (20 << 20, "mb", "20 MB"), (1536, "kb", "1.50 KB"), (3 << 30, "auto", "3 GB"),
     (512, "kb", "0.500 KB"), (5, "none", "5"), (7, "b", "7 B")],
)  # fmt: skip
def test_sizes_are_written(value, style, text):
    assert format_size(value, style=style) == text


@given(st.text(min_size=1))
def test_encrypted_values_come_back_only_for_their_purpose(text):
    text = text.encode("utf-8", "ignore").decode() or "x"
    sealed = crypto.encrypt(text, "one")
    assert text == crypto.decrypt(sealed, "one")
    with pytest.raises(crypto.DecryptionError):
        crypto.decrypt(sealed, "another")


def test_passwords_of_the_original_are_read(settings):
    key = settings.SECRET_ENCRYPTION_KEY.encode().ljust(32, b"}")
    encryptor = Cipher(AES(key), CFB8(b"i" * 16)).encryptor()
    sealed = encryptor.update(b"saltSALThidden") + encryptor.finalize()
    stored = (
        f"encrypted:{base64.encodebytes(b'i' * 16).decode()}:saltSALT${base64.encodebytes(sealed).decode()}"
    )
    assert crypto.decrypt(stored, "any") == "hidden"


def test_a_changed_key_is_noticed(settings):
    sealed = crypto.encrypt("hidden", "backend")
    settings.SECRET_ENCRYPTION_KEY = "another"
    with pytest.raises(crypto.DecryptionError):
        crypto.decrypt(sealed, "backend")


def test_tokens_have_the_documented_form():
    token = crypto.new_token()
    assert len(token) == 43
    assert crypto.token_digest(token) != crypto.token_digest(token + "x")


@pytest.mark.parametrize(
    "line",
    [
        "GET /x?X-Auth-Token=abcdef123456",
        "password: hunter2hunter2",
        '{"token": "abcdef123456"}',
        "Secret=abcdef123456",
    ],
)
def test_secrets_do_not_reach_the_log(line):
    record = logging.LogRecord("x", logging.INFO, "f", 1, "%s", (line,), None)
    logs.RequestIdFilter().filter(record)
    text = record.getMessage()
    assert "***" in text
    assert "abcdef123456" not in text
    assert "hunter2hunter2" not in text


def test_user_named_headers_keep_their_underscores_as_dashes_and_others_are_dropped():
    headers = [
        ("X-Image-Meta-Property-ROOT_PARTITION", "1"),
        ("X_Auth_Token", "forged"),
        ("X_Image_Meta_Name", "forged"),
        ("X-Auth-Token", "t"),
    ]
    assert normalise_headers(headers) == [
        ("X-Image-Meta-Property-ROOT-PARTITION", "1"),
        ("X-Auth-Token", "t"),
    ]


def test_command_log_masks_secret_options():
    argv = ["snf-manage", "backend-add", "--pass=hunter2", "--password", "hunter2", "--user", "me"]
    assert masked(argv) == ["snf-manage", "backend-add", "--pass=***", "--password", "***", "--user", "me"]
