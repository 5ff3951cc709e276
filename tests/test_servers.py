"""The test servers are real."""

from tests.servers import Influx, Mosquitto


def test_servers_start_stop_and_start_again(mosquitto: Mosquitto, influx: Influx) -> None:
    mosquitto.kill()
    mosquitto.start()
    assert mosquitto.answers()
    assert influx.answers()
