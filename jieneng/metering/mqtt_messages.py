"""Encode and decode MQTT topics and payloads: Batch, Ack and Status. Pure.

Laws: a payload that can't be decoded raises an error. Encoding and decoding change nothing:
`decode_batch(encode_batch(batch)) == batch` for every batch (NaN is encoded as null).

The payload is JSON, readable with `mosquitto_sub`. A message contains the names of quantities once
(`layouts`), and the values of each sample in an array. Measurements showed this to be the fastest
readable form. Each payload contains the version of its form. An unknown version is refused, because
an old ingest must not guess the meaning of a newer form. Unknown fields of a status are ignored,
because a newer agent may send more of them.
"""

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from jieneng.metering.errors import WireError
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.reading import Ack, Batch, PollReport, Sample, Status

VERSION: Final = 1
Channel = Literal["batch", "ack", "status"]

#: Largest payload that is decoded [bytes]. Payloads of agents are far smaller.
MAX_PAYLOAD: Final = 4 * 1024 * 1024

# 2000-01-01 and 2100-01-01 [ms since 1970]: times of readings lie between them.
_EARLIEST_MS: Final = 946_684_800_000
_LATEST_MS: Final = 4_102_444_800_000


def topic(site: str, agent: str, channel: Channel) -> str:
    """Return `jieneng/1/<site>/<agent>/<channel>`; with `+` for site or agent, a subscription."""
    return f"jieneng/{VERSION}/{site}/{agent}/{channel}"


def parse_topic(name: str) -> tuple[str, str, str]:
    """Return site, agent and channel of a topic.

    Raises:
        WireError: with reason `topic`, if it is not a topic of this project.
    """
    match name.split("/"):
        case ["jieneng", "1", site, agent, "batch" | "ack" | "status" as channel]:
            return site, agent, channel
        case _:
            raise WireError("topic", "{topic} is not a known topic", topic=name)


# JSON integers have no bounds, so integers that are stored as floats or sent back are bounded here.
# Counts must be below 2**53, because a float holds every integer up to there.
_Count = Annotated[int, Meta(ge=0, lt=2**53)]
_Number = Annotated[int, Meta(ge=1, lt=2**53)]
_Quality = Annotated[int, Meta(ge=0, lt=2**16)]
_Boot = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}\Z")]
_Span = Annotated[float, Meta(ge=0, lt=1e12)]
_Share = Annotated[float, Meta(ge=0, lt=1e6)]
_Days = Annotated[float, Meta(gt=-1e6, lt=1e6)]
_TimeMs = Annotated[int, Meta(ge=0, lt=_LATEST_MS)]


# Fields stand in the order in which they are sent.
class _SampleForm(msgspec.Struct, array_like=True, gc=False, forbid_unknown_fields=True):
    meter: str
    time_ms: int
    layout: int
    quality: _Quality
    values: list[float | None]


class _PollForm(msgspec.Struct, array_like=True, gc=False, forbid_unknown_fields=True):
    meter: str
    time_ms: int
    ok: bool
    duration_ms: _Count
    attempts: _Count


class _BatchForm(msgspec.Struct, forbid_unknown_fields=True):
    v: int
    agent: str
    boot: _Boot
    seq: _Number
    layouts: list[tuple[str, ...]]
    samples: list[_SampleForm]
    polls: list[_PollForm] = []


