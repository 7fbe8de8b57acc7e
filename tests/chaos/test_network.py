"""The way between the leader and its database: cut, gone silent, restarted."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from aurastream.store.embedded import EmbeddedPostgres, EmbeddedRedis
from aurastream.store.migrate import migrate
from tests.chaos.cluster import Cluster, HeadProcess, running_cluster, wait_until
from tests.chaos.nursery import Nursery
from tests.chaos.proxy import Proxy

pytestmark = pytest.mark.chaos


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    between = Proxy(int(sa.make_url(database_url).port or 5432))
    yield between
    between.close()


def through(proxy: Proxy, database_url: str) -> str:
    url = sa.make_url(database_url).set(host="127.0.0.1", port=proxy.port)
    return url.render_as_string(hide_password=False)


def lost_leadership(head: HeadProcess) -> bool:
    return f"aurastream head {head.pid} ends: " in head.log()


def test_a_leader_whose_network_is_cut_ends_its_ticking_and_comes_back_as_standby(
    cluster: Cluster, database_url: str, proxy: Proxy
) -> None:
    leader, standby = cluster.start_pair(through(proxy, database_url))

    proxy.cut()
    cluster.wait_for_failover(standby)
    wait_until(lambda: lost_leadership(leader), within=60, what=leader.log())
    proxy.restore()

    cluster.wait_for_state(leader, "RUNNING", leads=False)
    cluster.assert_one_acted_at_a_time()


def test_a_leader_whose_network_goes_silent_is_ended_by_its_own_watchdog(
    cluster: Cluster, database_url: str, proxy: Proxy
) -> None:
    leader, standby = cluster.start_pair(through(proxy, database_url))

    proxy.fall_silent()
    cluster.wait_for_failover(standby)
    wait_until(lambda: lost_leadership(leader), within=60, what=leader.log())

    assert "no heartbeat arrived" in leader.log()
    cluster.assert_one_acted_at_a_time()


@pytest.fixture
def own_server(server_directory: Path, tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A Postgres that a test may restart without disturbing others."""
    with EmbeddedPostgres(server_directory / tmp_path.name, durable=False) as server:
        migrate(server.url)
        yield server


def test_a_lone_head_leads_again_when_its_database_was_restarted(
    own_server: EmbeddedPostgres, tmp_path: Path, code_server_port: int, nursery: Nursery
) -> None:
    with running_cluster(Cluster(own_server.url, tmp_path, code_server_port, nursery)) as cluster:
        head = cluster.start_head()
        cluster.wait_for_tick_of(head, within=60)
        before = cluster.leadership()

        own_server.stop()
        wait_until(lambda: lost_leadership(head), within=60, what=head.log())
        own_server.start()

        wait_until(lambda: len(cluster.lives(head)) > 1, within=60, what=head.log())
        cluster.wait_for_state(head, "RUNNING", leads=True)
        cluster.wait_for_tick_of(head, within=60)
        assert cluster.leadership()["epoch"] == before["epoch"] + 1
        assert [life["state"] for life in cluster.lives(head)] == ["RUNNING", "STOPPED"]
        assert "RECOVERING" in head.log()
        cluster.assert_one_acted_at_a_time()


def test_a_standby_comes_through_a_restart_of_the_database_in_one_life(
    own_server: EmbeddedPostgres, tmp_path: Path, code_server_port: int, nursery: Nursery
) -> None:
    with running_cluster(Cluster(own_server.url, tmp_path, code_server_port, nursery)) as cluster:
        leader, standby = cluster.start_pair()

        own_server.stop()
        wait_until(lambda: "RECOVERING" in standby.log(), within=60, what=standby.log())
        own_server.start()

        wait_until(lambda: len(cluster.lives(leader)) > 1, within=60, what=leader.log())
        # The standby is warm; still the former leader, which starts anew, may be first.
        orders = ((standby, leader), (leader, standby))
        first, second = wait_until(
            lambda: next((o for o in orders if cluster.lives(o[0])[0]["is_leader"]), None),
            within=60,
            what=f"a leader:\n{standby.log()}",
        )
        cluster.wait_for_tick_of(first, within=60)
        cluster.wait_for_state(second, "RUNNING", leads=False)
        assert len(cluster.lives(standby)) == 1
        cluster.assert_one_acted_at_a_time()


def test_a_head_is_degraded_while_redis_is_away_and_keeps_ticking(
    cluster: Cluster, server_directory: Path
) -> None:
    with EmbeddedRedis(server_directory / "restarted-redis", durable=False) as redis_server:
        head = cluster.start_head(redis_url=redis_server.url)
        cluster.wait_for_tick_of(head, within=60)

        redis_server.stop()
        degraded = cluster.wait_for_state(head, "DEGRADED", leads=True)
        assert "redis" in degraded["detail"]
        ticks = cluster.ticks_of(degraded["head_id"])
        wait_until(
            lambda: cluster.ticks_of(degraded["head_id"]) > ticks, within=60, what="another tick"
        )
        redis_server.start()
        assert cluster.wait_for_state(head, "RUNNING", leads=True)


def test_a_claimant_paused_between_lock_and_claim_does_not_block_the_others(
    cluster: Cluster, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as paused:
        paused.execute("SELECT pg_advisory_lock(%s, %s)", (0x41757261, 0x48656164))
        head = cluster.start_head()
        cluster.wait_for_tick_of(head, within=60)
        with pytest.raises(psycopg.OperationalError):
            paused.execute("SELECT 1")
