import doctest
from itertools import pairwise

import pytest

from aurastream.operations import states
from aurastream.operations.dependencies import DependencyMonitor
from aurastream.operations.errors import HeadError
from aurastream.operations.states import HeadState, StateBoard, StateReport


def test_the_examples_hold() -> None:
    assert doctest.testmod(states).failed == 0


def test_there_are_six_states() -> None:
    assert [state.value for state in HeadState] == [
        "INITIALIZING",
        "RUNNING",
        "DEGRADED",
        "RECOVERING",
        "STOPPING",
        "STOPPED",
    ]


@pytest.mark.parametrize(
    "way",
    [
        ["INITIALIZING", "RUNNING", "DEGRADED", "RUNNING", "STOPPING", "STOPPED"],
        ["INITIALIZING", "RECOVERING", "RUNNING", "RECOVERING", "STOPPING", "STOPPED"],
        ["INITIALIZING", "STOPPING", "STOPPED"],
    ],
)
def test_a_head_can_go_this_way(way: list[str]) -> None:
    board = StateBoard()
    for _, state in pairwise(way):
        assert board.advance(HeadState(state), "because")
    assert board.report() == StateReport(HeadState(way[-1]), "because")


def test_a_running_head_cannot_be_initializing_again() -> None:
    board = StateBoard()
    board.advance(HeadState.RUNNING, "")
    with pytest.raises(HeadError, match="from RUNNING to INITIALIZING"):
        board.advance(HeadState.INITIALIZING, "")


def test_a_stopping_head_keeps_stopping() -> None:
    board = StateBoard()
    board.advance(HeadState.STOPPING, "asked to")
    assert not board.advance(HeadState.RUNNING, "leading")
    assert board.report() == StateReport(HeadState.STOPPING, "asked to")


def test_every_absent_dependency_is_named() -> None:
    board = StateBoard()
    board.advance(HeadState.RUNNING, "standby")
    board.dependency_failed("redis", "refused")
    board.dependency_failed("mail", "timeout")
    assert board.report() == StateReport(HeadState.DEGRADED, "mail: timeout; redis: refused")


def test_an_absent_dependency_does_not_hide_that_the_head_stops() -> None:
    board = StateBoard()
    board.dependency_failed("redis", "refused")
    board.advance(HeadState.STOPPING, "asked to")
    assert board.report().state is HeadState.STOPPING


def test_the_monitor_notes_absence_and_return() -> None:
    board = StateBoard()
    board.advance(HeadState.RUNNING, "standby")
    failures: list[Exception] = [ConnectionError("refused")]

    def probe() -> None:
        if failures:
            raise failures.pop()

    monitor = DependencyMonitor(board, {"redis": probe})
    monitor.probe_once()
    assert board.report() == StateReport(HeadState.DEGRADED, "redis: refused")
    monitor.probe_once()
    assert board.report() == StateReport(HeadState.RUNNING, "standby")
