"""Send requests to the HTTP interface of a running simulator, and print the answers."""

import json
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

import click

from jieneng.locale import preferred
from jieneng.metering.errors import Unavailable, UsageError

_TIMEOUT_S: Final = 10.0


def control_url(site_dir: Path, url: str | None) -> str:
    """Return the URL of the running simulator's HTTP interface."""
    from simulators.app import ENDPOINTS_FILE

    if url is not None:
        return url.rstrip("/")
    file = site_dir / ENDPOINTS_FILE
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["control"])
    except (OSError, ValueError, KeyError) as error:
        raise Unavailable(
            "no simulator runs for the site in {folder}: start jieneng simulate --site {folder}, "
            "or name it with --url.",
            folder=site_dir,
        ) from error


def request_control(url: str, method: str = "GET", body: object = None) -> list[dict[str, Any]]:
    """Return the rows of an answer; a single object is one row."""
    data = None if body is None else json.dumps(body, default=str).encode()
    if not url.startswith(("http://", "https://")):
        raise UsageError("{url} is not a URL: write it like http://127.0.0.1:8080.", url=url)
    headers = {"Accept-Language": preferred()}
    request = Request(url, data=data, headers=headers, method=method)  # noqa: S310 - http or https, as just checked
    try:
        # Use no proxy, because the simulator is usually on this machine.
        with build_opener(ProxyHandler({})).open(request, timeout=_TIMEOUT_S) as answer:
            found = json.loads(answer.read())
    except HTTPError as error:
        raise _refusal(error.read()) from error
    except (URLError, OSError, ValueError, HTTPException) as error:
        raise Unavailable(
            "no simulator answers at {url}: {reason}. Is it still running?",
            url=url,
            reason=error,
        ) from error
    return found if isinstance(found, list) else [found]


def _refusal(body: bytes) -> UsageError:
    try:
        sentences = json.loads(body)["problems"]
    except (ValueError, KeyError):
        sentences = [body.decode(errors="replace")]
    return UsageError("The simulator refused: {sentences}", sentences="\n".join(sentences))


def print_rows(rows: list[dict[str, Any]]) -> None:
    """Print a JSON object on each line, for people and for jq."""
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False))
