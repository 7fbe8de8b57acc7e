"""Two heads on one database: whatever ends the leader, the standby ticks and nobody acts twice."""

import os
import signal

import pytest

from tests.chaos.cluster import Cluster, wait_until

pytestmark = pytest.mark.chaos


def test_a_killed_leader_is_replaced_and_no_tick_makes_two_runs(cluster: Cluster) -> None:
    leader, standby = cluster.start_pair()
    before = cluster.leadership()

    leader.send(signal.SIGKILL)
    cluster.wait_for_failover(standby)

    after = cluster.leadership()
    assert after["epoch"] == before["epoch"] + 1
    assert after["holder"] == cluster.lives(standby)[0]["head_id"]
    cluster.assert_one_acted_at_a_time()


def test_a_paused_leader_that_wakes_up_never_acts_again(cluster: Cluster) -> None:
    leader, standby = cluster.start_pair()
    old_name = cluster.leadership()["holder"]

    leader.send(signal.SIGSTOP)
    cluster.wait_for_failover(standby)
    written = cluster.rows("SELECT count(*) AS n FROM audit.writes WHERE writer = %s", old_name)
    leader.send(signal.SIGCONT)

    # It notices, begins a new life and stands by; its old name wrote nothing any more.
    life = cluster.wait_for_state(leader, "RUNNING", leads=False)
    assert life["head_id"] != old_name
    cluster_ticks = cluster.ticks_of(cluster.leadership()["holder"])
    wait_until(
        lambda: cluster.ticks_of(cluster.leadership()["holder"]) > cluster_ticks,
        within=60,
        what="another tick of the new leader",
    )
    assert written == cluster.rows(
        "SELECT count(*) AS n FROM audit.writes WHERE writer = %s", old_name
    )
    assert cluster.leadership()["holder"] == cluster.lives(standby)[0]["head_id"]
    cluster.assert_one_acted_at_a_time()


def test_a_leader_cut_off_by_the_server_ends_its_ticking_and_stands_by(cluster: Cluster) -> None:
    leader, standby = cluster.start_pair()
    old_name = cluster.leadership()["holder"]

    cluster.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
        old_name,
    )
    cluster.wait_for_failover(standby)

    recovering = cluster.wait_for_state(leader, "RUNNING", leads=False)
    assert recovering["head_id"] != old_name
    assert "RECOVERING" in leader.log()
    cluster.assert_one_acted_at_a_time()


def test_sigterm_hands_over_in_order_to_a_head_started_by_hand(cluster: Cluster) -> None:
    leader, standby = cluster.start_pair(by_hand=True)

    leader.send(signal.SIGTERM)
    cluster.wait_for_failover(standby)

    assert leader.process.wait(timeout=60) == os.EX_OK
    last = cluster.lives(leader)[0]
    assert (last["state"], last["is_leader"], last["detail"]) == (
        "STOPPED",
        False,
        "asked to by SIGTERM",
    )
    cluster.assert_one_acted_at_a_time()


def test_sigterm_stops_a_standby_and_leaves_the_leader_alone(cluster: Cluster) -> None:
    leader, standby = cluster.start_pair()
    before = cluster.leadership()

    standby.send(signal.SIGTERM)

    assert standby.process.wait(timeout=60) == os.EX_OK
    assert cluster.lives(standby)[0]["state"] == "STOPPED"
    assert cluster.leadership()["epoch"] == before["epoch"]
    assert cluster.lives(leader)[0]["is_leader"]
