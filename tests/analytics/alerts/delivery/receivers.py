"""Real receivers on free ports of loopback: a mail server, and an HTTP server with chat robots."""

import asyncio
import base64
import hashlib
import hmac
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

#: A robot's secret begins with SEC.
SECRET = "SEC1f2e3d4c5b6a"  # noqa: S105 - of no robot
TOKEN = "abcdef0123456789"  # noqa: S105 - of no robot
WECOM_KEY = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"
HOUR_MS = 3_600_000


class HttpReceiver:
    """An HTTP server that answers as DingTalk, as WeCom, and as a plain webhook.

    Attributes:
        received: path and JSON body of each request that was accepted.
        answers: answers to give instead of the usual ones: an HTTP status, or a JSON document.
        now_ms: time by which the signature's age is judged [UTC, ms].
        delay_s: time that each answer takes [s].
    """

    def __init__(self) -> None:
        self.received: list[tuple[str, Any]] = []
        self.requests = 0
        self.answers: list[int | dict[str, Any]] = []
        self.now_ms = 0
        self.delay_s = 0.0
        self.port = 0

    @property
    def dingtalk(self) -> str:
        """Address of the DingTalk robot."""
        return f"http://127.0.0.1:{self.port}/robot/send?access_token={TOKEN}&secret={SECRET}"

    @property
    def wecom(self) -> str:
        """Address of the WeCom robot."""
        return f"http://127.0.0.1:{self.port}/cgi-bin/webhook/send?key={WECOM_KEY}"

    @property
    def webhook(self) -> str:
        """Address of the plain webhook."""
        return f"json://127.0.0.1:{self.port}/hook"

    async def answer(self, request: web.Request) -> web.Response:
        self.requests += 1
        await asyncio.sleep(self.delay_s)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, int):
                return web.Response(status=answer, text="no")
            return web.json_response(answer)
        body = await request.json()
        problem = {"/robot/send": self._dingtalk_problem, "/cgi-bin/webhook/send": _wecom_problem}
        if request.path in problem and (found := problem[request.path](request, body)):
            return web.json_response({"errcode": found[0], "errmsg": found[1]})
        self.received.append((request.path, body))
        return web.json_response({"errcode": 0, "errmsg": "ok"})

    def _dingtalk_problem(self, request: web.Request, body: Any) -> tuple[int, str] | None:
        """Check a request by DingTalk's documentation, independently of the sender's code."""
        query = urllib.parse.parse_qs(request.query_string)
        if query.get("access_token") != [TOKEN]:
            return 300001, "token is not exist"
        timestamp = query["timestamp"][0]
        if abs(int(timestamp) - self.now_ms) > HOUR_MS:
            return 310000, "invalid timestamp"
        expected = base64.b64encode(
            hmac.new(
                SECRET.encode("utf-8"), f"{timestamp}\n{SECRET}".encode(), hashlib.sha256
            ).digest()
        ).decode()
        if query["sign"] != [expected]:
            return 310000, "sign not match"
        if body["msgtype"] != "text" or not body["text"]["content"]:
            return 400402, "missing text"
        return None


def _wecom_problem(request: web.Request, body: Any) -> tuple[int, str] | None:
    if request.query.get("key") != WECOM_KEY:
        return 93000, "invalid webhook url, hint: [1], more info at https://open.work.weixin.qq.com"
    if body["msgtype"] != "text" or len(body["text"]["content"].encode()) > 2048:
        return 40058, "text.content exceed max length 2048"
    return None


@asynccontextmanager
async def http_receiver() -> AsyncIterator[HttpReceiver]:
    """Run an HTTP receiver."""
    receiver = HttpReceiver()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", receiver.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.port = int(runner.addresses[0][1])
    try:
        yield receiver
    finally:
        await runner.cleanup()


class MailReceiver:
    """A mail server.

    Attributes:
        mails: each mail that was accepted.
        refusals: replies to give to RCPT, such as `550 no such user`; the last one is repeated.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refusals: list[str] = []
        self.port = 0

    @property
    def address(self) -> str:
        """Address of a recipient."""
        return f"mailto://127.0.0.1:{self.port}/?from=meters@example.org&to=office@example.org"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        if self.refusals:
            return self.refusals[0] if len(self.refusals) == 1 else self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(message_from_bytes(content, policy=policy.default))
        return "250 OK"


@asynccontextmanager
async def mail_receiver() -> AsyncIterator[MailReceiver]:
    """Run a mail server."""
    receiver = MailReceiver()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(receiver, hostname="mail.example.org", loop=loop), "127.0.0.1", 0
    )
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await server.wait_closed()
