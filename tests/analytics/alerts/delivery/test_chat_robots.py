"""Requests of chat robots are as the services document them."""

from analytics.alerts.delivery import chat_robots
from analytics.alerts.delivery.chat_robots import Robot, parse_robot


def test_a_signature_is_that_of_the_documentation() -> None:
    """Computed with the Python lines of DingTalk's page for the secret `this is secret`."""
    assert chat_robots.signature("this is secret", 1_577_262_236_757) == EXPECTED


#: `python3 -c` with the lines of the page, 2026-11-30.
EXPECTED = "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="


def test_a_signature_is_encoded_once_in_the_address() -> None:
    robot = Robot(kind="dingtalk", url="https://h/robot/send?access_token=a", secret="SECb")  # noqa: S106 - of no robot
    url = chat_robots.request_url(robot, 1_795_000_000_000)
    assert url.startswith("https://h/robot/send?access_token=a&timestamp=1795000000000&sign=")
    assert "%25" not in url
    assert url.endswith("%3D")


def test_the_forms_of_an_address_mean_the_same_robot() -> None:
    shown = parse_robot("https://oapi.dingtalk.com/robot/send?access_token=ab12&secret=SECc")
    assert parse_robot("dingtalk://SECc@ab12/") == shown
    assert shown == Robot(
        kind="dingtalk",
        url="https://oapi.dingtalk.com/robot/send?access_token=ab12",
        secret="SECc",  # noqa: S106 - of no robot
    )
    shown = parse_robot("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=a-1")
    assert parse_robot("wecombot://a-1") == parse_robot("wecombot://a-1/?key=a-1") == shown


def test_a_server_of_ones_own_and_people_to_mention_are_kept() -> None:
    """Governments run DingTalk and WeCom on servers of their own."""
    robot = parse_robot("https://im.example.gov.cn/cgi-bin/webhook/send?key=k&mobiles=138,139")
    assert robot == Robot(
        kind="wecom",
        url="https://im.example.gov.cn/cgi-bin/webhook/send?key=k",
        mobiles=("138", "139"),
    )
    body = chat_robots.request_body(robot, "t", "b")
    assert body == {
        "msgtype": "text",
        "text": {"content": "t\nb", "mentioned_mobile_list": ["138", "139"]},
    }


def test_other_addresses_are_no_robots() -> None:
    for address in ("json://h/robot/send", "https://h/robot/send", "https://h/hook?key=1", "x"):
        assert parse_robot(address) is None
