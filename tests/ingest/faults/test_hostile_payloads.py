"""10,000 hostile payloads: no crash, no leak, and no effect on correct batches."""

import asyncio
import json
import random
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.admission.message_checker import MessageChecker
from ingest.metrics import Metrics
from ingest.quarantine.quarantine_entry import EntryFilter
from ingest.quarantine.quarantine_file import Quarantine
from ingest.quarantine.quarantine_writer import QuarantineWriter
from ingest.settings import BatchSettings
from ingest.storing.batcher import Batcher
from ingest.storing.late_days import LateDays
from ingest.storing.point_writer import PointWriter
from jieneng import observe
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Ack, Status
from jieneng.metering.schema import FIELDS, MEASUREMENTS, TEXT_FIELDS
from jieneng.site_folder import SiteFolder
from jieneng.storage.sqlite import SqliteStore
from tests.ingest.agent import BOOT, SITE, START, batch, sample
from tests.patience import PATIENCE_S
from tests.stepped_clock import SteppedClock

#: Payloads of an example of hypothesis, and examples.
EACH, EXAMPLES = 500, 20
MAX_BYTES, MAX_OTHER_BYTES = 10**6, 10**5

TOPICS = [
    *[mqtt_messages.topic(SITE, "agent-1", "batch")] * 6,
    mqtt_messages.topic(SITE, "agent-1", "status"),
    mqtt_messages.topic(SITE, "agent-1", "ack"),
    mqtt_messages.topic(SITE, "nobody", "batch"),
    mqtt_messages.topic("elsewhere", "agent-1", "batch"),
    "jieneng/1/\x00/\ud7ff中/batch",
    "",
]
GOOD = mqtt_messages.encode_batch(batch(5, [sample(1), sample(2, "e-b1")]))
STATUS = mqtt_messages.encode_status(
    Status(agent="agent-1", boot=BOOT, online=True, time_ms=START, read=1, stored=1)
)
LEAVES = [None, True, False, 0, -1, 2**63, 10**400, 1e308, -1e308, "", "e-main", "\x00", "中" * 99]


def value(chance: random.Random, depth: int = 0) -> object:
    """Return anything that JSON can say."""
    kind = chance.random()
    if depth > 6 or kind < 0.6:
        return chance.choice(LEAVES)
    if kind < 0.8:
        return [value(chance, depth + 1) for _ in range(chance.randrange(4))]
    keys = ("v", "agent", "boot", "seq", "samples", "layouts", "x")
    return {chance.choice(keys): value(chance, depth + 1) for _ in range(chance.randrange(5))}


def with_a_wrong_part(chance: random.Random) -> bytes:
    """Return a batch or a status of which one part is something else."""
    form = json.loads(chance.choice([GOOD, STATUS]))
    place = form
    while chance.random() < 0.6:
        inner = [key for key in _keys(place) if isinstance(place[key], list | dict) and place[key]]
        if not inner:
            break
        place = place[chance.choice(inner)]
    place[chance.choice(_keys(place))] = value(chance)
    return json.dumps(form).encode()


def _keys(place: object) -> list:  # type: ignore[type-arg]  # of a list or a dict
    return list(place) if isinstance(place, dict) else list(range(len(place)))  # type: ignore[arg-type]


def damaged(chance: random.Random) -> bytes:
    payload = bytearray(chance.choice([GOOD, STATUS]))
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(payload))
        payload[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
    return bytes(payload)


def with_times_and_meters(chance: random.Random) -> bytes:
    meters = ["e-main", "e-b3", "nosuch", "x" * 999, f"no-{chance.random()}", ""]
    times = [START, 946_684_800_000, 4_102_444_799_999, START + 10**9]
    samples = [
        [chance.choice(meters), chance.choice(times), 0, 0, [chance.choice([1.0, None, 1e308])]]
        for _ in range(chance.randrange(1, 30))
    ]
    form = {"v": 1, "agent": "agent-1", "boot": BOOT, "seq": chance.randrange(1, 2**53)}
    return json.dumps(form | {"layouts": [["energy_kwh"]], "samples": samples}).encode()


#: A float field of each measurement that has one.
ANY_FIELD = {name: min(numbers) for name in MEASUREMENTS if (numbers := FIELDS[name] - TEXT_FIELDS)}

KINDS: list[Callable[[random.Random], bytes]] = [
    with_a_wrong_part,
    damaged,
    with_times_and_meters,
    lambda chance: json.dumps(value(chance)).encode(),
    lambda chance: chance.randbytes(chance.randrange(300)),
    lambda chance: chance.choice([b"[", b'{"v":', b'"']) * chance.randrange(3000),
]
HUGE = [
    b"x" * 10**7,
    b'{"v":1,"boot":"6f1c2a9e","seq":7,"samples":[' + b"1," * (5 * 10**6) + b"1]}",
    b"[" * 10**6,
    b'{"v":2,"boot":"6f1c2a9e","seq":7,"samples":[' + b"[]," * 10**6 + b"[]]}",
]


@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers(0, 2**64))
def test_ten_thousand_payloads(example: SiteFolder, tmp_path: Path, seed: int) -> None:
    path = tmp_path / str(seed)
    path.mkdir(exist_ok=True)
    asyncio.run(flood(example, path, random.Random(seed)))
    assert sum(file.stat().st_size for file in path.glob("quarantine.db*")) < 6 * 10**6


