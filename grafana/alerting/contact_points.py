"""Translate receivers of `alerts.toml` into integrations of Grafana's contact points. Pure.

The address of a receiver is an Apprise URL, or the webhook URL of a robot of DingTalk or WeCom.
Grafana sends mail by its own SMTP settings. It can't sign messages for DingTalk, so a robot that
demands a signature has no integration (grafana/grafana issue 44516).
"""

from collections.abc import Callable
from typing import Any, Final, Literal
from urllib.parse import parse_qs, unquote, urlencode, urlsplit, urlunsplit

import msgspec

Kind = Literal["email", "dingding", "wecom", "webhook"]

#: Message of a contact point: the templates of `message_templates`.
_TITLE: Final = '{{ template "jieneng.title" . }}'
_MESSAGE: Final = '{{ template "jieneng.message" . }}'


class Integration(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver in the form of an integration of Grafana.

    Attributes:
        receiver: id of the receiver.
        kind: Grafana's type.
        settings: settings of that type.
        secrets: keys of the settings that hold a secret.
    """

    receiver: str
    kind: Kind
    settings: dict[str, Any]
    secrets: tuple[str, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        """Names of the environment variables from which Grafana takes the secrets, by setting."""
        name = self.receiver.upper().replace("-", "_")
        return {key: f"GRAFANA_RECEIVER_{name}_{key.upper()}" for key in self.secrets}

    def for_file(self) -> "Integration":
        """Return the integration with its secrets as variables of Grafana's environment."""
        settings = {
            key: value.replace("$", "$$") if isinstance(value, str) else value
            for key, value in self.settings.items()
        }
        settings |= {key: f"${{{variable}}}" for key, variable in self.variables.items()}
        return msgspec.structs.replace(self, settings=settings)


def integration(receiver: str, address: str, *, is_secret: bool) -> Integration | None:
    """Return the integration of a receiver; None if Grafana has none for its address.

    Args:
        receiver: id of the receiver.
        address: its address.
        is_secret: True if the address is not written in `alerts.toml`.
    """
    parts = urlsplit(address.strip())
    make = _SCHEMES.get(parts.scheme)
    found = make(receiver, address.strip()) if make is not None else None
    if found is None or is_secret:
        return found
    return msgspec.structs.replace(found, secrets=())


def _mail(receiver: str, address: str) -> Integration | None:
    parts = urlsplit(address)
    query = parse_qs(parts.query)
    listed = [one for value in query.get("to", ()) for one in value.split(",")]
    listed += [unquote(one) for one in parts.path.split("/")]
    targets = [one.strip() for one in listed if "@" in one]
    if not targets and parts.username and parts.hostname:  # Apprise: mail to the sender
        targets = [f"{unquote(parts.username)}@{parts.hostname}"]
    if not targets:
        return None
    settings = {
        "addresses": ";".join(targets),
        "singleEmail": False,
        "subject": _TITLE,
        "message": _MESSAGE,
    }
    return Integration(receiver=receiver, kind="email", settings=settings)


def _dingtalk(receiver: str, address: str) -> Integration | None:
    parts = urlsplit(address)
    secret, _, token = parts.netloc.rpartition("@")
    query = parse_qs(parts.query)
    if secret or "secret" in query:
        return None
    url = f"https://oapi.dingtalk.com/robot/send?{urlencode({'access_token': token})}"
    return _robot(receiver, "dingding", url)


def _wecom(receiver: str, address: str) -> Integration:
    key = urlsplit(address).netloc
    url = f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?{urlencode({'key': key})}"
    return _robot(receiver, "wecom", url)


def _robot(receiver: str, kind: Kind, url: str) -> Integration:
    kind_of_message = {"msgType": "actionCard"} if kind == "dingding" else {"msgtype": "markdown"}
    settings = {"url": url, "title": _TITLE, "message": _MESSAGE, **kind_of_message}
    return Integration(receiver=receiver, kind=kind, settings=settings, secrets=("url",))


def _web(receiver: str, address: str) -> Integration | None:
    """Return the integration of the webhook URL of a robot; None for any other address."""
    parts = urlsplit(address)
    query = parse_qs(parts.query)
    if parts.path.endswith("/robot/send") and "access_token" in query:
        return None if "secret" in query else _robot(receiver, "dingding", address)
    if parts.path.endswith("/webhook/send") and "key" in query:
        return _robot(receiver, "wecom", address)
    return None


def _webhook(receiver: str, address: str) -> Integration:
    parts = urlsplit(address)
    host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    scheme = "https" if parts.scheme == "jsons" else "http"
    settings: dict[str, Any] = {
        "url": urlunsplit((scheme, host, parts.path, parts.query, "")),
        "httpMethod": "POST",
        "title": _TITLE,
        "message": _MESSAGE,
    }
    secrets: tuple[str, ...] = ("url",)
    if parts.username:
        settings |= {"username": unquote(parts.username), "password": unquote(parts.password or "")}
        secrets = ("url", "password")
    return Integration(receiver=receiver, kind="webhook", settings=settings, secrets=secrets)


_SCHEMES: Final[dict[str, Callable[[str, str], Integration | None]]] = {
    "mailto": _mail,
    "mailtos": _mail,
    "dingtalk": _dingtalk,
    "wecombot": _wecom,
    "http": _web,
    "https": _web,
    "json": _webhook,
    "jsons": _webhook,
}
