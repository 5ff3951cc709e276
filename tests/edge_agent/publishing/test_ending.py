"""An agent that ends while its broker stops, at any turn of the loop: no traceback on stderr."""

import asyncio
import gc
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_agent.spool.spool import Spool
from jieneng import observe
from tests.edge_agent.publishing.test_small_packets import Version, publisher, row, versions
from tests.patience import PATIENCE_S
from tests.servers import Mosquitto

ROUNDS = 40


@versions
async def test_an_agent_that_ends_while_its_broker_goes_leaves_no_traceback(
    mosquitto: Mosquitto, tmp_path: Path, version: Version, capfd: pytest.CaptureFixture[str]
) -> None:
    """The event loop prints what nobody catches: callbacks of a closed socket, lost errors."""
    chance = random.Random(20)
    raw: list[str] = []

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        raw.append(f"{context['message']}: {context.get('exception')!r}")

    asyncio.get_running_loop().set_exception_handler(note)
    spool = Spool(tmp_path / "s", 10**6, observe.log("test"))
    await spool.put([row(seq, 50) for seq in range(1, 30)])
    for _ in range(ROUNDS):
        one = publisher(spool, mosquitto.port, version, ack_timeout_s=0.01, status_interval_s=0.002)
        task = asyncio.create_task(one.run())
        await turns(chance.choice([0, 1, 10, 100, 1000]))
        broker = mosquitto.process
        assert broker is not None
        ends: list[Callable[[], object]] = [broker.kill, task.cancel]
        chance.shuffle(ends)
        ends[0]()
        await turns(chance.choice([0, 1, 2, 5, 50]))
        ends[1]()
        done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
        assert done, "it goes on for ever"
        assert task.cancelled()
        await asyncio.to_thread(mosquitto.kill)
        await asyncio.to_thread(mosquitto.start)
    del one, task
    gc.collect()  # errors that were not retrieved are reported at garbage collection
    await turns(10)
    await spool.close()
    assert raw == []
    assert "Traceback" not in capfd.readouterr().err


async def turns(count: int) -> None:
    """Let the event loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)
