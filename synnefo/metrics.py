"""Prometheus metrics shared by all services."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

api_responses = Counter("synnefo_api_responses_total", "API answers", ["service", "method", "status"])
request_seconds = Histogram("synnefo_request_seconds", "Time to answer a web request", ["method"])
messages_handled = Counter(
    "synnefo_messages_total", "Messages handled by the dispatcher", ["kind", "outcome"]
)
rapi_requests = Counter("synnefo_rapi_requests_total", "Requests to Ganeti clusters", ["backend", "outcome"])
backend_available = Gauge("synnefo_backend_available", "1 while a Ganeti cluster answers", ["backend"])
