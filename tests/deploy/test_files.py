"""Compose, units and settings: complete, without secrets, and fit for the services they start."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from analytics.settings import AnalyticsSettings
from edge_agent.settings import AgentSettings
from ingest.settings import IngestSettings
from jieneng.cli import jieneng
from jieneng.cli.options import Reader
from jieneng.site_folder import read_settings
from tests.conftest import ROOT
from tests.servers import need

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
OURS = ("edge", "ingest", "analytics")
Json = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> Json:
    """compose.yaml as docker-compose understands it, with the defaults of its variables."""
    command = [need("docker-compose"), "--file", str(DEPLOY / "compose.yaml"), "config"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # PyYAML comes with the embedded broker.
    return msgspec.yaml.decode(done.stdout, type=Json)


def test_every_service_comes_back_and_says_whether_it_is_well(compose: Json) -> None:
    for name, service in compose["services"].items():
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"], name


def test_every_image_is_pinned(compose: Json) -> None:
    for service in compose["services"].values():
        assert re.search(r":\d", service["image"])


def test_what_is_open_is_open_to_this_machine_only(compose: Json) -> None:
    ports = [str(port) for one in compose["services"].values() for port in one.get("ports", [])]
    assert ports
    assert all("127.0.0.1" in port for port in ports)


def test_no_secret_stands_in_the_environment(compose: Json) -> None:
    for service in compose["services"].values():
        for key in service.get("environment", {}):
            if re.search("PASSWORD|TOKEN|SECRET", key):
                assert key.endswith("_FILE")


def test_our_services_own_nothing_they_do_not_need(compose: Json) -> None:
    for name in OURS:
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
    assert re.search("^USER jieneng$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", OURS)
def test_the_command_is_one_that_jieneng_knows(compose: Json, name: str) -> None:
    assert understood(compose["services"][name]["command"])


@pytest.mark.parametrize(
    ("name", "form"),
    [("agent", AgentSettings), ("ingest", IngestSettings), ("analytics", AnalyticsSettings)],
)
def test_the_settings_fit_the_service_and_the_compose_file(
    compose: Json, name: str, form: type[AgentSettings | IngestSettings | AnalyticsSettings]
) -> None:
    """They decode, reach the services by name, and use the secrets and ports that are there."""
    settings = read_settings(DEPLOY / "config" / f"{name}.toml", form)
    service = compose["services"]["edge" if name == "agent" else name]
    text = (DEPLOY / "config" / f"{name}.toml").read_text()
    secrets = {secret["source"] for secret in service["secrets"]}
    assert set(re.findall("/run/secrets/([a-z_]+)", text)) == secrets
    assert set(re.findall('(?:host = "|//)([a-z]+)[":]', text)) <= set(compose["services"])
    assert f":{settings.metrics.port}/health" in service["healthcheck"]["test"][-1]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_restarts_and_is_confined(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    for wanted in (
        "Restart=always",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
        "User=jieneng",
    ):
        assert wanted in lines


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_that_jieneng_knows(unit: Path) -> None:
    (line,) = re.findall(r"^ExecStart=\S+/jieneng (.*)$", unit.read_text(), re.MULTILINE)
    assert understood(line.split())


@pytest.mark.server
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_understands_the_unit(unit: Path, tmp_path: Path) -> None:
    """Its own checker says so; program and user, which are not on this machine, stood in for."""
    checker = shutil.which("systemd-analyze")
    if checker is None:
        pytest.skip("systemd-analyze is not installed")
    text = unit.read_text()
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE)
    text = re.sub(r"^(User|Group)=.*$|^Documentation=.*$", "", text, flags=re.MULTILINE)
    copy = tmp_path / unit.name.replace("@.", "@agent-1.")
    copy.write_text(text)
    done = subprocess.run(
        [checker, "verify", str(copy)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def understood(arguments: list[str]) -> bool:
    """Whether the command line takes these arguments; `--help` keeps it from doing anything."""
    done = CliRunner().invoke(jieneng, [*arguments, "--help"], obj=Reader())
    return done.exit_code == 0
