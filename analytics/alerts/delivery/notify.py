"""Send a message to an address. Only this module talks to messengers and imports Apprise.

Laws:

1. A message counts as sent only if the receiver's server confirmed it: HTTP 2xx, SMTP 250, or
   `errcode` 0 of a chat robot.
2. A try takes at most `timeout_s`. Apprise blocks, so it runs in a thread of its own. The process
   can end while this thread still waits for a server.
3. No log line and no outcome contains the address, because it may contain a password or a key. So
   Apprise's log messages are not written to our log, only searched for an error status.
4. An address has one recipient. With several recipients, a refusal of one of them would cause the
   message to be sent to all of them again and again.

The import of Apprise takes 60 MB of memory, so Apprise is imported only when it is first used.
"""

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import aiohttp

from analytics.alerts.delivery import chat_robots, failure_reasons
from analytics.alerts.delivery.chat_robots import Robot
from analytics.alerts.delivery.retry_plan import Outcome
from jieneng.clock import Clock
from jieneng.metering.errors import Msgid

if TYPE_CHECKING:
    from apprise import NotifyBase

#: Longest duration of a try [s]. Apprise waits up to 15 s for each answer of a mail server, so a
#: slow server has time for some answers.
TIMEOUT_S: Final = 60.0

#: Status in a log message: `error=404` of Apprise for HTTP, `(550, b'...')` of smtplib.
_HTTP_STATUS: Final = re.compile(r"error=(\d{3})\b")
_SMTP_CODE: Final = re.compile(r"\((\d{3}), b['\"]|was refused: (\d{3})\b")
#: Parts of texts of network exceptions, and the reason that each part stands for.
_NETWORK_WORDS: Final = (
    ("certificate", failure_reasons.BAD_CERTIFICATE),
    ("timed out", failure_reasons.NO_ANSWER),
    ("resolve", failure_reasons.UNKNOWN_NAME),
    ("not known", failure_reasons.UNKNOWN_NAME),
    ("call failed", failure_reasons.CONNECTION_REFUSED),
    ("refused", failure_reasons.CONNECTION_REFUSED),
    ("unreachable", failure_reasons.NO_ROUTE),
)

_Result = TypeVar("_Result")


def address_problem(address: str) -> Msgid | None:
    """Return a sentence about the mistake in an address; None if messages can be sent to it."""
    if chat_robots.parse_robot(address) is not None:
        return None
    service = _service(address)
    if service is None:
        return "messages can't be sent to this address."
    if len(service) != 1:
        return "this address has several recipients; make a receiver of each, or use a mail list."
    return None


def holds_secret(address: str) -> bool:
    """Return True if a valid address contains a password, a token or a key."""
    if chat_robots.parse_robot(address) is not None:
        return True
    service = _service(address)
    if service is None:
        return False
    shown: set[str] = {
        service.url(privacy=hides)  # type: ignore[no-untyped-call]  # Apprise has no types for it
        for hides in (True, False)
    }
    return len(shown) > 1


async def send(
    address: str, title: str, body: str, clock: Clock, *, timeout_s: float = TIMEOUT_S
) -> Outcome:
    """Send a message, and return the outcome.

    Args:
        address: address of the receiver.
        title: title in plain text.
        body: body in plain text.
        clock: clock for signatures.
        timeout_s: longest duration [s].
    """
    robot = chat_robots.parse_robot(address)
    try:
        async with asyncio.timeout(timeout_s):
            if robot is not None:
                return await _send_to_robot(robot, title, body, clock)
            return await _in_thread(lambda: _send_by_apprise(address, title, body))
    except TimeoutError:
        return Outcome("unreachable", failure_reasons.NO_ANSWER)


async def _send_to_robot(robot: Robot, title: str, body: str, clock: Clock) -> Outcome:
    url = chat_robots.request_url(robot, clock.now_ms())
    try:
        async with (
            aiohttp.ClientSession(trust_env=True) as session,
            session.post(
                url, json=chat_robots.request_body(robot, title, body), allow_redirects=False
            ) as answer,
        ):
            return chat_robots.judge_answer(answer.status, await answer.content.read(65_536))
    except aiohttp.InvalidURL:
        return Outcome("refused", failure_reasons.BAD_ADDRESS)
    except (aiohttp.ClientError, OSError) as error:
        return Outcome("unreachable", _network_reason(str(error)))


def _send_by_apprise(address: str, title: str, body: str) -> Outcome:
    service = _service(address)
    if service is None or len(service) != 1:
        return Outcome("refused", failure_reasons.BAD_ADDRESS)
    from apprise import NotifyFormat

    # `Apprise.notify` uses a pool of threads, and Python waits for the pool before a process ends.
    with _WORDS.of_this_thread() as words:
        if service.notify(body=body, title=title, body_format=NotifyFormat.TEXT):
            return Outcome("sent")
    return failure_outcome("\n".join(words))


class _Words(logging.Handler):
    """Collects log messages of Apprise by thread; only they contain the reason of a failure."""

    def __init__(self) -> None:
        super().__init__()
        self._threads = threading.local()

    @contextmanager
    def of_this_thread(self) -> Iterator[list[str]]:
        """Collect the messages that this thread logs inside the block."""
        self._threads.words = []
        yield self._threads.words
        self._threads.words = None

    def emit(self, record: logging.LogRecord) -> None:
        words = getattr(self._threads, "words", None)
        if words is not None:
            words.append(record.getMessage())


_WORDS: Final = _Words()


def failure_outcome(words: str) -> Outcome:
    """Return the outcome of a failed message, from Apprise's log messages."""
    if found := _HTTP_STATUS.search(words):
        return chat_robots.http_outcome(int(found[1]))
    if found := _SMTP_CODE.search(words):
        code = found[1] or found[2]
        # RFC 5321, section 4.2.1: a 4yz failure is temporary, a 5yz failure is permanent.
        return Outcome("refused" if code.startswith("5") else "unreachable", f"SMTP {code}")
    return Outcome("unreachable", _network_reason(words))


def _network_reason(words: str) -> str:
    lowered = words.lower()
    return next(
        (reason for word, reason in _NETWORK_WORDS if word in lowered),
        failure_reasons.NO_CONNECTION,
    )


def _service(address: str) -> "NotifyBase | None":
    """Return Apprise's service for an address; None if Apprise does not know it."""
    from apprise import Apprise, AppriseAsset

    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(_WORDS)
    asset = AppriseAsset(app_id="jieneng", app_desc="jieneng", app_url="", secure_logging=True)
    return Apprise.instantiate(address, asset=asset)


async def _in_thread(work: Callable[[], _Result]) -> _Result:
    """Run blocking work in a thread that does not keep the process from ending."""
    done: Future[_Result] = Future()
    done.set_running_or_notify_cancel()  # so that a late result raises no error

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - the thread's outermost frame
            done.set_exception(error)
        else:
            done.set_result(result)

    threading.Thread(target=run, name="notify", daemon=True).start()
    return await asyncio.wrap_future(done)
