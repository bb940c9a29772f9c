"""Every benchmark by name, in the order in which they run."""

from __future__ import annotations

from tests.benchmarks import lines_compute, lines_identity, lines_many, lines_objects, lines_swift
from tests.benchmarks.line import Bench

BENCHES: dict[str, Bench] = {
    "tokens": lines_identity.tokens,
    "servers": lines_compute.servers,
    "commissions": lines_identity.commissions,
    "quotas": lines_identity.quotas,
    "small-objects": lines_objects.small_objects,
    "large-objects": lines_objects.large_objects,
    "hashmap": lines_objects.hashmap_upload,
    "listings": lines_objects.listings,
    "many-objects": lines_many.many_objects,
    "folders": lines_many.folders,
    "memory": lines_many.memory,
    "swift": lines_swift.swift,
    "dispatcher": lines_compute.dispatcher,
    "scale": lines_compute.scale,
    "server-creation": lines_compute.server_creation,
}
#: What needs no servers, objects and holdings beforehand.
ON_EMPTY_SITE = frozenset({"tokens", "small-objects", "large-objects", "hashmap", "swift"})
