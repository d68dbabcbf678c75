"""The product's modules on a virtual clock, in one thread and with chance from a seed."""

import importlib
import inspect
import pkgutil
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, tzinfo
from threading import Thread
from types import ModuleType
from typing import Any, Self
from uuid import UUID, uuid4

import meeting_agents
from tests.simulation.scheduler import Scheduler

_PACKAGES = ("meeting_agents", "functions.")


class _Datetime:
    """Stands for the class `datetime` in a module: only `now` is another."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def __call__(self, *values: Any, **named: Any) -> datetime:
        return datetime(*values, **named)  # noqa: DTZ001 - the product says which

    def __getattr__(self, name: str) -> Any:
        return getattr(datetime, name)

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, datetime)

    def now(self, zone: tzinfo | None = None) -> datetime:
        return datetime.fromtimestamp(self._scheduler.now, zone)


class _Time:
    """Stands for the module `time`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.sleep = scheduler.sleep

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def time(self) -> float:
        return self._scheduler.now

    def monotonic(self) -> float:
        return self._scheduler.now


class _SerialThread:
    """Stands for a thread: it ends before `start` returns."""

    def __init__(self, target: Callable[[], None], *, daemon: bool) -> None:
        self.start = target


class _Pool:
    """Stands for a pool of threads. What is submitted runs beside its caller; `map` is done one after the other."""

    def __init__(self, scheduler: Scheduler, workers: int) -> None:
        self._scheduler = scheduler
        self._free = workers
        self._waiting: list[Callable[[], None]] = []
        self._futures: list[_Result] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def shutdown(self, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            self._waiting.clear()
        for future in self._futures:
            if not (cancel_futures and not future.has_begun):
                future.wait()

    def map[R](self, call: Callable[..., R], *values: Iterable[Any]) -> Iterator[R]:
        return map(call, *values)

    def submit(self, call: Callable[..., Any], *values: Any) -> "_Result":
        result = _Result(self._scheduler)
        self._futures.append(result)
        be_submitter = self._scheduler.on_switch()

        def run() -> None:
            be_other = self._scheduler.on_switch()
            be_submitter()
            result.run(call, *values)
            be_other()
            self._free += 1
            self._start()

        self._waiting.append(run)
        self._start()
        return result

    def _start(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            self._scheduler.after(0.0, self._waiting.pop(0))


class _Result:
    """The future of a call."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._future: Future[Any] = Future()
        self._waiting: list[Callable[[], None]] = []
        self.has_begun = False

    def run(self, call: Callable[..., Any], *values: Any) -> None:
        self.has_begun = True
        try:
            self._future.set_result(call(*values))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is read
            self._future.set_exception(error)
        for go_on in self._waiting:
            go_on()

    def wait(self) -> None:
        if not self._future.done():
            wait, go_on = self._scheduler.waiter()
            self._waiting.append(go_on)
            wait()

    def result(self) -> Any:
        self.wait()
        return self._future.result()


@contextmanager
def virtual_time(scheduler: Scheduler, chance: random.Random) -> Iterator[None]:
    """Let every module of the product that is loaded have this clock and this chance."""
    for found in pkgutil.walk_packages(meeting_agents.__path__, "meeting_agents."):
        importlib.import_module(found.name)  # a module that is loaded later would have the real clock
    clock, sleeper = _Datetime(scheduler), _Time(scheduler)
    replaced: list[tuple[Any, str, Any]] = []
    stands_for: list[tuple[object, Any]] = [
        (datetime, clock),
        (time, sleeper),
        (random, chance),
        (uuid4, lambda: UUID(int=chance.getrandbits(128), version=4)),
        (Thread, _SerialThread),
        (ThreadPoolExecutor, lambda workers: _Pool(scheduler, workers)),
    ]
    defaults = {time.time: sleeper.time, time.monotonic: sleeper.monotonic, time.sleep: sleeper.sleep}
    for module in [m for name, m in sys.modules.items() if name.startswith(_PACKAGES)]:
        for name, value in list(vars(module).items()):
            for original, other in stands_for:
                if value is original:
                    replaced.append((module, name, value))
                    setattr(module, name, other)
        for function in _functions(module):
            if any(default in defaults for default in function.__defaults__ or () if callable(default)):
                replaced.append((function, "__defaults__", function.__defaults__))
                function.__defaults__ = tuple(
                    defaults.get(default, default) if callable(default) else default
                    for default in function.__defaults__
                )
    try:
        yield
    finally:
        for owner, name, value in replaced:
            setattr(owner, name, value)


def _functions(module: ModuleType) -> Iterator[Any]:
    for value in list(vars(module).values()):
        if inspect.isclass(value) and value.__module__ == module.__name__ and inspect.isfunction(value.__init__):
            yield value.__init__
