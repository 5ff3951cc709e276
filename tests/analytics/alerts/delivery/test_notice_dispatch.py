"""Notices reach real receivers, though some are down, slow, refuse, or are killed in between."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from analytics.alerts.alert_rule import AlertRules, Receiver
from analytics.alerts.delivery.notice_dispatch import NoticeDispatch
from analytics.alerts.delivery.notice_outbox import NoticeOutbox
from analytics.alerts.delivery.outbox_entry import QueuedNotice
from jieneng.observe import log
from jieneng.site_folder import SiteFolder
from tests.analytics.alerts.delivery.notices import NOW_MS, SetClock, notice, queued
from tests.analytics.alerts.delivery.receivers import (
    SECRET,
    HttpReceiver,
    http_receiver,
    mail_receiver,
)
from tests.analytics.sites import folder
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.server

HOUR_MS = 3_600_000
SITE = """
[[area]]
id = "block-1"
name = "1号楼"

[[meter]]
id = "w-3"
name = "3层水表"
medium = "water"
area = "block-1"
rated_max = 16.0
"""


@pytest.fixture
async def http() -> AsyncIterator[HttpReceiver]:
    async with http_receiver() as receiver:
        receiver.now_ms = NOW_MS
        yield receiver


class Delivery:
    """An outbox, its dispatch, and a clock to set."""

    def __init__(self, site: SiteFolder, **addresses: str) -> None:
        self.clock = SetClock()
        self.outbox = NoticeOutbox(site.path / "outbox.sqlite")
        self.results: list[tuple[str, str, int]] = []
        self.dispatch = NoticeDispatch(
            self.outbox,
            site.site,
            site.path,
            self.clock,
            log("analytics"),
            lambda *result: self.results.append(result),
        )
        receivers = tuple(Receiver(id=name, url=url) for name, url in addresses.items())
        self.dispatch.use(AlertRules(rules=(), receivers=receivers))

    async def deliver(self, after_ms: int = 0) -> list[tuple[str, str, int]]:
        """Deliver once, some time later; return the results of the messages."""
        self.clock.time_ms += after_ms
        self.results.clear()
        await self.dispatch.deliver_due()
        await self.dispatch.idle()
        return list(self.results)


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    return folder(tmp_path, SITE)


@pytest.fixture
def delivery_to(site: SiteFolder) -> Callable[..., Delivery]:
    return lambda **addresses: Delivery(site, **addresses)


async def test_a_notice_reaches_mail_wecom_dingtalk_and_a_webhook(
    http: HttpReceiver, delivery_to: Callable[..., Delivery]
) -> None:
    async with mail_receiver() as mail:
        delivery = delivery_to(
            mail=mail.address, wecom=http.wecom, dingtalk=http.dingtalk, hook=http.webhook
        )
        names = ("mail", "wecom", "dingtalk", "hook")
        delivery.outbox.add([queued(receiver=name) for name in names], NOW_MS)
        results = await delivery.deliver()
        assert sorted(results) == sorted((name, "sent", 1) for name in names)
        texts = [str(body) for _, body in http.received]
        texts.append(str(mail.mails[0]["subject"]))
        assert len(texts) == 4
        assert all("3层水表" in text for text in texts)
    assert await delivery.deliver(HOUR_MS) == []


async def test_a_receiver_that_is_down_or_slow_holds_up_no_other(
    http: HttpReceiver, delivery_to: Callable[..., Delivery]
) -> None:
    """While one has not answered, the other has its message, and gets the next one too."""
    async with http_receiver() as slow:
        slow.delay_s = 3600.0
        delivery = delivery_to(slow=slow.webhook, down="json://127.0.0.1:1/", fast=http.webhook)
        names = ("slow", "down", "fast")
        for number in range(2):
            delivery.outbox.add([queued(f"n{number}", name) for name in names], NOW_MS)
            async with asyncio.timeout(PATIENCE_S):
                while [name for name, _, _ in delivery.results].count("down") <= number or (
                    len(http.received) <= number
                ):
                    await delivery.dispatch.deliver_due()
                    await asyncio.sleep(0.01)
        assert slow.requests == 1
        assert ("slow", "sent", 1) not in delivery.results
        for task in delivery.dispatch._busy.values():
            task.cancel()


async def test_a_network_that_is_down_for_days_loses_nothing_and_is_told_in_few_messages(
    http: HttpReceiver, delivery_to: Callable[..., Delivery]
) -> None:
    port, http.port = http.port, 1
    with capture_logs() as logs:
        delivery = delivery_to(office=http.webhook)
        for number in range(60):
            delivery.outbox.add(
                [queued(f"n{number}", due_ms=delivery.clock.time_ms)], delivery.clock.time_ms
            )
            await delivery.deliver(HOUR_MS)
        http.port = port
        delivery.dispatch.use(
            AlertRules(rules=(), receivers=(Receiver(id="office", url=http.webhook),))
        )
        assert await delivery.deliver(HOUR_MS) == [("office", "sent", 10)] * 6
    assert len(http.received) == 6
    assert delivery.outbox.counts() == {("office", "sent"): 60}
    events = [entry["event"] for entry in logs]
    assert events == ["notices can't be delivered", "notices can't be delivered: over"]
    assert logs[0]["receiver"] == "office"


async def test_no_more_messages_are_sent_than_a_robot_takes_in_a_minute(
    http: HttpReceiver, delivery_to: Callable[..., Delivery]
) -> None:
    delivery = delivery_to(group=http.dingtalk)
    delivery.outbox.add([queued(f"n{number}", "group") for number in range(150)], NOW_MS)
    assert await delivery.deliver() == [("group", "sent", 10)] * 10
    assert await delivery.deliver(59_000) == []
    assert await delivery.deliver(1_000) == [("group", "sent", 10)] * 5
    assert len(http.received) == 15


async def test_a_message_that_is_refused_holds_up_no_other(
    http: HttpReceiver, delivery_to: Callable[..., Delivery]
) -> None:
    """A robot may refuse the words of one message; two refusals in a row are the robot's."""
    delivery = delivery_to(group=http.dingtalk)
    delivery.outbox.add([queued(f"n{number}", "group") for number in range(3)], NOW_MS)
    http.answers = [{"errcode": 430101, "errmsg": "unsafe content"}]
    assert [kind for _, kind, _ in await delivery.deliver()] == ["refused", "sent", "sent"]
    http.answers = [400] * 9
    delivery.outbox.add([queued(f"m{number}", "group") for number in range(3)], NOW_MS)
    assert [kind for _, kind, _ in await delivery.deliver()] == ["refused", "refused"]


