"""The time limit of a whole request."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread


def within[T](seconds: float, call: Callable[[], T]) -> T:
    """Return the result of a call in a thread. Raises `TimeoutError` after `seconds`; the thread ends by itself.

    httpx limits the wait for each part of a response, not their sum: headers that drip in would take forever.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised in the caller's thread
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future.result(seconds)
