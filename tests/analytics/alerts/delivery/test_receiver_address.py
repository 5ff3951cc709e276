"""An address comes from the row, from a file or from the environment, and from no other place."""

from pathlib import Path

import pytest

from analytics.alerts.alert_rule import Receiver
from analytics.alerts.delivery.receiver_address import receiver_address
from jieneng.metering.errors import UsageError

ADDRESS = "mailtos://user:word@mail.example.org?to=office@example.org"


def test_an_address_comes_from_the_row_the_file_or_the_environment(tmp_path: Path) -> None:
    (tmp_path / "office.url").write_text(f"{ADDRESS}\n")
    environment = {"JIENENG_RECEIVER_NIGHT_SHIFT": ADDRESS}
    for receiver in (
        Receiver(id="office", url=ADDRESS),
        Receiver(id="office", url_file="office.url"),
        Receiver(id="night-shift"),
    ):
        assert receiver_address(receiver, tmp_path, environment) == ADDRESS


def test_a_missing_address_is_said_with_the_place_where_it_belongs(tmp_path: Path) -> None:
    (tmp_path / "empty.url").write_text("\n")
    for receiver, words in (
        (Receiver(id="night-shift"), "JIENENG_RECEIVER_NIGHT_SHIFT"),
        (Receiver(id="office", url_file="gone.url"), r"gone\.url: No such file"),
        (Receiver(id="office", url_file="empty.url"), r"empty\.url .*is empty"),
    ):
        with pytest.raises(UsageError, match=words):
            receiver_address(receiver, tmp_path, {})
