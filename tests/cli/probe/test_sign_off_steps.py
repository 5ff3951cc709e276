"""A sign-off of `jieneng edge probe` records a comparison with the agent's reading."""

from datetime import datetime
from pathlib import Path

import pytest

from edge_agent.commissioning import toml_output
from edge_agent.commissioning.read_variants import read_variants
from jieneng.clock import SystemClock
from jieneng.metering.catalog.modbus_points import modbus_models
from jieneng.site_folder import packaged_models
from tests.cli.probe.probes import probe, records, site
from tests.edge_agent.commissioning.unknown_meters import Documented, served
from tests.edge_agent.misbehaving import misbehaving

pytestmark = pytest.mark.server

MODELS = modbus_models(packaged_models())
DTSD = MODELS["acrel-dtsd1352"]
SHOWN = "10800.00"


async def test_a_meter_of_the_site_is_signed_off(tmp_path: Path) -> None:
    file = tmp_path / "sign-off.jsonl"
    async with served(DTSD, ct=40.0) as port:
        site(tmp_path, port, ct=40.0, rated_max=60.0)
        done = await probe(
            "--meter", "m-1", "--display", "10800.0", "--sign-off", file, "--by", "王工",
            cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Signed off: m-1 shows 10800.0, and the agent reads 10800" in done.stdout
    [record] = records(file)
    moment = datetime.fromisoformat(record.pop("time"))
    assert moment.utcoffset() is not None
    assert abs(moment.timestamp() - SystemClock().now_ms() / 1000) < 120
    assert record["difference"] == 0
    assert record["behind"] == pytest.approx(0.5), "a tenth shown, 0.01 x 40 of the register"
    assert 1.0 < record["ahead"] < 1.6, "and half a minute of 60 kW"
    assert (record["side"], record["ratio"]) == ("primary", 1.0)
    assert (record["by"], record["unit"], record["model"], record["verdict"]) == (
        "王工", 1, "acrel-dtsd1352", "ok",
    )  # fmt: skip
    assert (record["quantity"], record["display"], record["read"]) == (
        "energy_kwh", "10800.0", 10800.0,
    )  # fmt: skip


async def test_what_differs_is_kept_and_not_signed_off(tmp_path: Path) -> None:
    """The second record stands below the first: nothing is overwritten."""
    file = tmp_path / "sign-off.jsonl"
    async with served(DTSD) as port:
        site(tmp_path, port)
        wanted = ("--meter", "m-1", "--sign-off", file, "--by", "me")
        lags = await probe(*wanted, "--display", "10800.05", cwd=tmp_path)
        leads = await probe(*wanted, "--display", "10795.00", cwd=tmp_path)
        flowed = await probe(*wanted, "--display", "10799.80", cwd=tmp_path)
    assert [done.returncode for done in (lags, leads, flowed)] == [1, 1, 0], flowed.stderr
    assert "Not signed off: m-1 shows 10800.05, but the agent reads 10800." in lags.stderr
    assert [one["verdict"] for one in records(file)] == ["not ok", "not ok", "ok"]
    assert records(file)[1]["difference"] == 5.0


async def test_a_display_of_the_secondary_side_is_signed_off_as_such(tmp_path: Path) -> None:
    """Found right before CT and PT, and then compared with what it is behind them."""
    file = tmp_path / "sign-off.jsonl"
    async with served(DTSD, ct=40.0) as port:
        site(tmp_path, port, ct=40.0)
        wanted = ("--meter", "m-1", "--sign-off", file, "--by", "me")
        signed = await probe(*wanted, "--display", "270.00", cwd=tmp_path)
        near = await probe(*wanted, "--display", "269.90", cwd=tmp_path)
    assert signed.returncode == 0, signed.stderr
    assert "energy_kwh 270.00: found where model acrel-dtsd1352 has it." in signed.stdout
    assert (
        "Signed off on the secondary side: m-1 shows 270.00; the agent reads 270 and "
        "multiplies it by 40;"
    ) in signed.stdout
    assert near.returncode == 1
    first, second = records(file)
    assert [one["verdict"] for one in (first, second)] == ["ok", "not ok"]
    assert [one["side"] for one in (first, second)] == ["secondary", "secondary"]
    assert (first["read"], first["ratio"], first["difference"]) == (270.0, 40.0, 0.0)
    assert first["behind"] == pytest.approx(0.02), "a hundredth of each"
    assert second["ahead"] < 0.06, "half a minute of 60 kW is a fortieth there"


async def test_what_the_agent_can_not_read_is_not_signed_off(tmp_path: Path) -> None:
    file = tmp_path / "sign-off.jsonl"
    wanted = ("--meter", "m-1", "--display", "81.23", "--sign-off", file, "--by", "me")
    model = MODELS["acrel-ddsy1352"]  # has its counter in one read with others
    async with misbehaving(Documented(model, {0: 0, 1: 8123})) as server:
        site(tmp_path, server.port, model=model.id)
        refused = await probe(*wanted, cwd=tmp_path)
        (tmp_path / "models").mkdir()
        _, apart, _ = read_variants(model)
        (tmp_path / "models" / f"{apart.id}.toml").write_text(toml_output.model_toml(apart))
        site(tmp_path, server.port, model=apart.id)
        signed = await probe(*wanted, cwd=tmp_path)
    assert refused.returncode == 1
    assert (
        f"m-1 does not answer the requests that the agent sends for model {model.id}: "
        in refused.stderr
    )
    assert signed.returncode == 0, signed.stderr
    [record] = records(file)
    assert (record["model"], record["verdict"]) == (apart.id, "ok")


@pytest.mark.parametrize(
    ("typed", "differs"),
    [
        (("--ct", "400"), "with ct 800 from site.toml, not 400"),
        (("--pt", "10"), "with pt 1 from site.toml, not 10"),
        (("--unit", "2"), "with unit 1 from site.toml, not 2"),
        (
            ("--model", "acrel-ddsy1352"),
            "with model acrel-dtsd1352 from site.toml",
        ),
    ],
)
async def test_nothing_is_signed_off_that_is_not_as_the_site_has_it(
    typed: tuple[str, ...], differs: str, tmp_path: Path
) -> None:
    """The agent multiplies by the site's ratios, whatever is typed here."""
    file = tmp_path / "sign-off.jsonl"
    async with served(DTSD, DTSD, ct=400.0) as port:
        site(tmp_path, port, ct=800.0)
        done = await probe(
            "--tcp", f"127.0.0.1:{port}", "--meter", "m-1", "--display", "10800.0", "--sign-off",
            file, "--by", "me", *typed, cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 2
    assert differs in done.stderr
    assert "correct site.toml first" in done.stderr
    assert not file.exists()


async def test_a_record_holds_the_ratios_in_effect(tmp_path: Path) -> None:
    """Typed as well, where it is the same."""
    file = tmp_path / "sign-off.jsonl"
    async with served(DTSD, ct=40.0) as port:
        site(tmp_path, port, ct=40.0)
        done = await probe(
            "--meter", "m-1", "--display", "10800.0", "--sign-off", file, "--by", "me", "--ct",
            "40", cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [record] = records(file)
    assert (record["ct"], record["pt"]) == (40.0, 1.0)


async def test_a_sign_off_is_refused_for_a_meter_that_the_site_has_not(tmp_path: Path) -> None:
    """Also where the link was typed, and the site is not asked for it."""
    file = tmp_path / "sign-off.jsonl"
    async with served(DTSD) as port:
        site(tmp_path, port)
        done = await probe(
            "--tcp", f"127.0.0.1:{port}", "--unit", "1", "--meter", "m-11", "--display", SHOWN,
            "--sign-off", file, "--by", "me", cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 2
    assert "m-11 is not a meter of the site. Did you mean m-1?" in done.stderr
    assert not file.exists()


async def test_a_sign_off_is_refused_without_a_site(tmp_path: Path) -> None:
    """Nobody knows then what the agent will make of the meter."""
    file = tmp_path / "sign-off.jsonl"
    done = await probe(
        "--tcp", "127.0.0.1", "--unit", "1", "--meter", "m-1", "--display", SHOWN, "--sign-off",
        file, "--by", "me", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"there is no site.toml in {tmp_path}: name the site's folder with --site" in done.stderr
    assert not file.exists()


async def test_a_sign_off_is_refused_for_a_meter_that_no_agent_reads(tmp_path: Path) -> None:
    file = tmp_path / "sign-off.jsonl"
    text = (site(tmp_path, 502) / "site.toml").read_text()
    by_hand = text.replace('model = "acrel-dtsd1352"\nbus = "b"\n', "")
    (tmp_path / "site.toml").write_text(by_hand)
    done = await probe(
        "--tcp", "127.0.0.1", "--unit", "1", "--meter", "m-1", "--display", SHOWN, "--sign-off",
        file, "--by", "me", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no agent reads m-1: state its bus and model in site.toml" in done.stderr
    assert not file.exists()
