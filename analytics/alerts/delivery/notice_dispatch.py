"""Send due notices from the outbox to their receivers, until cancelled.

Laws:

1. Receivers are served concurrently: a receiver that is slow or down delays no other receiver.
2. If a message can't reach its receiver, no further message is sent to this receiver until the next
   try, because it would fail too.
3. A fault of a receiver is logged once when it begins and once when it ends. Each notice that is
   given up is logged.
4. An error with one receiver, or with the text of one notice, never ends the service.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from analytics.alerts.alert import Notice
from analytics.alerts.alert_rule import AlertRules, Receiver
from analytics.alerts.delivery import failure_reasons, notify
from analytics.alerts.delivery.notice_outbox import NoticeOutbox
from analytics.alerts.delivery.outbox_entry import OutboxEntry, messages
from analytics.alerts.delivery.receiver_address import receiver_address
from analytics.alerts.delivery.retry_plan import Outcome, after_failure
from analytics.alerts.texts.notice_text import NoticeText, digest_text, notice_text
from jieneng.clock import Clock
from jieneng.locale import translator
from jieneng.locale.finding_text import labels
from jieneng.metering.errors import OutboxUnavailable, UsageError
from jieneng.metering.site import Site
from jieneng.observe import Log, LoggedFault

#: Interval at which the outbox is read for due entries [s].
_POLL_S: Final = 5.0
#: Greatest number of messages to one receiver within `_PAUSE_MS`: chat robots accept 20 a minute.
_MAX_MESSAGES: Final = 10
_PAUSE_MS: Final = 60_000
#: Time after which another process may take an entry [ms]; longer than a try.
_LEASE_MS: Final = round(notify.TIMEOUT_S * 1000) + 60_000
#: Refusals in a row after which no more is sent until the next try. A single refusal may be caused
#: by the message.
_MAX_REFUSALS: Final = 2
_PRUNE_MS: Final = 86_400_000


class NoticeDispatch:
    """Delivers the notices of an outbox.

    Args:
        outbox: the outbox.
        site: the site.
        folder: folder of the site; it contains the files with addresses.
        clock: clock for due times and signatures.
        log: logger of the service.
        on_result: called after each message, with receiver, kind of the outcome and number of
            notices.
    """

    def __init__(
        self,
        outbox: NoticeOutbox,
        site: Site,
        folder: Path,
        clock: Clock,
        log: Log,
        on_result: Callable[[str, str, int], None] = lambda *_: None,
    ) -> None:
        self._outbox = outbox
        self._site = site
        self._folder = folder
        self._clock = clock
        self._log = log
        self._on_result = on_result
        self._rules = AlertRules(rules=())
        self._labels = labels(site)
        self._woken = asyncio.Event()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._faults: dict[str, LoggedFault] = {}
        self._outbox_fault = LoggedFault(log, "outbox can't be read")
        self._pruned_ms = 0

    def use(self, rules: AlertRules) -> None:
        """Use the receivers and texts of these rules from now on."""
        self._rules = rules

    def wake(self) -> None:
        """Read the outbox at once, without waiting for the next interval."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                await self.deliver_due()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_POLL_S):
                        await self._woken.wait()
                self._woken.clear()
        finally:
            for task in self._busy.values():
                task.cancel()

    async def deliver_due(self) -> None:
        """Start to send the due entries of each receiver that is not being served already."""
        now_ms = self._clock.now_ms()
        try:
            due = await asyncio.to_thread(self._outbox.take, now_ms, _LEASE_MS, tuple(self._busy))
            if now_ms - self._pruned_ms > _PRUNE_MS and due:
                await asyncio.to_thread(self._outbox.prune, now_ms)
                self._pruned_ms = now_ms
        except OutboxUnavailable as error:
            self._outbox_fault.report(error)
            return
        self._outbox_fault.clear()
        for receiver in dict.fromkeys(entry.queued.receiver for entry in due):
            of_receiver = [entry for entry in due if entry.queued.receiver == receiver]
            task = asyncio.create_task(self._serve(receiver, of_receiver))
            self._busy[receiver] = task
            task.add_done_callback(partial(self._done, receiver))

    def _done(self, receiver: str, task: asyncio.Task[None]) -> None:
        """Mark a receiver as not served; after an unexpected error its entries stay leased."""
        self._busy.pop(receiver, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("delivery failed", receiver=receiver, error=repr(error))

    async def idle(self) -> None:
        """Wait until no message is being sent."""
        while self._busy:
            await asyncio.wait(self._busy.values())

    async def _serve(self, receiver: str, entries: Sequence[OutboxEntry]) -> None:
        """Send the messages of a receiver until one can't be delivered, and record each outcome."""
        refusals, waiting = 0, messages(entries)
        try:
            for number, message in enumerate(waiting):
                if number:
                    await self._in_thread(
                        self._outbox.renew, message, self._clock.now_ms() + _LEASE_MS
                    )
                outcome = await self._send(receiver, message)
                now_ms = self._clock.now_ms()
                await self._in_thread(self._outbox.settle, message, outcome, now_ms)
                self._report(receiver, message, outcome, now_ms)
                refusals = refusals + 1 if outcome.kind == "refused" else 0
                next_ms = now_ms + _PAUSE_MS
                if outcome.kind == "sent":
                    goes_on = number + 1 < _MAX_MESSAGES
                else:
                    goes_on = 0 < refusals < _MAX_REFUSALS
                    next_ms = after_failure(message[0].retry, outcome, now_ms)[1] or next_ms
                if not goes_on:
                    left = [entry for later in waiting[number + 1 :] for entry in later]
                    await self._in_thread(self._outbox.release, left, next_ms)
                    return
        except OutboxUnavailable as error:
            # The lease expires, and messages whose outcome was not recorded are sent again.
            self._outbox_fault.report(error)

    async def _in_thread(self, work: Callable[..., None], *arguments: object) -> None:
        await asyncio.to_thread(work, *arguments)

    async def _send(self, receiver_id: str, message: Sequence[OutboxEntry]) -> Outcome:
        receiver = next((one for one in self._rules.receivers if one.id == receiver_id), None)
        if receiver is None:
            return Outcome("refused", failure_reasons.NO_RECEIVER)
        try:
            address = await asyncio.to_thread(receiver_address, receiver, self._folder)
        except UsageError:
            return Outcome("refused", failure_reasons.NO_ADDRESS)
        try:
            text = self.text([entry.queued.notice for entry in message], receiver)
            return await notify.send(address, text.title, text.body, self._clock)
        except Exception as error:  # noqa: BLE001 - a library's fault must not end the service
            self._log.error("sending failed", receiver=receiver_id, error=type(error).__name__)
            return Outcome("unreachable", type(error).__name__)

    def text(self, notices: Sequence[Notice], receiver: Receiver) -> NoticeText:
        """Return the text of notices in a receiver's language."""
        translate = translator(receiver.language or self._site.site.language)
        if len(notices) == 1:
            return notice_text(notices[0], self._rules, translate, self._labels)
        return digest_text(notices, self._rules, translate, self._labels)

    def _report(
        self, receiver: str, message: Sequence[OutboxEntry], outcome: Outcome, now_ms: int
    ) -> None:
        self._on_result(receiver, outcome.kind, len(message))
        fault = self._faults.setdefault(
            receiver, LoggedFault(self._log, "notices can't be delivered", receiver=receiver)
        )
        if outcome.kind == "sent":
            fault.clear()
            return
        fault.report(outcome.reason)
        for entry in message:
            if after_failure(entry.retry, outcome, now_ms)[1] is None:
                self._log.error(
                    "notice given up",
                    notice=entry.queued.notice.id,
                    receiver=receiver,
                    reason=outcome.reason,
                )
