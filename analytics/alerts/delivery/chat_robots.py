"""Build requests to the group robots of DingTalk and WeCom, and decode their answers. Pure.

Apprise 2.3.0 is not used for these robots, for two reasons. Apprise treats each answer with HTTP
status 200 as success, but both services report a refusal with status 200 and the field `errcode`.
Apprise also encodes DingTalk's signature twice, which DingTalk refuses with `sign not match`.

Sources: DingTalk, "Custom robot access" (open.dingtalk.com/document/orgapp/custom-robot-access):
signature, 20 messages a minute, 20,000 bytes. WeCom, "Group robot configuration"
(developer.work.weixin.qq.com/document/path/91770): 2,048 bytes of text, 4,096 of Markdown, 20
messages a minute.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import msgspec

from analytics.alerts.delivery import failure_reasons
from analytics.alerts.delivery.retry_plan import Outcome

RobotKind = Literal["dingtalk", "wecom"]

_TEXT_BYTES: Final[Mapping[RobotKind, int]] = {"dingtalk": 20_000, "wecom": 2_048}
#: Values of `errcode` for too many messages: two of DingTalk, then two of WeCom.
_LIMITED_CODES: Final = frozenset({130101, 410100, 45009, 45033})
#: Value of `errcode` with which both services report that they are busy.
_BUSY_CODE: Final = -1


class Robot(msgspec.Struct, frozen=True, kw_only=True):
    """The robot of a chat group.

    Attributes:
        kind: the service.
        url: address of requests; it contains the robot's key.
        secret: key of the signature; empty for a robot without one.
        mobiles: telephone numbers of the members to mention.
    """

    kind: RobotKind
    url: str
    secret: str = ""
    mobiles: tuple[str, ...] = ()


def parse_robot(address: str) -> Robot | None:
    """Return the robot of an address; None if it is not the address of a robot.

    An address is either the web address that DingTalk or WeCom shows for a robot, with DingTalk's
    `secret` added as a parameter, or Apprise's form `dingtalk://SECRET@TOKEN/MOBILE` or
    `wecombot://KEY`. The host of a web address may be a private server.
    """
    parts = urlsplit(address.strip())
    query = dict(parse_qsl(parts.query))
    if parts.scheme in {"http", "https"}:
        return _web_robot(address, query)
    if parts.scheme == "dingtalk":
        token = query.get("token") or parts.netloc.rpartition("@")[2]
        numbers = (*parts.path.split("/"), *query.get("to", "").split(","))
        return Robot(
            kind="dingtalk",
            url=f"https://oapi.dingtalk.com/robot/send?{urlencode({'access_token': token})}",
            secret=query.get("secret") or unquote(parts.netloc.rpartition("@")[0]),
            mobiles=tuple(number for number in numbers if number),
        )
    if parts.scheme == "wecombot":
        key = query.get("key") or parts.netloc
        return Robot(
            kind="wecom",
            url=f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?{urlencode({'key': key})}",
        )
    return None


def _web_robot(address: str, query: dict[str, str]) -> Robot | None:
    parts = urlsplit(address.strip())
    mobiles = tuple(number for number in query.pop("mobiles", "").split(",") if number)
    secret = query.pop("secret", "")
    url = urlunsplit((*parts[:3], urlencode(query), ""))
    if parts.path.endswith("/robot/send") and "access_token" in query:
        return Robot(kind="dingtalk", url=url, secret=secret, mobiles=mobiles)
    if parts.path.endswith("/webhook/send") and "key" in query:
        return Robot(kind="wecom", url=url, mobiles=mobiles)
    return None


def request_url(robot: Robot, now_ms: int) -> str:
    """Return the address of a request at a time; a signature is valid for an hour."""
    if not robot.secret:
        return robot.url
    signed = {"timestamp": str(now_ms), "sign": signature(robot.secret, now_ms)}
    return f"{robot.url}&{urlencode(signed)}"


def signature(secret: str, timestamp_ms: int) -> str:
    """Return DingTalk's signature of a time, in Base64, not yet encoded for an address."""
    text = f"{timestamp_ms}\n{secret}".encode()
    return base64.b64encode(hmac.digest(secret.encode(), text, hashlib.sha256)).decode()


def request_body(robot: Robot, title: str, body: str) -> dict[str, object]:
    """Return the JSON body of a request: text, cut to the robot's limit."""
    text = _cut(f"{title}\n{body}".strip(), _TEXT_BYTES[robot.kind])
    if robot.kind == "wecom":
        mentions = {"mentioned_mobile_list": list(robot.mobiles)} if robot.mobiles else {}
        return {"msgtype": "text", "text": {"content": text, **mentions}}
    return {
        "msgtype": "text",
        "text": {"content": text},
        "at": {"atMobiles": list(robot.mobiles), "isAtAll": False},
    }


def _cut(text: str, max_bytes: int) -> str:
    encoded = text.encode()
    if len(encoded) <= max_bytes:
        return text
    mark = "…"
    return encoded[: max_bytes - len(mark.encode())].decode(errors="ignore") + mark


class _Answer(msgspec.Struct):
    errcode: int
    errmsg: str = ""


def judge_answer(status: int, body: bytes) -> Outcome:
    """Return the outcome of a message, from a robot's answer."""
    if status != 200:
        return http_outcome(status)
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except msgspec.DecodeError:
        return Outcome("refused", failure_reasons.NO_ROBOT)
    if answer.errcode == 0:
        return Outcome("sent")
    reason = f"errcode {answer.errcode}: {_short(answer.errmsg)}"
    if answer.errcode in _LIMITED_CODES:
        return Outcome("limited", reason)
    return Outcome("unreachable" if answer.errcode == _BUSY_CODE else "refused", reason)


def http_outcome(status: int) -> Outcome:
    """Return the outcome of a message, from an HTTP status."""
    reason = f"HTTP {status}"
    if 200 <= status < 300:
        return Outcome("sent")
    if status == 429:
        return Outcome("limited", reason)
    is_refusal = 300 <= status < 500 and status not in {408, 425}
    return Outcome("refused" if is_refusal else "unreachable", reason)


def _short(words: str) -> str:
    """Return the beginning of a service's error text, on one line and without addresses."""
    return re.sub(r"\s+", " ", re.sub(r"\[?https?://\S+", "", words))[:120].strip(" ,")
