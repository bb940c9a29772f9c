"""Settings of sign-up, activation, passwords, terms and mails (identity contract 4, 5)."""

from __future__ import annotations
