"""The end of a certificate's validity is the one that openssl says, in both forms of time."""

import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jieneng.mqtt import broker_files
from jieneng.mqtt.certificate_validity import not_after_ms
from tests.mqtt import certificates


@pytest.mark.server
@pytest.mark.parametrize("days", [20, 20_000], ids=["UTCTime", "GeneralizedTime"])
def test_the_end_is_that_of_openssl(tmp_path: Path, days: int) -> None:
    path = certificates.make(tmp_path, "a", days)
    (certificate,) = broker_files.certificates(str(path))
    assert not_after_ms(certificate) == certificates.expiry_ms(path)


@pytest.mark.server
def test_each_certificate_of_a_chain_is_found_between_other_lines(tmp_path: Path) -> None:
    paths = [certificates.make(tmp_path, name, days) for name, days in (("a", 9), ("b", 5))]
    chain = tmp_path / "chain.pem"
    key = (tmp_path / "a.key").read_text()
    chain.write_text(f"Subject: a\n{paths[0].read_text()}{key}\n{paths[1].read_text()}")
    ends = [not_after_ms(one) for one in broker_files.certificates(str(chain))]
    assert ends == [certificates.expiry_ms(path) for path in paths]


#: Issued in 1995 (RFC 5280: years from 50 on are of the last century); only what is read is there.
OLD = (
    bytes.fromhex("3029 3027 020101 3000 3000 301e") + b"\x17\x0d950101000000Z\x17\x0d990102030405Z"
)


def test_two_digits_of_a_year_from_50_on_are_of_the_last_century() -> None:
    assert not_after_ms(OLD) == 1000 * ssl.cert_time_to_seconds("Jan  2 03:04:05 1999 GMT")
    assert not_after_ms(OLD.replace(b"99", b"60")) == 1000 * ssl.cert_time_to_seconds(
        "Jan  2 03:04:05 1960 GMT"
    )


@given(st.binary() | st.integers(0, len(OLD)).map(lambda n: OLD[:n]))
def test_any_other_bytes_are_a_value_error(der: bytes) -> None:
    if der != OLD:
        with pytest.raises(ValueError):  # noqa: PT011 - of any text
            not_after_ms(der)
