"""A bus that is changed by a new site file keeps the state of its unchanged meters."""

from jieneng.metering.reading import Quality
from tests.edge_agent.polling.stepped_gateway import Bus


async def test_a_meter_that_is_as_it_was_is_judged_by_what_it_said_before() -> None:
    """It repeats itself for six minutes before the reload and six after it: stale."""
    first = Bus(lambda question, _: question.reply(1))
    await first.run(360.0)
    then = Bus(lambda question, _: question.reply(1), units=2, before=first)
    await then.run(720.0)
    assert not any(one.quality & Quality.STALE.value for one in first.samples)
    assert then.of(1)[-1].quality & Quality.STALE.value
    assert not then.of(2)[-1].quality & Quality.STALE.value


async def test_a_meter_that_was_changed_is_judged_anew() -> None:
    first = Bus(lambda question, _: question.reply(1))
    await first.run(360.0)
    then = Bus(lambda question, _: question.reply(1), interval_s=14.0, before=first)
    await then.run(720.0)
    assert not then.of(1)[-1].quality & Quality.STALE.value


async def test_a_silent_meter_is_asked_at_once_and_then_as_rarely_as_before() -> None:
    """The reload may have corrected its address; if not, its neighbours lose nothing."""
    first = Bus(lambda *_: None)
    await first.run(1800.0)
    reload_s = first.clock.monotonic()
    then = Bus(lambda *_: None, units=2, before=first)
    await then.run(2400.0)
    again, *later = (at_s - reload_s for at_s in then.gateway.asked[1])
    assert again <= first.interval_s + 1.0
    assert later
    assert later[0] >= again + 300.0 - first.interval_s / 2


async def test_what_polls_came_to_is_counted_on() -> None:
    first = Bus(lambda question, _: question.reply(1))
    await first.run(360.0)
    polls = first.poller.counts.ok
    then = Bus(lambda question, _: question.reply(1), before=first)
    await then.run(420.0)
    assert polls > 20
    assert then.poller.counts.ok == polls + len(then.samples)
