"""A message counts as sent only if the receiver's server confirmed it; a refusal has its reason."""

import io
import logging
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from analytics.alerts.delivery import notify
from analytics.alerts.delivery.retry_plan import Outcome
from jieneng.clock import SystemClock
from tests.analytics.alerts.delivery.receivers import (
    SECRET,
    TOKEN,
    WECOM_KEY,
    HttpReceiver,
    MailReceiver,
    http_receiver,
    mail_receiver,
)

pytestmark = pytest.mark.server

TITLE = "【警告】3号楼水表 夜间持续用水"
BODY = "当前值 1.2 m³/h，限值 0.5 m³/h\n自 01:46 起"


@pytest.fixture
async def http() -> AsyncIterator[HttpReceiver]:
    async with http_receiver() as receiver:
        receiver.now_ms = SystemClock().now_ms()
        yield receiver


@pytest.fixture
async def mail() -> AsyncIterator[MailReceiver]:
    async with mail_receiver() as receiver:
        yield receiver


async def send(address: str, timeout_s: float = 60.0) -> Outcome:
    return await notify.send(address, TITLE, BODY, SystemClock(), timeout_s=timeout_s)


async def test_dingtalk_accepts_our_signature(http: HttpReceiver) -> None:
    """Apprise's own is refused: it is encoded twice."""
    assert await send(http.dingtalk) == Outcome("sent")
    ((path, body),) = http.received
    assert (path, body["text"]["content"]) == ("/robot/send", f"{TITLE}\n{BODY}")


async def test_a_refusal_with_http_status_200_is_no_success(http: HttpReceiver) -> None:
    """DingTalk and WeCom answer so."""
    wrong = http.dingtalk.replace(SECRET, "SECwrong")
    assert await send(wrong) == Outcome("refused", "errcode 310000: sign not match")
    wrong = http.wecom.replace(WECOM_KEY, "wrong")
    outcome = await send(wrong)
    assert outcome.kind == "refused"
    assert outcome.reason.startswith("errcode 93000: invalid webhook url")
    assert "https" not in outcome.reason


async def test_wecom_takes_the_longest_text(http: HttpReceiver) -> None:
    outcome = await notify.send(http.wecom, TITLE, "水" * 5000, SystemClock())
    assert outcome == Outcome("sent")
    content = http.received[0][1]["text"]["content"]
    assert content.startswith(f"{TITLE}\n水水水")
    assert content.endswith("水…")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"errcode": 130101, "errmsg": "send too fast"}, "limited"),
        ({"errcode": 45009, "errmsg": "api freq out of limit"}, "limited"),
        ({"errcode": -1, "errmsg": "system busy"}, "unreachable"),
        ({"hello": 1}, "refused"),
        (502, "unreachable"),
        (404, "refused"),
        (429, "limited"),
    ],
)
async def test_answers_of_a_robot_are_told_apart(
    http: HttpReceiver, answer: int | dict[str, object], kind: str
) -> None:
    http.answers = [answer]
    assert (await send(http.dingtalk)).kind == kind


async def test_a_webhook_gets_title_and_text(http: HttpReceiver) -> None:
    assert await send(http.webhook) == Outcome("sent")
    ((path, body),) = http.received
    assert (path, body["title"], body["message"]) == ("/hook", TITLE, BODY)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, "refused"), (401, "refused"), (503, "unreachable"), (429, "limited"), (302, "refused")],
)
async def test_a_status_of_a_webhook_is_the_reason(
    http: HttpReceiver, status: int, kind: str
) -> None:
    http.answers = [status]
    assert await send(http.webhook) == Outcome(kind, f"HTTP {status}")  # type: ignore[arg-type]


