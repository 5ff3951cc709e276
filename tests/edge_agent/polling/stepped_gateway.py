"""A gateway on a stepped clock: only replies and time-outs take time."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from zoneinfo import ZoneInfo

from edge_agent.polling.bus_poller import BusPoller
from edge_agent.polling.poll_slots import PollSlots
from edge_agent.polling.polled_meter import PolledMeter, PollResult
from edge_agent.protocols.request_reply import Ask, Pause, Reply, Talk
from jieneng import observe
from jieneng.metering.errors import DeviceRefused, LinkError, PeerError, ReplyTimedOut
from jieneng.metering.reading import PollReport, Sample
from tests.edge_agent.agent_setup import EVEN, append_samples_to, meter
from tests.edge_agent.misbehaving import Question
from tests.stepped_clock import SteppedClock

BEGIN_MS = 1_795_000_000_000
#: What a question leads to: the bytes of a reply, no answer, or what a link raises.
Answer = bytes | LinkError | PeerError | None


class Gateway:
    """A link, as the poller knows it.

    Attributes:
        asked: when each unit was asked, on the monotonic clock.
        questions: all of them.
    """

    def __init__(
        self,
        clock: SteppedClock,
        answer: Callable[[Question, float], Answer],
        *,
        timeout_s: float = 1.0,
        wire_s: float = 0.05,
        listens: bool = False,
    ) -> None:
        """Make one.

        Args:
            clock: what everything costs.
            answer: what a question at a time leads to.
            timeout_s: what silence costs.
            wire_s: what a question and its answer cost.
            listens: silence costs another time-out before the next question, as without numbers.
        """
        self.asked: defaultdict[int, list[float]] = defaultdict(list)
        self.questions: list[Question] = []
        self._clock = clock
        self._answer = answer
        self._timeout_s = timeout_s
        self._wire_s = wire_s
        self._listens = listens
        self._quiet = True

    async def converse(self, talk: Talk, sleep: Callable[[float], Awaitable[None]]) -> None:
        command = next(talk)
        while True:
            if isinstance(command, Pause):
                await sleep(command.seconds)
                command = next(talk)
                continue
            try:
                reply = await self._exchange(command)
            except (LinkError, PeerError) as error:
                command = talk.throw(error)
            else:
                command = talk.send(reply)

    async def _exchange(self, ask: Ask) -> Reply:
        if self._listens and not self._quiet:
            await self._clock.sleep(self._timeout_s)
        self._quiet = True
        steps = ask.exchange
        frame, needed, _ = next(steps)
        question = Question(frame, False, len(self.questions) + 1, 1)
        self.questions.append(question)
        self.asked[question.unit].append(self._clock.monotonic())
        answer = self._answer(question, self._clock.monotonic())
        await self._clock.sleep(self._timeout_s if answer is None else self._wire_s)
        if answer is None:
            self._quiet = False
            raise ReplyTimedOut("no reply in time")
        if not isinstance(answer, bytes):
            raise answer
        while True:
            data, answer = answer[:needed], answer[needed:]
            try:
                _, needed, _ = steps.send(data)
            except StopIteration as end:
                what, _ = end.value
                if isinstance(what, DeviceRefused):
                    raise what from None
                return Reply(what, self._clock.now_ms())

    def close(self) -> None:
        return


class Bus:
    """A poller on a stepped clock, and what it handed on.

    Attributes:
        heard: its polls ...
        samples: ... and what was read in them.
    """

    def __init__(
        self,
        answer: Callable[[Question, float], Answer],
        *,
        units: int = 1,
        interval_s: float = 15.0,
        timeout_s: float = 1.0,
        wire_s: float = 0.05,
        listens: bool = False,
        every: Mapping[str, int] | None = None,
        before: "Bus | None" = None,
        bus: str = "b",
        start_group: int = 0,
        clock: SteppedClock | None = None,
    ) -> None:
        self.interval_s = interval_s
        own = before.clock if before else SteppedClock(BEGIN_MS, sleepers=1)
        self.clock: SteppedClock = clock or own
        self.slots: PollSlots = (
            before.slots if before else PollSlots(self.clock.now_ms(), self.clock.monotonic())
        )
        self.gateway = Gateway(
            self.clock, answer, timeout_s=timeout_s, wire_s=wire_s, listens=listens
        )
        self.heard: list[PollResult] = []
        self.samples: list[Sample] = []
        self.poller = BusPoller(
            bus,
            [
                PolledMeter(
                    meter(f"m{unit}", bus, unit, interval_s=interval_s, every=dict(every or {})),
                    EVEN,
                    ZoneInfo("Asia/Shanghai"),
                )
                for unit in range(1, units + 1)
            ],
            phase_key="agent",
            start_group=start_group,
            link=self.gateway,
            link_kind="tcp",
            clock=self.clock,
            slots=self.slots,
            on_result=self._keep,
            log=observe.log("test"),
        )
        if before:
            self.poller.take_over(before.poller)

    async def run(self, seconds: float) -> None:
        """Poll until a time [s] after the start of the clock."""
        task = asyncio.create_task(self.poller.run())
        try:
            await self.clock.run_until(BEGIN_MS + round(1000 * seconds))
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _keep(self, poll: PollResult) -> None:
        self.heard.append(poll)
        append_samples_to(self.samples)(poll)

    def polls(self, unit: int) -> list[PollReport]:
        return [one.report() for one in self.heard if one.meter.site_meter.unit == unit]

    def of(self, unit: int) -> list[Sample]:
        return [one for one in self.samples if one.meter == f"m{unit}"]

    def times_s(self, unit: int) -> list[float]:
        return [(one.time_ms - BEGIN_MS) / 1000 for one in self.of(unit)]
