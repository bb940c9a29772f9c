"""Which cluster a new server goes to (Ganeti contract 1.5)."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections

from cyclades.ganeti import allocator, clients, refresh
from cyclades.ganeti.allocators import DefaultFilter, Demand, FilterAllocator
from cyclades.models import Backend, Flavor, ProjectBackend, VolumeType
from synnefo import clock
from synnefo.errors import ServiceUnavailable
from tests.markers import needs_postgres

pytestmark = [pytest.mark.db, pytest.mark.django_db]

GIB = 1024


@pytest.fixture(autouse=True)
def _cluster(cluster):
    return cluster


@pytest.fixture
def make_backend(db):
    def make(name: str, **values) -> Backend:
        row = {
            "index": Backend.objects.count(),
            "updated": clock.now(),
            "disk_templates": ["plain", "drbd", "ext"],
            "mfree": 64 * GIB,
            "mtotal": 64 * GIB,
            "dfree": 1000 * GIB,
            "dtotal": 1000 * GIB,
            "ctotal": 32,
        }
        return Backend.objects.create(clustername=name, **(row | values))

    return make


def flavor_of(template: str, disk: int = 20) -> Flavor:
    kind, _ = VolumeType.objects.get_or_create(name=template, disk_template=template)
    return Flavor.objects.create(cpu=2, ram=4 * GIB, disk=disk, volume_type=kind)


@pytest.fixture
def plain(db) -> Flavor:
    return flavor_of("plain")


def place(flavor: Flavor, user: str = "user", project: str = "project") -> str:
    return allocator.allocate(user_id=user, project=project, flavor=flavor).clustername


def test_the_least_loaded_backend_wins(make_backend, plain):
    make_backend("busy", mfree=8 * GIB, pinst_cnt=10)
    make_backend("idle")
    assert place(plain) == "idle"


def test_the_winner_pays_for_the_server_at_once(make_backend, plain):
    backend = make_backend("one")
    place(plain)
    backend.refresh_from_db()
    assert (backend.mfree, backend.dfree, backend.pinst_cnt) == (60 * GIB, 980 * GIB, 1)


def test_free_resources_never_become_negative(make_backend, plain):
    backend = make_backend("full", mfree=1, dfree=1)
    place(plain)
    backend.refresh_from_db()
    assert (backend.mfree, backend.dfree) == (0, 0)


def test_drbd_needs_its_disk_twice(make_backend):
    backend = make_backend("one")
    place(flavor_of("drbd"))
    backend.refresh_from_db()
    assert backend.dfree == 960 * GIB


@pytest.mark.parametrize("values", [{"drained": True}, {"offline": True}])
def test_drained_and_offline_backends_get_nothing(make_backend, plain, values):
    make_backend("closed", **values)
    with pytest.raises(ServiceUnavailable, match="No available backends"):
        place(plain)


def test_a_backend_without_cpus_does_not_fit(make_backend, plain):
    make_backend("empty", ctotal=0)
    make_backend("other", mfree=5 * GIB)
    assert place(plain) == "other"


def test_a_backend_without_cpus_is_better_than_none(make_backend, plain):
    make_backend("empty", ctotal=0)
    assert place(plain) == "empty"


def test_when_all_are_full_the_figures_are_not_believed(make_backend, plain):
    make_backend("full-1", mfree=10)
    make_backend("full-2", mfree=20)
    assert place(plain) == "full-2"


def test_room_means_more_than_the_demand(make_backend):
    exact = make_backend("exact", mfree=4 * GIB)
    demand = Demand(ram=4 * GIB, disk=GIB, cpu=1, project="p")
    other = make_backend("other", mfree=4 * GIB + 1)
    assert DefaultFilter().filter_backends([exact, other], demand) == [other]


def test_a_private_backend_is_for_its_projects_only(make_backend, plain):
    private = make_backend("private", public=False)
    make_backend("public", mfree=5 * GIB)
    ProjectBackend.objects.create(project="physics", backend=private)
    assert place(plain, project="physics") == "private"
    assert place(plain, project="chemistry") == "public"


def test_a_project_with_a_backend_of_its_own_uses_no_other(make_backend, plain):
    reserved = make_backend("reserved", drained=True)
    make_backend("public")
    ProjectBackend.objects.create(project="physics", backend=reserved)
    with pytest.raises(ServiceUnavailable):
        place(plain, project="physics")


@pytest.mark.parametrize(
    ("offered", "wanted", "fits"),
    [(["ext"], "ext_vlmc", True), (["plain"], "ext_vlmc", False), (["ext"], "plain", False)],
)
def test_the_disk_template_must_be_offered(make_backend, offered, wanted, fits):
    make_backend("one", disk_templates=offered)
    flavor = flavor_of(wanted)
    if fits:
        assert place(flavor) == "one"
    else:
        with pytest.raises(ServiceUnavailable):
            place(flavor)


def test_unknown_templates_are_asked_for(make_backend, plain, cluster):
    backend = make_backend("one", disk_templates=[])
    assert place(plain) == "one"
    backend.refresh_from_db()
    assert backend.disk_templates == ["plain", "drbd"]


@pytest.mark.parametrize("by_name", [True, False])
def test_a_users_own_backend_knows_no_limits(make_backend, plain, settings, by_name):
    backend = make_backend("own", drained=True, mfree=7)
    settings.BACKEND_PER_USER = {"vip": "own" if by_name else backend.pk}
    assert place(plain, user="vip") == "own"
    backend.refresh_from_db()
    assert backend.mfree == 7


def test_an_unknown_backend_of_a_user_is_ignored(make_backend, plain, settings):
    make_backend("one")
    settings.BACKEND_PER_USER = {"vip": "gone"}
    assert place(plain, user="vip") == "one"


def test_nobody_waits_for_old_figures_while_others_are_fresh(make_backend, plain, cluster, settings):
    old = clock.now() - timedelta(minutes=settings.BACKEND_REFRESH_MIN + 1)
    make_backend("old", updated=old)
    make_backend("fresh", mfree=5 * GIB)
    assert place(plain) == "fresh"
    assert cluster.methods() == []


def test_old_figures_are_read_again_and_the_cluster_that_fails_left_out(
    make_backend, plain, cluster, settings
):
    old = clock.now() - timedelta(minutes=settings.BACKEND_REFRESH_MIN + 1)
    make_backend("one", updated=old)
    make_backend("other", updated=old)

    def fail_once(method: str) -> None:
        if len(cluster.calls) == 1:
            raise clients.RapiUnavailable("connection refused")

    cluster.before_call = fail_once
    assert place(plain) == "other"
    assert cluster.methods() == ["GetNodes", "GetNodes"]


def test_ganeti_is_asked_without_locks(make_backend, plain, cluster):
    from django.db import connection

    make_backend("old", updated=clock.now() - timedelta(days=1))
    outside = len(connection.savepoint_ids)
    depths = []
    cluster.before_call = lambda _: depths.append(len(connection.savepoint_ids))
    place(plain)
    assert depths == [outside]


def test_a_site_may_bring_its_own_strategy(make_backend, plain, settings):
    make_backend("a-small", mfree=8 * GIB)
    make_backend("b-big")
    settings.BACKEND_ALLOCATOR_MODULE = f"{__name__}.Fullest"
    assert place(plain) == "a-small"


class Fullest(FilterAllocator):
    """Fills one cluster before the next."""

    def allocate(self, backends, demand):
        return max(backends, key=self.score)


def test_the_score_weighs_cpu_against_memory_and_disk():
    backend = Backend(mfree=50, mtotal=100, dfree=75, dtotal=100, pinst_cnt=2, ctotal=8)
    assert FilterAllocator.score(backend) == pytest.approx(0.5 * 12 / 24 + 0.5 * (0.5 + 0.25))
    assert FilterAllocator.score(Backend()) == 0.5


@pytest.mark.parametrize(
    ("info", "templates"),
    [
        ({"enabled_disk_templates": ["b", "a"], "ipolicy": {"disk-templates": ["a", "b", "c"]}}, ["b", "a"]),
        ({"ipolicy": {"disk-templates": ["a", "c"]}}, ["a", "c"]),
        ({"enabled_disk_templates": ["a"], "ipolicy": {}}, []),
    ],
)
def test_templates_must_be_enabled_and_allowed(info, templates):
    assert refresh.usable_templates(info) == templates


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_placements_at_the_same_time_all_count(make_backend, plain):
    backends = [make_backend("a"), make_backend("b")]
    failures = []

    def run() -> None:
        try:
            place(plain)
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=180)
    assert failures == []
    for backend in backends:
        backend.refresh_from_db()
    assert sorted(backend.pinst_cnt for backend in backends) == [8, 8]
    assert sum(backend.mfree for backend in backends) == (128 - 64) * GIB