async def test_a_mail_arrives_with_its_chinese_text(mail: MailReceiver) -> None:
    assert await send(mail.address) == Outcome("sent")
    (message,) = mail.mails
    assert (message["subject"], message["to"]) == (TITLE, "office@example.org")
    body = message.get_body()
    assert body is not None
    assert "当前值 1.2 m³/h，限值 0.5 m³/h" in body.get_content()


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("550 no such user", Outcome("refused", "SMTP 550")),
        ("450 greylisted", Outcome("unreachable", "SMTP 450")),
    ],
)
async def test_a_mail_server_refuses_for_good_or_for_now(
    mail: MailReceiver, reply: str, outcome: Outcome
) -> None:
    mail.refusals = [reply]
    assert await send(mail.address) == outcome
    assert not mail.mails


@pytest.mark.parametrize("form", ["dingtalk", "wecom", "webhook"])
async def test_a_receiver_that_is_down_or_slow_is_unreachable(
    http: HttpReceiver, form: str
) -> None:
    http.delay_s = 30.0
    address: str = getattr(http, form)
    assert await send(address, timeout_s=0.3) == Outcome("unreachable", "no answer in time")
    with socket.socket() as nobody:  # bound, and not listening
        nobody.bind(("127.0.0.1", 0))
        down = address.replace(str(http.port), str(nobody.getsockname()[1]))
        assert await send(down) == Outcome("unreachable", "the server refuses connections")


async def test_no_reason_and_no_log_line_has_a_secret(http: HttpReceiver) -> None:
    """The root logger has a handler, as in a service: libraries log warnings through it."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    logging.getLogger().addHandler(handler)
    addresses = [
        http.dingtalk.replace(str(http.port), "1"),
        http.wecom.replace(str(http.port), "1"),
        f"json://user:{SECRET}@127.0.0.1:1/{TOKEN}",
        f"mailto://user:{SECRET}@127.0.0.1:1/?from=a@example.org&to=b@example.org",
        f"nonsense://{SECRET}",
        f"wecombot://{SECRET}!",
        f"slack://{SECRET}",
    ]
    try:
        said = "".join([(await send(address)).reason for address in addresses])
        logging.getLogger("other").warning("heard")
    finally:
        logging.getLogger().removeHandler(handler)
    assert "heard" in lines.getvalue()
    for secret in (SECRET, TOKEN, WECOM_KEY):
        assert secret not in said + lines.getvalue()


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("https://oapi.dingtalk.com/robot/send?access_token=a&secret=SECb", None),
        ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=a-b", None),
        ("dingtalk://SECb@a/", None),
        ("wecombot://a-b", None),
        ("jsons://hook.example.org/meters", None),
        ("mailtos://user:word@mail.example.org?to=office@example.org", None),
        ("mailtos://u:w@mail.example.org?to=a@example.org,b@example.org", "several recipients"),
        ("https://hook.example.org/", "to this address"),
        ("office@example.org", "to this address"),
    ],
)
def test_an_address_is_checked_before_it_is_needed(address: str, problem: str | None) -> None:
    found = notify.address_problem(address)
    assert found is None if problem is None else problem in str(found)


def test_each_address_of_the_docs_is_one_that_messages_can_be_sent_to() -> None:
    page = (Path(__file__).parents[4] / "docs" / "alerts.md").read_text(encoding="utf-8")
    table = page.split("### Addresses")[1].split("\n\nAn address has")[0]
    addresses = re.findall(r"\| `(\w+://[^`]+)` \|", table)
    assert len(addresses) == 5
    for address in addresses:
        assert notify.address_problem(address.replace("SEC...", "SECab1")) is None


def test_a_server_that_never_ends_its_answer_does_not_keep_the_process_from_ending() -> None:
    """The listening socket takes the connection, and nobody reads or answers."""
    code = """
import asyncio, socket
from analytics.alerts.delivery import notify
from jieneng.clock import SystemClock
listening = socket.socket()
listening.bind(("127.0.0.1", 0))
listening.listen()
address = f"mailto://127.0.0.1:{listening.getsockname()[1]}/?from=a@example.org&to=b@example.org"
print(asyncio.run(notify.send(address, "t", "b", SystemClock(), timeout_s=1.0)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=14, check=True
    )
    assert "no answer in time" in done.stdout
