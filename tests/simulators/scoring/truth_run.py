"""The run of which the tests write and read a truth folder."""

from simulators.scoring.truth_files import ServedAnswer

NOON = 1_763_956_800_000  # 2025-11-24T04:00:00Z, 12:00 in Huai'an
QUARTER = 900_000
PEER = "127.0.0.1:40000"


def served_answer(time_ms: int, value: float | None = 812_345.6, **other: object) -> ServedAnswer:
    fields: dict[str, object] = {
        "time_ms": time_ms,
        "meter": "e-main",
        "quantity": "energy_kwh",
        "value": value,
        "register": 812_345.6,
        "answer": "good",
        "faults": (),
        "peer": PEER,
    }
    return ServedAnswer(**{**fields, **other})  # type: ignore[arg-type]  # as the struct has them
