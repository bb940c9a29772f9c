"""Strategies that choose a cluster for a new server; a site may name its own (Ganeti contract 1.5)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils.module_loading import import_string

from cyclades.models import Backend, ProjectBackend

#: Assumed virtual CPUs of a server and virtual CPUs per core: the ratio the filter and score work with.
_CPUS_PER_SERVER = 4
_CPUS_PER_CORE = 3


@dataclass(frozen=True)
class Demand:
    """What a new server needs: memory and disk in MiB, and the project that pays."""

    ram: int
    disk: int
    cpu: int
    project: str


class FilterBase(ABC):
    """Takes unsuitable backends away."""

    @abstractmethod
    def filter_backends(self, backends: Sequence[Backend], demand: Demand) -> Sequence[Backend]:
        """Return those of *backends* that suit *demand*; rows are not locked and must not be written."""


class AllocatorBase(ABC):
    """Chooses one backend, in two steps: before and after the candidates are locked."""

    @abstractmethod
    def filter_backends(self, backends: Sequence[Backend], demand: Demand) -> Sequence[Backend]:
        """Return those of *backends* that suit *demand*; rows are not locked."""

    @abstractmethod
    def allocate(self, backends: Sequence[Backend], demand: Demand) -> Backend:
        """Return the best of *backends* (at least one, all locked)."""


def cpu_load(backend: Backend) -> float:
    """Return how full the CPUs would be with one more server; full when there are none."""
    if backend.ctotal == 0:
        return 1.0
    return (backend.pinst_cnt + 1) * _CPUS_PER_SERVER / (backend.ctotal * _CPUS_PER_CORE)


class ProjectBackendsFilter(FilterBase):
    """Keeps the backends reserved for the project, or the public ones when none is."""

    def filter_backends(self, backends: Sequence[Backend], demand: Demand) -> Sequence[Backend]:
        """Return the intersection with the project's own backends, private or not."""
        reserved = set(
            ProjectBackend.objects.filter(project=demand.project).values_list("backend_id", flat=True)
        )
        if reserved:
            return [backend for backend in backends if backend.pk in reserved]
        return [backend for backend in backends if backend.public]


class DefaultFilter(FilterBase):
    """Keeps the backends with room; all of them when none has, because the figures are approximate."""

    def filter_backends(self, backends: Sequence[Backend], demand: Demand) -> Sequence[Backend]:
        """Return the backends whose free memory, disk and CPUs exceed the demand."""
        fitting = [
            backend
            for backend in backends
            if backend.ctotal > 0
            and backend.dfree > demand.disk
            and backend.mfree > demand.ram
            and cpu_load(backend) < 1
        ]
        return fitting or backends


class FilterAllocator(AllocatorBase):
    """Applies the configured filters, then takes the least loaded backend."""

    def filter_backends(self, backends: Sequence[Backend], demand: Demand) -> Sequence[Backend]:
        """Return what every filter of ``BACKEND_FILTER_ALLOCATOR_FILTERS`` leaves."""
        for path in settings.BACKEND_FILTER_ALLOCATOR_FILTERS:
            if not backends:
                break
            chosen: FilterBase = import_string(path)()
            backends = chosen.filter_backends(backends, demand)
        return backends

    def allocate(self, backends: Sequence[Backend], demand: Demand) -> Backend:
        """Return the backend with the lowest load of CPU against memory and disk."""
        return min(backends, key=lambda backend: (self.score(backend), backend.pk))

    @staticmethod
    def score(backend: Backend) -> float:
        """Return the load of *backend*: 0 is idle."""
        memory = 1 - backend.mfree / backend.mtotal if backend.mtotal else 0.0
        disk = 1 - backend.dfree / backend.dtotal if backend.dtotal else 0.0
        return 0.5 * cpu_load(backend) + 0.5 * (memory + disk)
