"""Playing recorded facts against our API: status, header names, JSON keys and their types.

A fact says what the original answered to a request; answers may have more than it names. What we answer
otherwise on purpose stands in the test module's ``DIFFERENCES`` with its reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.test import Client

#: Fact id -> (what replaces parts of the fact, why we differ).
Differences = Mapping[str, tuple[Mapping[str, Any], str]]


def load(name: str) -> list[dict[str, Any]]:
    """Return the facts of ``tests/data/<name>_recorded.json`` in the order they were seen."""
    path = Path(__file__).parent / "data" / f"{name}_recorded.json"
    facts: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return facts


def play(client: Client, fact: Mapping[str, Any], names: Mapping[str, object]) -> list[str]:
    """Send a fact's request with its placeholders filled and return what is wrong with the answer."""

    def filled(text: str) -> str:
        for name, value in names.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    headers = {name: filled(value) for name, value in fact["request"].items()}
    content_type = next((headers.pop(name) for name in list(headers) if name.lower() == "content-type"), "")
    answer = client.generic(
        fact["method"], filled(fact["path"]), data=filled(fact.get("body", "")).encode(),
        content_type=content_type, headers=headers,
    )  # fmt: skip
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    problems = []
    if answer.status_code != fact["status"]:
        problems.append(f"status {answer.status_code} instead of {fact['status']}: {body[:200]!r}")
    present = {name.lower() for name in answer.headers}
    problems += [f"header {name} is missing" for name in map(filled, fact["headers"]) if name not in present]
    if "shape" in fact:
        shape = json.loads(filled(json.dumps(fact["shape"])))
        try:
            problems += mismatches(shape, json.loads(body), "")
        except ValueError:
            problems.append(f"not JSON: {body[:100]!r}")
    return problems


def mismatches(shape: Any, value: Any, path: str) -> Iterator[str] | list[str]:
    """Return where *value* lacks a key or has another type than *shape*."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{path or 'body'} is no object"]
        missing = [f"{path}.{key} is missing" for key in shape if key not in value]
        inner = (mismatches(shape[key], value[key], f"{path}.{key}") for key in shape if key in value)
        return missing + [problem for problems in inner for problem in problems]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{path or 'body'} is no list"]
        return list(mismatches(shape[0], value[0], f"{path}[]")) if shape and value else []
    if "null" in (shape, kind_of(value)) or shape == kind_of(value):
        return []
    return [f"{path} is {kind_of(value)} instead of {shape}"]


def kind_of(value: Any) -> str:
    """Return the name of a JSON value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else type(value).__name__
