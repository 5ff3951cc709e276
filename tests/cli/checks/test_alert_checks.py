"""`jieneng check` tries the addresses of receivers, and warns of secrets in `alerts.toml`."""

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jieneng.cli.checks.alert_checks import Checked, check_alerts
from jieneng.site_folder import SiteFolder, examine
from tests.analytics.sites import HEAD

SITE = '[[area]]\nid = "block"\nname = "block"\n'


def check(folder: Path, alerts: str, site: str = HEAD + SITE, at: str = "2026-06-01") -> Checked:
    (folder / "site.toml").write_text(site, encoding="utf-8")
    (folder / "alerts.toml").write_text(alerts, encoding="utf-8")
    now = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return check_alerts(folder, examine(folder), round(now.timestamp() * 1000))


def receiver(line: str) -> str:
    return f'[[receiver]]\nid = "duty"\n{line}\n'


@pytest.mark.parametrize(
    "address",
    [
        "mailtos://alarm:secret@smtp.example.org?to=office@example.org",
        "https://oapi.dingtalk.com/robot/send?access_token=secret",
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=secret",
        "jsons://user:secret@ops.example.org/alerts",
    ],
)
def test_an_address_with_a_secret_belongs_into_a_file(address: str, tmp_path: Path) -> None:
    found = check(tmp_path, receiver(f'url = "{address}"'))
    assert not found.problems
    (warning,) = found.warnings
    assert str(warning) == (
        "alerts.toml:3: the address of receiver duty contains a password or a key. "
        "Anybody with a copy of alerts.toml can read it. "
        'Move the address to a file: url_file = "secrets/duty.url"'
    )
    assert "secret@" not in str(found)
    (tmp_path / "duty.url").write_text(address)
    assert check(tmp_path, receiver('url_file = "duty.url"')) == ((), ())


def test_an_address_without_a_secret_may_stand_in_the_file(tmp_path: Path) -> None:
    address = "mailto://mail.example.org?from=a@example.org&to=b@example.org"
    assert check(tmp_path, receiver(f'url = "{address}"')) == ((), ())


@pytest.mark.parametrize("address", ["smpt://mail.example.org", "office@example.org", ""])
def test_an_address_of_an_unknown_kind_is_a_mistake(address: str, tmp_path: Path) -> None:
    (problem,) = check(tmp_path, receiver(f'url = "{address}"')).problems
    assert str(problem) == (
        "alerts.toml:3: messages can't be sent to this address. "
        "Addresses are explained in docs/alerts.md, [[receiver]]."
    )


def test_a_missing_file_and_a_missing_variable_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (problem,) = check(tmp_path, receiver('url_file = "lost.url"')).problems
    assert str(problem).startswith("alerts.toml:3: the address of receiver duty can't be read from")
    monkeypatch.delenv("JIENENG_RECEIVER_DUTY", raising=False)
    (problem,) = check(tmp_path, receiver("")).problems
    assert str(problem).startswith("alerts.toml:1: receiver duty has no address: ")
    monkeypatch.setenv("JIENENG_RECEIVER_DUTY", "jsons://ops.example.org/alerts")
    assert check(tmp_path, receiver("")) == ((), ())


def test_the_next_year_is_asked_for_in_december(tmp_path: Path) -> None:
    assert check(tmp_path, "", at="2098-11-30").warnings[0].values == {"year": 2098}
    found = check(tmp_path, "", at="2098-12-01")
    assert [warning.values["year"] for warning in found.warnings] == [2098, 2099]


def test_rules_are_checked_beside_a_site_that_can_t_be_read(tmp_path: Path) -> None:
    """Ids of the site are not judged; all else is."""
    (tmp_path / "alerts.toml").write_text(
        '[[rule]]\nid = "own"\nsignal = "nightflow"\narea = ["a"]\nabove = 1.0\n'
        '[[maintenance]]\nid = "m"\nfrom = 2026-01-02T00:00:00\nto = 2026-01-01T00:00:00\n'
        'reason = ""\nbus = ["b"]\n'
    )
    (problem,) = check_alerts(tmp_path, None, 0).problems
    assert problem.path == ("rule", 0, "signal")


def test_the_example_s_rows_are_right_once_their_comment_signs_are_removed(
    tmp_path: Path, example: SiteFolder
) -> None:
    """`jieneng init` copies the file, and a newcomer edits it."""
    text = (example.path / "alerts.toml").read_text(encoding="utf-8")
    assert not tomllib.loads(text)
    rows = re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)
    assert {"receiver", "route", "rule", "hours"} <= set(tomllib.loads(rows))
    (tmp_path / "secrets").mkdir()
    for name in ("duty", "office"):
        (tmp_path / "secrets" / f"{name}.url").write_text("jsons://ops.example.org/alerts\n")
    site = (example.path / "site.toml").read_text(encoding="utf-8")
    assert check(tmp_path, rows, site) == ((), ())


def test_addresses_are_tried_beside_other_mistakes(tmp_path: Path) -> None:
    rows = receiver('url = "office@example.org"') + '[[rule]]\nid = "own"\nsignal = "flow"\n'
    found = check(tmp_path, rows)
    assert sorted(problem.line or 0 for problem in found.problems) == [3, 6]
