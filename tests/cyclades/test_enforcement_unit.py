"""Which servers, volumes and addresses enforcement chooses, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cyclades.logic.enforcement_plan import (
    AddressFacts,
    Holding,
    Options,
    ServerFacts,
    Stock,
    VolumeFacts,
    amount_of,
    plan,
)

pytestmark = pytest.mark.unit

USER, PROJECT = "u", "p"


def server(pk: int, state: str = "STARTED", cpu: int = 1, ram: int = 1024, **values) -> ServerFacts:
    return ServerFacts(
        **({"user": USER, "project": PROJECT, "backend": 1} | values), id=pk, state=state, cpu=cpu, ram=ram
    )


def volume(pk: int, status: str = "IN_USE", size: int = 10, server: int | None = None, index: int | None = 0):
    return VolumeFacts(pk, USER, PROJECT, status, size, server, index)


def over(resource: str, by: int, *, user: str | None = USER) -> Holding:
    return Holding(user, PROJECT, resource, 100, 100 + by)


def chosen(holdings, stock: Stock, **options) -> list[tuple[str, int, str]]:
    return [(str(a.kind), a.id, str(a.action)) for a in plan(holdings, stock, Options(**options)).actions]


def test_nothing_is_chosen_below_the_limit():
    found = plan([over("cyclades.vm", 0), over("cyclades.cpu", -5)], Stock(servers=[server(1)]), Options())
    assert (found.violations, found.actions) == ([], [])


def test_the_newest_running_servers_are_shut_down_until_it_is_enough():
    stock = Stock(servers=[server(n, cpu=2) for n in (1, 2, 3)])
    assert chosen([over("cyclades.cpu", 3)], stock) == [("vm", 3, "SHUTDOWN"), ("vm", 2, "SHUTDOWN")]


def test_stopped_servers_give_no_active_cpu_back():
    stock = Stock(servers=[server(1), server(2, "STOPPED")])
    assert chosen([over("cyclades.cpu", 1)], stock) == [("vm", 1, "SHUTDOWN")]


def test_failed_servers_are_removed_where_others_are_shut_down():
    stock = Stock(servers=[server(1, "ERROR"), server(2)])
    assert chosen([over("cyclades.ram", 2 << 30)], stock) == [("vm", 1, "REMOVE"), ("vm", 2, "SHUTDOWN")]


def test_servers_go_by_state_and_then_by_age():
    states = {1: "STARTED", 2: "STOPPED", 3: "BUILD", 4: "ERROR", 5: "STARTED", 6: "RESIZE"}
    stock = Stock(servers=[server(pk, state) for pk, state in states.items()])
    assert [pk for _, pk, _ in chosen([over("cyclades.vm", 6)], stock)] == [4, 3, 2, 6, 5, 1]


def test_a_softly_enforced_count_takes_stopped_servers_as_given_back():
    stock = Stock(servers=[server(1), server(2, "STOPPED"), server(3)])
    found = plan([over("cyclades.vm", 2)], stock, Options(soft=frozenset({"cyclades.vm"})))
    assert [(a.id, a.action) for a in found.actions] == [(3, "SHUTDOWN")]


def test_deletion_overrides_shutting_down():
    stock = Stock(servers=[server(1)])
    found = plan([over("cyclades.cpu", 1), over("cyclades.vm", 1)], stock, Options())
    assert [(a.id, a.action, a.violation) for a in found.actions] == [(1, "REMOVE", 2)]


def test_a_shut_down_server_is_not_asked_for_twice():
    stock = Stock(servers=[server(1)])
    found = plan([over("cyclades.cpu", 1), over("cyclades.ram", 1)], stock, Options())
    assert [(a.id, a.action, a.violation) for a in found.actions] == [(1, "SHUTDOWN", 1)]


def test_servers_with_further_volumes_need_cascading():
    stock = Stock(servers=[server(1)], volumes=[volume(1, server=1), volume(2, server=1, index=1)])
    found = plan([over("cyclades.vm", 1)], stock, Options())
    assert (found.actions, found.violations[0].unresolved) == ([], 1)
    assert chosen([over("cyclades.vm", 1)], stock, cascade_remove=True) == [
        ("vm", 1, "REMOVE"),
        ("volume", 1, "REMOVE"),
        ("volume", 2, "REMOVE"),
    ]


def test_volumes_go_by_status():
    statuses = {1: "IN_USE", 2: "DETACHING", 3: "AVAILABLE", 4: "CREATING", 5: "ERROR_DELETING", 6: "ERROR"}
    stock = Stock(volumes=[volume(pk, status, index=None) for pk, status in statuses.items()])
    removed = [pk for _, pk, _ in chosen([over("cyclades.disk", 60 << 30)], stock)]
    assert removed == [6, 5, 4, 3, 2, 1]


def test_system_volumes_need_an_option_and_take_their_server_along():
    stock = Stock(servers=[server(1)], volumes=[volume(1, server=1)])
    assert chosen([over("cyclades.disk", 1)], stock) == []
    assert chosen([over("cyclades.disk", 1)], stock, remove_system_volumes=True) == [
        ("vm", 1, "REMOVE"),
        ("volume", 1, "REMOVE"),
    ]


def test_volumes_that_go_anyway_count_first():
    stock = Stock(
        servers=[server(1)], volumes=[volume(1, server=1, size=10), volume(2, "AVAILABLE", 10, None, None)]
    )
    wanted = [over("cyclades.vm", 1), over("cyclades.disk", 5 << 30)]
    assert chosen(wanted, stock) == [("vm", 1, "REMOVE"), ("volume", 1, "REMOVE")]


def test_free_addresses_go_first_and_then_those_of_servers_that_go():
    stock = Stock(
        servers=[server(1), server(2, "ERROR"), server(3, "STOPPED")],
        addresses=[AddressFacts(n, USER, PROJECT, n, False) for n in (1, 2, 3)]
        + [AddressFacts(4, USER, PROJECT, None, True)],
    )
    assert [pk for _, pk, _ in chosen([over("cyclades.floating_ip", 4)], stock)] == [4, 2, 3, 1]
    both = [over("cyclades.cpu", 2), over("cyclades.floating_ip", 2)]
    assert chosen(both, stock)[:2] == [("floating_ip", 4, "REMOVE"), ("floating_ip", 2, "REMOVE")]


def test_softly_enforced_addresses_are_only_detached():
    stock = Stock(
        servers=[server(1)],
        addresses=[AddressFacts(1, USER, PROJECT, 1, False), AddressFacts(2, USER, PROJECT, None, True)],
    )
    soft = frozenset({"cyclades.floating_ip"})
    assert chosen([over("cyclades.floating_ip", 2)], stock, soft=soft) == [("floating_ip", 1, "DETACH")]


def test_projects_come_before_users_and_one_server_serves_both():
    stock = Stock(servers=[server(1, user="a"), server(2, user="b")])
    wanted = [over("cyclades.cpu", 1, user="a"), over("cyclades.cpu", 1, user=None)]
    found = plan(wanted, stock, Options())
    assert [v.holding.user for v in found.violations] == [None, "a"]
    assert [(a.id, a.violation) for a in found.actions] == [(2, 1), (1, 2)]


_LEVEL = {"ERROR": 0, "BUILD": 1, "STOPPED": 2, "STARTED": 3, "RESIZE": 3}
_SERVERS = st.lists(
    st.builds(
        server,
        st.integers(1, 12),
        state=st.sampled_from(sorted(_LEVEL)),
        cpu=st.integers(1, 4),
        user=st.sampled_from("ab"),
    ),
    max_size=8,
    unique_by=lambda item: item.id,
)


#: A loaded machine is no reason to fail.
_PATIENT = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_PATIENT
@given(servers=_SERVERS, excess=st.integers(1, 12), resource=st.sampled_from(["cpu", "total_cpu", "vm"]))
def test_what_is_chosen_is_the_shortest_sufficient_begin_of_the_order(servers, excess, resource):
    """The model: sort what may be chosen, take from the front until the excess is gone."""
    name = f"cyclades.{resource}"
    eligible = [s for s in servers if resource != "cpu" or s.state in ("STARTED", "BUILD", "ERROR")]
    expected, left = [], excess
    for item in sorted(eligible, key=lambda s: (_LEVEL[s.state], -s.id)):
        if left < 1:
            break
        expected.append(item.id)
        left -= amount_of(item, name)
    found = plan([over(name, excess, user=None)], Stock(servers=servers), Options())
    assert [action.id for action in found.actions] == expected
    assert found.violations[0].unresolved == max(0, left)


@_PATIENT
@given(
    servers=_SERVERS,
    excesses=st.dictionaries(
        st.tuples(
            st.sampled_from([None, "a", "b"]),
            st.sampled_from(["cyclades.cpu", "cyclades.vm", "cyclades.total_cpu"]),
        ),
        st.integers(1, 9),
    ),
)
def test_several_limits_hold_after_the_actions(servers, excesses):
    """What was resolved is resolved by the actions together, and nobody loses anything for nothing."""
    holdings = [over(resource, by, user=user) for (user, resource), by in excesses.items()]
    found = plan(holdings, Stock(servers=servers), Options())
    actions = {action.id: action.action for action in found.actions}
    assert len(actions) == len(found.actions)
    for violation in found.violations:
        holding = violation.holding
        freed = sum(
            amount_of(item, holding.resource)
            for item in servers
            if holding.user in (None, item.user)
            and item.id in actions
            and (holding.resource == "cyclades.cpu" or actions[item.id] == "REMOVE")
        )
        assert freed + violation.unresolved >= holding.usage - holding.limit
    assert found.violations or not found.actions