class _AckForm(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    v: int
    boot: _Boot
    stored: list[tuple[_Number, _Number]]
    quarantined: list[tuple[_Number, str]]
    partly: list[tuple[_Number, str, _Number]] = []


class _StatusForm(msgspec.Struct):
    v: int
    agent: str
    boot: _Boot
    online: bool
    time_ms: _TimeMs
    read: _Count
    stored: _Count
    pending: _Count
    dropped: _Count
    quarantined: _Count = 0
    uptime_s: _Span = 0.0
    spool_bytes: _Count = 0
    spool_age_s: _Span = 0.0
    clock_ok: bool = True
    clock_jumps: _Count = 0
    bus_load: dict[str, _Span] = {}
    unacknowledged_s: _Span = 0.0
    # Omitted if not known: an ingest from before these fields refuses a status that has them.
    spool_share: _Share | msgspec.UnsetType = msgspec.UNSET
    disk_used: _Share | msgspec.UnsetType = msgspec.UNSET
    certificate_days: _Days | msgspec.UnsetType = msgspec.UNSET


class _Version(msgspec.Struct):
    v: int


_encoder: Final = msgspec.json.Encoder()
_decode_batch: Final = msgspec.json.Decoder(_BatchForm).decode
_decode_ack: Final = msgspec.json.Decoder(_AckForm).decode
_decode_status: Final = msgspec.json.Decoder(_StatusForm).decode
_decode_version: Final = msgspec.json.Decoder(_Version).decode


def encode_batch(batch: Batch) -> bytes:
    """Return the payload of a batch, for topic `batch`."""
    layouts: dict[tuple[str, ...], int] = {}
    samples = [
        (
            sample.meter,
            sample.time_ms,
            layouts.setdefault(sample.quantities, len(layouts)),
            sample.quality,
            sample.values,  # msgspec writes NaN as null
        )
        for sample in batch.samples
    ]
    form: dict[str, object] = {
        "v": VERSION,
        "agent": batch.agent,
        "boot": batch.boot,
        "seq": batch.seq,
        "layouts": list(layouts),
        "samples": samples,
    }
    if batch.polls:
        form["polls"] = [
            (poll.meter, poll.time_ms, poll.ok, poll.duration_ms, poll.attempts)
            for poll in batch.polls
        ]
    return _encoder.encode(form)


def decode_batch(payload: bytes, *, any_quantity: bool = False) -> Batch:
    """Return the batch of a payload.

    Args:
        payload: the payload.
        any_quantity: True to accept unknown names of quantities. An agent of a later version may
            send unknown quantities together with known ones.

    Raises:
        WireError: with `reason` one of `too_large`, `not_json`, `version`, `form`, `layout`,
            `quantity`, `time`, `empty`. No bytes cause any other exception.
    """
    form = _decode(_decode_batch, payload)
    if not form.samples and not form.polls:
        raise WireError("empty", "a batch without samples")
    check = _layout_of_any if any_quantity else _checked_layout
    layouts = [check(layout) for layout in form.layouts]
    return Batch(
        agent=form.agent,
        boot=form.boot,
        seq=form.seq,
        samples=tuple([_sample(sample, layouts) for sample in form.samples]),
        polls=tuple([_poll(poll) for poll in form.polls]),
    )


def encode_ack(ack: Ack) -> bytes:
    """Return the payload of an acknowledgement, for topic `ack`."""
    return _encoder.encode(
        _AckForm(VERSION, ack.boot, list(ack.stored), list(ack.quarantined), list(ack.partly)),
    )


def decode_ack(payload: bytes) -> Ack:
    """Return the acknowledgement of a payload.

    Raises:
        WireError: as `decode_batch`; with reason `form` also if a range ends before it starts.
    """
    form = _decode(_decode_ack, payload)
    for first, last in form.stored:
        if first > last:
            raise WireError(
                "form", "range {first}-{last} ends before it begins", first=first, last=last
            )
    return Ack(form.boot, tuple(form.stored), tuple(form.quarantined), tuple(form.partly))


def encode_status(status: Status) -> bytes:
    """Return the payload of a status, for topic `status`."""
    known = {
        name: value for name, value in msgspec.structs.asdict(status).items() if value is not None
    }
    return _encoder.encode(_StatusForm(v=VERSION, **known))


def decode_status(payload: bytes) -> Status:
    """Return the status of a payload.

    Raises:
        WireError: as `decode_batch`.
    """
    form = msgspec.structs.asdict(_decode(_decode_status, payload))
    del form["v"]
    return Status(**{name: value for name, value in form.items() if value is not msgspec.UNSET})


_Form = TypeVar("_Form", _BatchForm, _AckForm, _StatusForm)


def _decode(decode: Callable[[bytes], _Form], payload: bytes) -> _Form:
    if len(payload) > MAX_PAYLOAD:
        raise WireError("too_large", "a payload of {size} bytes is too large", size=len(payload))
    try:
        form = decode(payload)
    except msgspec.ValidationError as error:
        raise _refusal(payload, error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError("not_json", "not JSON: {error}", error=error) from error
    if form.v != VERSION:
        raise _other_version(form.v)
    return form


def _refusal(payload: bytes, error: msgspec.ValidationError) -> WireError:
    """Return the error for a payload of another form: `version` if it states another version."""
    try:
        version = _decode_version(payload).v
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        version = VERSION
    if version != VERSION:
        return _other_version(version)
    return WireError("form", "the message does not have the expected form: {error}", error=error)


def _other_version(version: int) -> WireError:
    return WireError(
        "version", "version {version} instead of {ours}", version=version, ours=VERSION
    )


@lru_cache(maxsize=4096)
def _checked_layout(layout: tuple[str, ...]) -> tuple[str, ...]:
    """Return a layout of known quantities; equal layouts share one tuple."""
    for name in layout:
        if name not in QUANTITIES:
            raise WireError("quantity", "unknown quantity {name}", name=name)
    return _layout_without_repetition(layout)


def _layout_of_any(layout: tuple[str, ...]) -> tuple[str, ...]:
    """Return a layout with any names. Only layouts of known quantities are cached."""
    try:
        return _checked_layout(layout)
    except WireError as error:
        if error.reason != "quantity":
            raise
    return _layout_without_repetition(layout)


def _layout_without_repetition(layout: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(layout)) != len(layout):
        raise WireError("layout", "a quantity occurs twice in {layout}", layout=layout)
    return layout


def _sample(form: _SampleForm, layouts: list[tuple[str, ...]]) -> Sample:
    if not 0 <= form.layout < len(layouts):
        raise WireError("layout", "layout {number} does not exist", number=form.layout)
    quantities = layouts[form.layout]
    if len(form.values) != len(quantities):
        raise WireError("layout", "{meter}: values do not match the layout", meter=form.meter)
    _check_time(form.meter, form.time_ms)
    values: Iterable[Any] = form.values
    if None in form.values:
        values = [math.nan if value is None else value for value in form.values]
    return Sample(form.meter, form.time_ms, form.quality, quantities, tuple(values))


def _poll(form: _PollForm) -> PollReport:
    _check_time(form.meter, form.time_ms)
    return PollReport(form.meter, form.time_ms, form.ok, form.duration_ms, form.attempts)


def _check_time(meter: str, time_ms: int) -> None:
    if not _EARLIEST_MS <= time_ms < _LATEST_MS:
        raise WireError(
            "time", "{meter}: {time_ms} ms is not a valid time", meter=meter, time_ms=time_ms
        )
