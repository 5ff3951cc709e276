"""A copy reconnects to the broker without end, and ends when it is cancelled."""

import asyncio
from typing import Any

import aiomqtt
import pytest

from ingest.metrics import Metrics
from ingest.receiver import Receiver
from ingest.settings import IngestSettings
from jieneng import observe
from tests.ingest.agent import SITE
from tests.patience import PATIENCE_S


async def test_one_that_is_told_to_end_while_its_broker_goes_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """aiomqtt fails to take its leave then, and says that instead of the cancellation."""

    async def connection(*_: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise aiomqtt.MqttError("it is gone") from None

    one = Receiver(IngestSettings(), SITE, metrics=Metrics(), log=observe.log("test"))
    monkeypatch.setattr(one, "_connection", connection)  # no broker goes at a given turn
    nobody: Any = None
    task = asyncio.create_task(one.run(nobody, nobody))
    await asyncio.sleep(0.01)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
    assert done, "the cancellation was forgotten"
    assert task.cancelled()
