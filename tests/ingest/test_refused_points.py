"""What the store refuses is set aside, booked as that, never forgotten, and can be sent again."""

from tests.ingest.agent import batch, connected, sample
from tests.ingest.conflicting_server import conflicting_server
from tests.ingest.test_app import folder, running, settings_for  # noqa: F401

from jieneng.storage import StoreSettings
from ingest.settings import QuarantineSettings
import asyncio


async def test_today(folder, mosquitto):
    async with conflicting_server() as server:
        server.conflicts = {("electricity", "energy_kwh")}
        settings = settings_for(mosquitto, store=StoreSettings(kind="influx", url=server.url), quarantine=QuarantineSettings(max_bytes=65536))
        async with running(folder, settings), connected(mosquitto.port) as agent:
            for _ in range(50):
              for seq in range(1, 11):
                if seq not in agent.stored:
                    await agent.send(batch(seq, [sample(100 * seq + i) for i in range(100)]))
              await asyncio.sleep(0.2)
              if len(agent.stored) + len(agent.quarantined) == 10: break
            from ingest.quarantine import Quarantine
            print(len(list(Quarantine(folder.path / "quarantine", 65536).entries())))
            print(sorted(agent.stored), agent.quarantined, len(server.stored))
            assert not agent.stored
