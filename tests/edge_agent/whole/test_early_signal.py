"""A SIGHUP that comes before the agent is ready is remembered, and ends nobody."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.edge_agent.agent_setup import Dtsd1352, gateway
from tests.edge_agent.whole.test_broken_files import Files
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.server

# The agent as it is typed, hung up on by itself at the first call of one of its parts.
CODE = """
import os, signal, sys
import {module} as module
owner, name = {owner}, "{name}"
first = getattr(owner, name)
def hung_up(*args):
    setattr(owner, name, first)
    os.kill(os.getpid(), signal.SIGHUP)
    return first(*args)
setattr(owner, name, hung_up)
sys.argv = ["jieneng", "edge", "run", "--log-json", "--site", sys.argv[1]]
from jieneng.cli import main
main()
"""


@pytest.mark.parametrize(
    ("module", "owner", "name"),
    [("jieneng.site_folder", "module", "load"), ("edge_agent.spool.spool", "module.Spool", "open")],
    ids=["while it reads the site", "while it opens its spool"],
)
async def test_a_reload_that_is_asked_for_too_early_is_made_later(
    tmp_path: Path, module: str, owner: str, name: str
) -> None:
    code = CODE.format(module=module, owner=owner, name=name)
    async with gateway(Dtsd1352(1)) as one, gateway(Dtsd1352(1)) as two:
        Files(tmp_path, one, two)
        agent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, str(tmp_path), stderr=asyncio.subprocess.PIPE
        )
        assert agent.stderr is not None
        said: list[str] = []
        async with asyncio.timeout(PATIENCE_S):
            while not said or ("read again" not in said[-1] and said[-1]):
                said.append((await agent.stderr.readline()).decode())
        if said[-1]:
            agent.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            await agent.communicate()
    assert agent.returncode == 0, said