async def flood(site: SiteFolder, path: Path, chance: random.Random) -> None:
    store, quarantine = SqliteStore(path / "s"), Quarantine(path, MAX_BYTES, MAX_OTHER_BYTES)
    metrics, log, clock = Metrics(), observe.log("test"), SteppedClock(START, 0)
    heard: set[int] = set()
    came = asyncio.Event()

    async def acknowledge(agent: str, ack: Ack) -> None:
        assert agent == "agent-1"
        for part in (ack.stored, ack.quarantined, ack.partly):
            assert mqtt_messages.decode_ack(mqtt_messages.encode_ack(ack)) == ack, part
        heard.update(first for first, _ in ack.stored)
        came.set()

    async def record(_: object) -> None: ...

    writer = QuarantineWriter(quarantine, metrics=metrics, clock=clock, log=log)
    loop = asyncio.get_running_loop()
    points = PointWriter(store, LateDays(site.site, clock), loop.time, metrics=metrics, log=log)
    batcher = Batcher(
        BatchSettings(max_delay_s=0), points, writer.write, acknowledge, record, metrics=metrics
    )
    checker = MessageChecker(site.site, site.models)
    running = asyncio.create_task(batcher.run())
    try:
        for number in range(EACH):
            payload = chance.choice(KINDS)(chance)
            if chance.random() < 1 / EACH:
                payload = chance.choice(HUGE)
            batcher.add(checker.check(chance.choice(TOPICS), payload, START))
            if number % 100 == 0:
                honest = mqtt_messages.encode_batch(batch(2**52 + number, [sample(number)]))
                assert batcher.add(checker.check(TOPICS[0], honest, START)) == "stored"
                async with asyncio.timeout(PATIENCE_S):
                    while 2**52 + number not in heard:
                        came.clear()
                        await came.wait()
        async with asyncio.timeout(PATIENCE_S):
            while metrics.registry.get_sample_value("jieneng_ingest_waiting_points"):
                assert not running.done()
                await asyncio.sleep(0.001)
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert len(batcher._keys) == 0
    await check_what_is_left(site, store, quarantine)
    await store.close()
    quarantine.close()


async def check_what_is_left(site: SiteFolder, store: SqliteStore, quarantine: Quarantine) -> None:
    """The files are bounded, and hold nothing that the site does not know."""
    for acknowledged, most in ((True, MAX_BYTES), (False, MAX_OTHER_BYTES)):
        assert quarantine.usage(acknowledged=acknowledged).bytes <= most
    entries = [entry.item for entry in quarantine.entries(EntryFilter())]
    assert all(item.agent == "agent-1" for item in entries if item.acknowledged)
    for name, field in ANY_FIELD.items():  # nobody's name of a meter or an agent got in
        for series in await store.read(name, field, where={}, start_ms=0, end_ms=2**43):
            assert series.tags.get("meter", "e-main") in site.site.meters
            assert series.tags.get("agent", "agent-1") == "agent-1"


def test_one_of_ten_megabytes_is_refused_unread(example: SiteFolder) -> None:
    checker = MessageChecker(example.site, example.models)
    for payload in HUGE:
        checked = checker.check(TOPICS[0], payload, START)
        assert checked.points == ()
        kept = sum(len(item.payload) for item in checked.to_quarantine)
        assert kept <= (mqtt_messages.MAX_PAYLOAD if checked.batch_id else 4096)
