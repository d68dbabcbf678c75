"""Virtual time: what waits lets others go first, and the same events give the same order."""

import pytest

from tests.simulation.scheduler import Scheduler


def test_events_happen_in_the_order_of_their_times() -> None:
    scheduler, seen = Scheduler(0.0), list[tuple[str, float]]()
    for name, when in (("b", 2.0), ("a", 1.0), ("c", 2.0)):
        scheduler.at(when, lambda name=name: seen.append((name, scheduler.now)))  # type: ignore[misc]
    scheduler.run()
    assert seen == [("a", 1.0), ("b", 2.0), ("c", 2.0)]


def test_an_invocation_that_waits_lets_others_go_first() -> None:
    """The first two overlap, and neither waits for the other."""
    scheduler, seen = Scheduler(0.0), list[tuple[str, float]]()

    def wait(name: str, seconds: float) -> None:
        seen.append((f"{name} begins", scheduler.now))
        scheduler.sleep(seconds)
        seen.append((f"{name} ends", scheduler.now))

    scheduler.at(0.0, lambda: wait("a", 5.0))
    scheduler.at(1.0, lambda: wait("b", 9.0))
    scheduler.at(6.0, lambda: wait("c", 1.0))
    scheduler.run()
    assert seen == [
        ("a begins", 0.0),
        ("b begins", 1.0),
        ("a ends", 5.0),
        ("c begins", 6.0),
        ("c ends", 7.0),
        ("b ends", 10.0),
    ]


def test_an_invocation_waits_for_another() -> None:
    scheduler, seen = Scheduler(0.0), list[float]()

    def first() -> None:
        wait, go_on = scheduler.waiter()
        scheduler.after(3.0, go_on)
        wait()
        seen.append(scheduler.now)

    scheduler.at(1.0, first)
    scheduler.run()
    assert seen == [4.0]


def test_an_error_of_any_invocation_ends_the_run() -> None:
    scheduler = Scheduler(0.0)

    def fail() -> None:
        scheduler.sleep(2.0)
        raise ZeroDivisionError

    scheduler.at(0.0, fail)
    scheduler.at(1.0, lambda: scheduler.sleep(5.0))
    with pytest.raises(ZeroDivisionError):
        scheduler.run()
