"""Settings of the Ganeti side (Ganeti contract 13)."""

from __future__ import annotations
