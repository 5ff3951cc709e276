"""Mistakes in the files of the broker's connection are reported before a service starts."""

import subprocess
from pathlib import Path

import pytest

from jieneng.metering.errors import ConfigError
from jieneng.mqtt import broker, broker_files
from jieneng.mqtt.broker import BrokerSettings
from tests.cli.run import jieneng
from tests.servers import Mosquitto, need

pytestmark = pytest.mark.server  # openssl makes the certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two certificates and their keys, for this machine."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("a", "b"):
        subprocess.run(
            [
                *(need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
                *("-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"),
                *("-days", "2", "-subj", f"/CN={name}"),
                *("-addext", "subjectAltName=IP:127.0.0.1"),
            ],
            check=True,
            capture_output=True,
        )
    (folder / "text").write_text("no certificate")
    (folder / "der").write_bytes(b"\x30\x82\xff\xfe")
    return folder


def problems(folder: Path, **named: str) -> list[tuple[str, str]]:
    """Return key and text of each problem with files of the folder."""
    files = {key: str(folder / name) for key, name in named.items()}
    settings = BrokerSettings(**files)  # type: ignore[arg-type]  # all of them are paths
    found = broker_files.problems(
        settings.password_file, settings.ca_file, settings.cert_file, settings.key_file
    )
    texts = [(str(one.path[1]), str(one).replace(f"{folder}/", "")) for one in found]
    if found:
        with pytest.raises(ConfigError):
            broker.check_files(settings)
    else:
        broker.check_files(settings)
    return texts


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({}, []),
        ({"ca_file": "a.pem", "cert_file": "b.pem", "key_file": "b.key"}, []),
        ({"password_file": "none"}, [("password_file", "none can't be read: No such file")]),
        ({"password_file": "der"}, [("password_file", "der can't be read: it is no text")]),
        ({"ca_file": "none"}, [("ca_file", "none can't be read: No such file")]),
        ({"ca_file": "text"}, [("ca_file", "text is not a certificate in PEM form")]),
        ({"ca_file": "der"}, [("ca_file", "der is not a certificate in PEM form")]),
        (
            {"ca_file": "a.pem", "cert_file": "b.key", "key_file": "b.pem"},
            [
                ("cert_file", "b.key is not a certificate in PEM form"),
                ("key_file", "b.pem is not a private key in PEM form"),
            ],
        ),
        (
            {"ca_file": "a.pem", "cert_file": "b.pem", "key_file": "a.key"},
            [("key_file", "the key in a.key does not belong to the certificate in b.pem")],
        ),
        (
            {"ca_file": "none", "cert_file": "nor", "key_file": "neither"},
            [("ca_file", "none can't"), ("cert_file", "nor can't"), ("key_file", "neither can't")],
        ),
        ({"ca_file": "a.pem", "cert_file": "b.pem"}, [("cert_file", "can't be used")]),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    certificates: Path, named: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    found = problems(certificates, **named)
    assert [key for key, _ in found] == [key for key, _ in expected]
    for (_, text), (_, words) in zip(found, expected, strict=True):
        assert words in text
        assert "[Errno" not in text


@pytest.mark.parametrize("name", ["agent.toml", "ingest.toml"])
def test_check_and_the_service_itself_name_file_line_and_key(tmp_path: Path, name: str) -> None:
    site = tmp_path / "my-site"
    assert jieneng("init", site).returncode == 0
    (site / name).write_text('[broker]\nhost = "127.0.0.1"\nca_file = "/no/such/ca.pem"\n')
    service = ("edge", "run", "--agent", "agent-1") if name == "agent.toml" else ("ingest", "run")
    for command in (("check",), service):
        done = jieneng(*command, "--site", site)
        assert done.returncode == 1
        assert f"{name}:3: the file /no/such/ca.pem can't be read" in done.stderr
        assert "ca_file" in done.stderr
        assert "Traceback" not in done.stderr


def test_credentials_of_systemd_are_only_there_in_the_service() -> None:
    path = "/run/credentials/jieneng-edge@agent-1.service/mqtt"
    assert broker_files.problems(path, None, None, None) == []
    (found,) = broker_files.problems(path, None, None, None, in_service=True)
    assert found.path == ("broker", "password_file")


async def test_files_without_a_problem_make_a_connection(
    certificates: Path, tmp_path: Path
) -> None:
    server = Mosquitto(
        tmp_path / "tls",
        f"cafile {certificates}/b.pem",
        f"certfile {certificates}/a.pem",
        f"keyfile {certificates}/a.key",
        "require_certificate true",
    ).start()
    settings = BrokerSettings(
        port=server.port,
        ca_file=str(certificates / "a.pem"),
        cert_file=str(certificates / "b.pem"),
        key_file=str(certificates / "b.key"),
    )
    try:
        async with broker.client(settings, "test") as one:
            await one.subscribe_or_raise("t")
            for size in (10, 100_000):  # more than TLS hands over at once
                assert await one.deliver("t", b"x" * size) == 0
                assert len((await anext(one.messages)).payload) == size
    finally:
        server.stop()
