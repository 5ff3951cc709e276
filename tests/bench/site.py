"""The folder of a site whose agent polls the bench's meters."""

from pathlib import Path
from typing import Final

from tests.bench.meters import NAMES, Meters

SITE: Final = "bench"
AGENT: Final = "agent"
PROGRAM: Final = "from jieneng.cli import main; main()"


def meter_id(link: int, unit: int) -> str:
    """The id of a meter in the site."""
    return f"m-{link}-{unit}"


def write_import_site(folder: Path, meters: int) -> None:
    """Write a site whose meters `m-0`, `m-1` ... are on a bus that nobody polls."""
    head = f'[site]\nid = "{SITE}"\nname = "bench"\n[[area]]\nid = "a"\nname = "a"\n'
    bus = f'[[bus]]\nid = "b"\nagent = "{AGENT}"\nhost = "127.0.0.1"\nport = 502\n'
    site = [head, bus]
    site += [
        f'[[meter]]\nid = "m-{number}"\nname = "m{number}"\nmedium = "electricity"\n'
        f'model = "bench"\nbus = "b"\nunit = {number + 1}\narea = "a"\ninterval_s = 900\n'
        for number in range(meters)
    ]
    (folder / "site.toml").write_text("\n".join(site))
    _write_model(folder)


def write_site(folder: Path, meters: Meters, broker_port: int, interval_s: float) -> None:
    """Write `site.toml`, the meters' model and `agent.toml`. The meters listen already."""
    site = [f'[site]\nid = "{SITE}"\nname = "bench"\n[[area]]\nid = "a"\nname = "a"\n']
    site += [
        f'[[bus]]\nid = "bus-{link}"\nagent = "{AGENT}"\nhost = "127.0.0.1"\nport = {port}\n'
        for link, port in enumerate(meters.ports)
    ]
    site += [
        f'[[meter]]\nid = "{meter_id(link, unit)}"\nname = "m"\nmedium = "electricity"\n'
        f'model = "bench"\nbus = "bus-{link}"\nunit = {unit}\narea = "a"\n'
        f"interval_s = {interval_s}\n"
        for link, unit in meters
    ]
    (folder / "site.toml").write_text("\n".join(site))
    (folder / "agent.toml").write_text(f"[broker]\nport = {broker_port}\n")
    _write_model(folder)


def _write_model(folder: Path) -> None:
    head = (
        '[model]\nid = "bench"\nname = "bench"\nmedium = "electricity"\n'
        'source = "made for this bench"\nconfidence = "manual"\n'
    )
    points = [
        f'[[point]]\nquantity = "{name}"\nfunction = 3\naddress = {2 * row}\ntype = "f32"\n'
        for row, name in enumerate(NAMES)
    ]
    (folder / "models").mkdir()
    (folder / "models" / "bench.toml").write_text("\n".join([head, *points]))
