"""A heater that is switched on behind a meter causes a notice, through all services."""

from pathlib import Path

import pytest

from tests.e2e.alert_chain import alert_chain
from tests.servers import Mosquitto

pytestmark = pytest.mark.server


async def test_what_a_meter_shows_is_told_to_the_receiver(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """There is a notice only about the heater's meter, and none before."""
    async with alert_chain(
        tmp_path / "site", mosquitto, meters=2, interval_s=0.5, every_s=1.0, wait_s=0.0
    ) as chain:
        await chain.switch_on(2)
        await chain.told(2)
        titles = [body["title"] for _, body in chain.http.received]
    assert len(titles) == 1
    assert "meter 2" in titles[0]
