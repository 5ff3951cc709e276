"""Send the boards of a site to a running Grafana, by its HTTP API.

Laws: only UIDs are used, because Grafana 13 has no numeric ids. Pushing twice has the same result
as pushing once. An existing data source is changed only if an address or account is given.

The API is documented at <https://grafana.com/docs/grafana/latest/developers/http_api/>.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp
import msgspec

from grafana import data_source
from grafana.board_frame import FOLDER, FOLDER_UID
from grafana.field_display import Json
from jieneng.metering.errors import GrafanaUnavailable, UsageError

_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
_FOUND: Final = 200
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


async def push(target: Target, boards: Mapping[str, Json], report: Callable[[str], None]) -> None:
    """Send the folder, the data source and the boards.

    Args:
        target: the running Grafana.
        boards: boards, by the names of their files.
        report: called with the name of each board after it was sent.

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

    async def send(self, method: str, path: str, body: Json) -> None:
        """Send a request. Raises an error if Grafana does not accept it."""
        status, text = await self._call(method, path, body)
        if status != _FOUND:
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
