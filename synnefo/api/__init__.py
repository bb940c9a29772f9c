"""What every REST dialect is made of: routes, bodies, faults and standard headers."""

from synnefo.api.body import parse_json, read_json, read_object
from synnefo.api.responses import empty_response, fault_response, json_response
from synnefo.api.service import ApiService, request_token, unreadable

__all__ = [
    "ApiService",
    "empty_response",
    "fault_response",
    "json_response",
    "parse_json",
    "read_json",
    "read_object",
    "request_token",
    "unreadable",
]