async def test_a_wrong_address_is_said_once_and_given_up_after_a_day(
    http: HttpReceiver, delivery_to: Callable[..., Delivery]
) -> None:
    wrong = http.dingtalk.replace(SECRET, "SECold")
    with capture_logs() as logs:
        delivery = delivery_to(group=wrong)
        delivery.outbox.add([queued(receiver="group")], NOW_MS)
        tries = 0
        for _ in range(48):
            http.now_ms = delivery.clock.time_ms
            tries += len(await delivery.deliver(HOUR_MS))
    assert 5 <= tries <= 8
    (entry,) = delivery.outbox.entries("given_up")
    assert entry.reason == "errcode 310000: sign not match"
    assert [entry["event"] for entry in logs] == ["notices can't be delivered", "notice given up"]


async def test_a_receiver_that_was_removed_or_has_no_address_is_a_refusal(
    delivery_to: Callable[..., Delivery],
) -> None:
    delivery = delivery_to()
    delivery.outbox.add([queued(receiver="gone")], NOW_MS)
    assert await delivery.deliver() == [("gone", "refused", 1)]
    assert delivery.outbox.entries("waiting")[0].reason == "alerts.toml has no such receiver"


async def test_a_digest_is_one_message_in_the_language_of_the_receiver(
    http: HttpReceiver, delivery_to: Callable[..., Delivery]
) -> None:
    delivery = delivery_to()
    receiver = Receiver(id="office", url=http.webhook, language="en")
    delivery.dispatch.use(AlertRules(rules=(), receivers=(receiver,)))
    due_ms = NOW_MS + HOUR_MS
    delivery.outbox.add(
        [
            QueuedNotice(
                notice=notice(f"n{number}", severity="info"),
                receiver="office",
                due_ms=due_ms,
                is_digest=True,
            )
            for number in range(4)
        ],
        NOW_MS,
    )
    assert await delivery.deliver() == []
    assert await delivery.deliver(HOUR_MS) == [("office", "sent", 4)]
    body: dict[str, Any] = http.received[0][1]
    assert body["title"].startswith("Digest: 4 notices")


async def test_an_unexpected_error_is_logged_and_the_notice_is_sent_later(
    http: HttpReceiver, delivery_to: Callable[..., Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = delivery_to(hook=http.webhook)
    delivery.outbox.add([queued(receiver="hook")], NOW_MS)

    def fail(*_: object) -> None:
        raise KeyError("unexpected")

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(delivery.outbox, "settle", fail)
        assert await delivery.deliver() == []
        await asyncio.sleep(0)
    assert [(entry["event"], entry["receiver"]) for entry in logs] == [("delivery failed", "hook")]
    assert await delivery.deliver(120_000) == [("hook", "sent", 1)]


async def test_what_a_killed_process_was_just_sending_is_sent_again(
    http: HttpReceiver, delivery_to: Callable[..., Delivery]
) -> None:
    """Nobody knows if it was sent, so it may come twice."""
    delivery = delivery_to(hook=http.webhook)
    delivery.outbox.add([queued(receiver="hook")], NOW_MS)
    delivery.outbox.take(NOW_MS, 120_000)  # by the process that is killed
    assert await delivery.deliver(119_000) == []
    assert await delivery.deliver(1_000) == [("hook", "sent", 1)]
