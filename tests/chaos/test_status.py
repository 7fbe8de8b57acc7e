"""The status of a running installation."""

import json
import signal

import pytest

from aurastream.operations.status import read_status
from tests.chaos.cluster import Cluster, wait_until

pytestmark = pytest.mark.chaos


def test_status_names_the_leader_the_standby_the_ticks_and_the_queue(
    cluster: Cluster, database_url: str
) -> None:
    leader, standby = cluster.start_pair()

    # The runs of this cluster are never dequeued, so each tick adds one to the queue.
    status = wait_until(
        lambda: found if (found := read_status(database_url)).queued_runs else None,
        within=60,
        what="a queued run",
    )

    assert status.is_led
    assert status.leader == cluster.lives(leader)[0]["head_id"]
    assert {head.pid: head.is_leader for head in status.heads if head.is_alive} == {
        leader.pid: True,
        standby.pid: False,
    }
    assert {(tick.name, tick.kind) for tick in status.last_ticks} >= {("counting", "sensor")}
    assert status.oldest_queued_s is not None
    assert status.last_tick_at is not None
    assert json.loads(json.dumps(status.as_dict()))["leader"] == status.leader
    text = "\n".join(status.lines())
    assert str(leader.pid) in text
    assert "counting (sensor)" in text


def test_status_says_that_a_killed_lone_leader_is_stale(
    cluster: Cluster, database_url: str
) -> None:
    head = cluster.start_head()
    cluster.wait_for_state(head, "RUNNING", leads=True)
    head.send(signal.SIGKILL)
    head.process.wait()

    status = wait_until(
        lambda: found if not (found := read_status(database_url)).is_led else None,
        within=60,
        what="a stale heartbeat",
    )

    assert status.leader is not None
    assert "STALE" in status.lines()[0]
