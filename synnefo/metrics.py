"""Prometheus metrics shared by all services."""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram

api_responses = Counter("synnefo_api_responses_total", "API answers", ["service", "method", "status"])
request_seconds = Histogram("synnefo_request_seconds", "Time to answer a web request", ["method"])
messages_handled = Counter(
    "synnefo_messages_total", "Messages handled by the dispatcher", ["kind", "outcome"]
)
rapi_requests = Counter("synnefo_rapi_requests_total", "Requests to Ganeti clusters", ["backend", "outcome"])
repair_findings = Counter(
    "synnefo_repair_findings_total", "What the periodic repair of Cyclades found", ["kind", "result"]
)
repair_last_run = Gauge("synnefo_repair_last_run_timestamp_seconds", "When the periodic repair last ended")
backend_available = Gauge("synnefo_backend_available", "1 while a Ganeti cluster answers", ["backend"])


# Finding a metric's child by its labels takes a lock and several copies; each request needs two.


@lru_cache(maxsize=1024)
def _response_counter(service: str, method: str, status: int) -> Counter:
    return api_responses.labels(service, method, str(status))


@lru_cache(maxsize=64)
def _request_timer(method: str) -> Histogram:
    return request_seconds.labels(method)


def count_response(service: str, method: str, status: int) -> None:
    """Count an answer of an API."""
    _response_counter(service, method, status).inc()


def observe_request(method: str, seconds: float) -> None:
    """Note how long a web request took."""
    _request_timer(method).observe(seconds)
