"""A broker that refuses, and missing files, are not reported as "can't be reached"."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge_agent.spool.spool import Spool
from jieneng import observe
from jieneng.mqtt.broker import BrokerSettings
from tests.edge_agent.agent_setup import running, until
from tests.edge_agent.publishing.test_small_packets import Version, publisher, said, versions
from tests.servers import Mosquitto

REFUSED = "broker refuses the connection"


@versions
@pytest.mark.parametrize("mosquitto", [("allow_anonymous false",)], indirect=True)
async def test_a_wrong_password_is_a_refusal(
    mosquitto: Mosquitto, tmp_path: Path, version: Version
) -> None:
    spool = Spool(tmp_path / "s", 10**6, observe.log("test"))
    one = publisher(spool, mosquitto.port, version)
    with capture_logs() as logs:
        async with running(one.run()):
            await until(lambda: said(logs, REFUSED))
            (health,) = one.faults()
    assert "check username, password_file" in said(logs, REFUSED)[0]
    assert health.startswith("the broker refuses the connection: not authorised")
    assert not said(logs, "can't be reached")
    await spool.close()


async def test_a_file_that_is_gone_at_a_reconnect_is_named_and_waited_for(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent goes on, for example while certificates are exchanged."""
    monkeypatch.setattr("edge_agent.publishing.publisher._RECONNECT_S", 0.02)
    password = tmp_path / "password"
    spool = Spool(tmp_path / "s", 10**6, observe.log("test"))
    one = publisher(spool, mosquitto.port, "5")
    one._broker_settings = BrokerSettings(port=mosquitto.port, password_file=str(password))
    event = "broker's files can't be used"
    with capture_logs() as logs:
        async with running(one.run()):
            await until(lambda: said(logs, event))
            assert str(password) in one.faults()[0]
            password.write_text("secret")
            await until(lambda: [log for log in logs if log["event"] == f"{event}: over"])
            assert one.faults() == []
    (reason,) = said(logs, event)
    assert str(password) in reason
    assert "[Errno" not in reason
    await spool.close()
