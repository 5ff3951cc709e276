"""An agent that was renamed says that readings of its former name wait in another spool."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge_agent.spool.spool import Spool
from jieneng import observe
from tests.edge_agent.agent_setup import agent, bus, folder, meter, running, settings, until
from tests.edge_agent.spool.disk_faults import row
from tests.servers import free_port

pytestmark = pytest.mark.server
EVENT = "a spool of another agent holds readings that nobody sends"


async def test_readings_under_a_former_name_are_told_at_the_start(tmp_path: Path) -> None:
    for name, samples in (("former", 3), ("emptied", 0)):
        spool = Spool(tmp_path / f"spool-{name}.sqlite", 10**6, observe.log("test"))
        await spool.open()
        if samples:
            await spool.put([row(1, samples=samples)])
        await spool.close()
    where = folder(tmp_path, bus("b", free_port()), meters=[meter("e-1", "b", 1)])
    with capture_logs() as logs:
        async with running(agent(where, settings(free_port()))):
            await until(lambda: [one for one in logs if one["event"] == "agent started"])
    (line,) = [one for one in logs if one["event"] == EVENT]
    assert line["path"].endswith("spool-former.sqlite")
    assert line["pending"] == 3
    assert "agent former" in line["fix"]
