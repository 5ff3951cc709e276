"""Explain the reason codes of MQTT 5. Pure.

paho converts the codes of MQTT 3.1.1 to these. Source: MQTT 5.0, section 2.4.
"""

from typing import Any, Final

TAKEN_OVER: Final = 0x8E
NO_SUBSCRIBERS: Final = 0x10
TOO_LARGE: Final = 0x95
WRONG_VERSION: Final = 0x84
_FIRST_FAILURE: Final = 0x80  # this reason code and higher ones are failures
#: Meaning of each reason code; "it" is the broker.
_REASONS: Final = {
    WRONG_VERSION: "it does not speak this version of MQTT; check protocol",
    0x85: "it does not accept the client id",
    0x86: "user name or password is wrong; check username and password_file",
    0x87: "not authorised; check username, password_file and the access rules of the broker",
    0x88: "it is not available at the moment",
    0x89: "it is busy",
    0x8A: "this client is banned",
    0x8B: "it is shutting down",
    0x8C: "it requires another authentication method",
    0x8D: "it received nothing for one and a half times keepalive_s",
    TAKEN_OVER: "another client connected with the same client id",
    0x90: "it does not accept the topic",
    TOO_LARGE: "a packet is larger than it accepts",
    0x96: "it receives too many messages",
    0x97: "a quota is used up",
    0x98: "an administrator ended the connection",
    0x9A: "it keeps no retained messages",
    0x9B: "it does not support QoS 1",
    0x9C: "another server is to be used",
    0x9D: "it has moved to another server",
    0x9E: "it does not support shared subscriptions",
    0x9F: "too many connections are made",
}


def reason_text(code: int) -> str:
    """Return the meaning of a reason code of MQTT 5 in plain words; "it" is the broker."""
    return _REASONS.get(code, f"reason code {code:#04x}")


def is_refusal(code: int) -> bool:
    """Return True if a reason code means that the broker refuses a request."""
    return code >= _FIRST_FAILURE


def reason_code(code: Any) -> int:
    """Return a reason code as a number; paho returns an object or a number."""
    return int(getattr(code, "value", code))
