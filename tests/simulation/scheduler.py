"""Virtual time: one thing happens at a time, in the order of its time, and what waits lets others go first.

An invocation that waits (for Cronofy, for a slow write) is a thread that stands still. Never do two threads run at
once: the one that stands still has given the lead to another, which goes on with the next event. So the same events
give the same month, however many invocations overlap.
"""

import itertools
from collections.abc import Callable
from heapq import heappop, heappush
from threading import Lock, Thread, local

type _Lock = Lock


class Scheduler:
    """The clock of a world, and what is to happen. Times are seconds since 1970."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.on_switch: Callable[[], Callable[[], None]] = lambda: lambda: None
        """Called before an invocation stands still; what it returns is called when it goes on."""
        self._queue: list[tuple[float, int, Callable[[], None] | _Lock]] = []
        self._numbers = itertools.count()
        self._idle: list[_Lock] = []
        self._own = local()
        self._is_done = False
        self._failure: BaseException | None = None
        self._main: _Lock | None = None

    def at(self, when: float, event: Callable[[], None]) -> None:
        """Let something happen at a time, or now if that is past."""
        heappush(self._queue, (max(when, self.now), next(self._numbers), event))

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        self.at(self.now + seconds, event)

    def sleep(self, seconds: float) -> None:
        """Let an invocation wait, while other things happen."""
        until = self.now + max(0.0, seconds)
        if self._is_done or not self._queue or self._queue[0][0] > until:
            self.now = until
            return
        heappush(self._queue, (until, next(self._numbers), self._lock()))
        self._stand_still()

    def waiter(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """Return two functions: the first lets the invocation wait until the second was called."""
        lock, state = self._lock(), {"is_over": False, "is_waiting": False}

        def wait() -> None:
            if not state["is_over"]:
                state["is_waiting"] = True
                self._stand_still()

        def go_on() -> None:
            state["is_over"] = True
            if state["is_waiting"]:
                heappush(self._queue, (self.now, next(self._numbers), lock))

        return wait, go_on

    def run(self) -> None:
        """Let everything happen that is to happen."""
        self._main = self._lock()
        self._is_done = False
        self._lead()
        for idle in self._idle:
            idle.release()
        self._idle.clear()
        if self._failure:
            raise self._failure

    def _lock(self) -> _Lock:
        """Return the lock of this thread; it is held while the thread runs."""
        if not hasattr(self._own, "lock"):
            self._own.lock = Lock()
            self._own.lock.acquire()
        lock: _Lock = self._own.lock
        return lock

    def _stand_still(self) -> None:
        go_on = self.on_switch()
        if self._idle:
            self._idle.pop().release()
        else:
            Thread(target=self._lead, daemon=True).start()
        self._lock().acquire()
        go_on()

    def _lead(self) -> None:
        """Let the next thing happen, again and again, until this thread is no longer needed."""
        lock = self._lock()
        while not self._is_done:
            if not self._queue:
                self._end(lock)
                return
            when, _, event = heappop(self._queue)
            self.now = when
            if callable(event):
                try:
                    event()
                except BaseException as failure:  # noqa: BLE001 - it is raised by `run`
                    self._failure = failure
                    self._end(lock)
                    return
            else:
                self._idle.append(lock)
                event.release()
                lock.acquire()

    def _end(self, lock: _Lock) -> None:
        """End the run. The main thread returns from it; it is idle if another thread has the lead."""
        self._is_done = True
        if self._main is not None and self._main is not lock:
            if self._main in self._idle:
                self._idle.remove(self._main)
            self._main.release()
