"""Send the boards of a site to a running Grafana, by its HTTP API.

Laws: only UIDs are used, because Grafana 13 has no numeric ids. Pushing twice has the same result
as pushing once. An existing data source is changed only if an address or account is given.

The API is documented at <https://grafana.com/docs/grafana/latest/developers/http_api/>.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp
import msgspec

from grafana import data_source
from grafana.alerting.grafana_alerting import GrafanaAlerting, integration_uid
from grafana.alerting.grafana_rules import FOLDER as ALERT_FOLDER
from grafana.alerting.grafana_rules import FOLDER_UID as ALERT_FOLDER_UID
from grafana.alerting.grafana_rules import GROUP, INTERVAL_S
from grafana.board_frame import FOLDER, FOLDER_UID
from grafana.field_display import Json
from jieneng.metering.errors import GrafanaUnavailable, UsageError

_PROVISIONING: Final = "/api/v1/provisioning"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
_FOUND: Final = 200
#: Grafana's answers to what it accepts: done, created, accepted.
_ACCEPTED: Final = (200, 201, 202)
_NOT_FOUND: Final = 404
_REFUSED: Final = (401, 403)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A running Grafana.

    Attributes:
        url: address of Grafana.
        token: token of a service account that may edit dashboards and data sources.
        source: address and account of the database; None to leave the data source unchanged.
    """

    url: str
    token: str
    source: data_source.Account | None = None


async def push(
    target: Target,
    boards: Mapping[str, Json],
    report: Callable[[str], None],
    alerting: GrafanaAlerting | None = None,
) -> None:
    """Send the folder, the data source, the boards and Grafana's alerting.

    Args:
        target: the running Grafana.
        boards: boards, by the names of their files.
        report: called with the name of each board after it was sent.
        alerting: rules and what they need; None to leave Grafana's alerting unchanged.

    Raises:
        UsageError: Grafana refuses the token or a board, or Grafana has no data source.
        GrafanaUnavailable: Grafana can't be reached.
    """
    headers = {"Authorization": f"Bearer {target.token}"}
    async with aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT) as session:
        api = _Api(session, target.url.rstrip("/"))
        if not await api.exists(f"/api/folders/{FOLDER_UID}"):
            await api.send("POST", "/api/folders", {"uid": FOLDER_UID, "title": FOLDER})
        await _send_source(api, target.source)
        for name, board in boards.items():
            await api.send(
                "POST",
                "/api/dashboards/db",
                {"dashboard": {"id": None, **board}, "folderUid": FOLDER_UID, "overwrite": True},
            )
            report(name)
        if alerting is not None:
            await _send_alerting(api, alerting)
            report("alerting")


async def _send_source(api: "_Api", source: data_source.Account | None) -> None:
    path = f"/api/datasources/uid/{data_source.UID}"
    exists = await api.exists(path)
    if source is None and not exists:
        raise UsageError(
            "Grafana has no data source {uid} yet. Give a read-only account of the"
            " database with --store-user and --store-password-file.",
            uid=data_source.UID,
        )
    if source is not None:
        body = data_source.api_body(source)
        await api.send(*(("PUT", path) if exists else ("POST", "/api/datasources")), body)


async def _send_alerting(api: "_Api", alerting: GrafanaAlerting) -> None:
    """Send templates, mute timings and contact points, then the rules, which name them."""
    if not await api.exists(f"/api/folders/{ALERT_FOLDER_UID}"):
        await api.send("POST", "/api/folders", {"uid": ALERT_FOLDER_UID, "title": ALERT_FOLDER})
    for name, text in alerting.templates.items():
        await api.send("PUT", f"{_PROVISIONING}/templates/{name}", {"template": text})
    for name, intervals in alerting.mute_timings.items():
        await api.replace(
            f"{_PROVISIONING}/mute-timings", name, {"name": name, "time_intervals": intervals}
        )
    known = {one["uid"] for one in await api.read(f"{_PROVISIONING}/contact-points")}
    for name, integrations in alerting.contact_points.items():
        for one in integrations:
            uid = integration_uid(name, one)
            body = {"uid": uid, "name": name, "type": one.kind, "settings": one.settings}
            if uid in known:
                await api.send("PUT", f"{_PROVISIONING}/contact-points/{uid}", body)
            else:
                await api.send("POST", f"{_PROVISIONING}/contact-points", body)
    rules = [
        {**rule, "orgID": 1, "folderUID": ALERT_FOLDER_UID, "ruleGroup": GROUP}
        for rule in alerting.rules
    ]
    await api.send(
        "PUT",
        f"{_PROVISIONING}/folder/{ALERT_FOLDER_UID}/rule-groups/{GROUP}",
        {
            "title": GROUP,
            "folderUid": ALERT_FOLDER_UID,
            "interval": INTERVAL_S,
            "rules": rules,
        },
    )


class _Api:
    """Calls Grafana's HTTP API."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def exists(self, path: str) -> bool:
        """Return True if Grafana has an object at this path."""
        status, text = await self._call("GET", path, None)
        if status not in (_FOUND, _NOT_FOUND):
            raise self._refusal(path, status, text)
        return status == _FOUND

    async def read(self, path: str) -> Any:
        """Return what Grafana answers at this path, decoded."""
        status, text = await self._call("GET", path, None)
        if status != _FOUND:
            raise self._refusal(path, status, text)
        return json.loads(text)

    async def replace(self, path: str, name: str, body: Json) -> None:
        """Change an object by its name, or create it."""
        if await self.exists(f"{path}/{name}"):
            await self.send("PUT", f"{path}/{name}", body)
        else:
            await self.send("POST", path, body)

    async def send(self, method: str, path: str, body: Json) -> None:
        """Send a request. Raises an error if Grafana does not accept it."""
        status, text = await self._call(method, path, body)
        if status not in _ACCEPTED:
            raise self._refusal(path, status, text)

    async def _call(self, method: str, path: str, body: Any) -> tuple[int, str]:
        try:
            async with self._session.request(method, self._url + path, json=body) as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise GrafanaUnavailable(
                "Grafana at {url} can't be reached: {reason}. Check that --url is right"
                " and that Grafana runs.",
                url=self._url,
                reason=str(error) or type(error).__name__,
            ) from error

    def _refusal(self, path: str, status: int, text: str) -> UsageError | GrafanaUnavailable:
        if status in _REFUSED:
            return UsageError(
                "Grafana refuses the token ({status}). Create a service account with the"
                " role Admin in Grafana, and write its token into the file of"
                " --token-file.",
                status=status,
            )
        if status < 500:
            return UsageError(
                "Grafana refuses {path} ({status}): {reason}",
                path=path,
                status=status,
                reason=text[:300],
            )
        return GrafanaUnavailable(
            "Grafana at {url} reports an error ({status}): {reason}. See the log of Grafana.",
            url=self._url,
            status=status,
            reason=text[:300],
        )
