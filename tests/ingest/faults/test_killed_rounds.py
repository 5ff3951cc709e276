"""After any kill, loss, duplicate or delay, each sample is in one place, and stored in the end."""

from pathlib import Path

import pytest

from ingest.quarantine.quarantine_entry import AgentAccount
from jieneng.site_folder import SiteFolder
from tests.ingest.faults.fault_rig import REFUSED, UNKNOWN, FaultRig

STEPS = ("written", "quarantined", "recorded", "acknowledging")


async def settle(rig: FaultRig) -> None:
    """Let the ingest run undisturbed until no batch is pending."""
    for _ in range(3):
        await rig.live()
    assert [agent.pending for agent in rig.agents] == [{}, {}]
    assert all(agent.is_balanced for agent in rig.agents)


async def check_books(rig: FaultRig) -> None:
    """Check that the quarantine has the refused samples and the store the rest; end the causes."""
    aside = {one for one in rig.truth if one.meter in {*REFUSED, UNKNOWN}}
    assert rig.quarantined() == dict.fromkeys(aside, 1)
    assert await rig.stored() == dict.fromkeys(rig.truth - aside, 1)
    quarantine = rig.quarantine()
    for agent in rig.agents:
        held = quarantine.accounts()[agent.name].held
        assert held == agent.quarantined == len(aside & agent.samples)
        assert agent.stored == len(agent.samples - aside)
    rig.refused, rig.knows_later = frozenset(), True
    later = {one for one in aside if one.meter == UNKNOWN and one in rig.agents[1].samples}
    assert await rig.replay() == len(aside - later)
    assert await rig.stored() == dict.fromkeys(rig.truth - later, 1)
    assert rig.quarantined() == dict.fromkeys(later, 1)  # the meter is on a bus of agent-1
    for agent in rig.agents:
        left = len(later & agent.samples)
        replayed = agent.quarantined - left
        account = AgentAccount(held=left, replayed=replayed)
        assert quarantine.accounts()[agent.name] == account
    quarantine.close()


async def test_killed_between_write_and_acknowledgement_a_hundred_times(
    example: SiteFolder, tmp_path: Path
) -> None:
    rig = FaultRig(example, tmp_path, seed=1)
    for number in range(100):
        rig.read_some(3)
        await rig.live(kill_at=STEPS[number % 4])
        assert all(agent.is_balanced for agent in rig.agents)
    assert sum(rig.kills.values()) >= 95
    assert set(rig.kills) == set(STEPS)
    await settle(rig)
    await check_books(rig)


async def test_messages_and_acknowledgements_that_are_lost_doubled_and_reordered(
    example: SiteFolder, tmp_path: Path
) -> None:
    rig = FaultRig(example, tmp_path, seed=2)
    for number in range(40):
        rig.read_some(8)
        await rig.live(mess=0.4, kill_at=STEPS[number % 4] if number % 5 == 0 else "")
        assert all(agent.is_balanced for agent in rig.agents)
    await settle(rig)
    await check_books(rig)
    for agent, ack in rig.held_back:  # even acknowledgements of the first round do no harm
        agent.hear(ack)
    assert all(agent.is_balanced for agent in rig.agents)


async def test_a_full_disk_of_the_quarantine_costs_what_is_good_nothing(
    example: SiteFolder, tmp_path: Path
) -> None:
    rig = FaultRig(example, tmp_path, seed=3)
    rig.read_some(20)
    await rig.live()
    rig.disk_is_full = True
    rig.read_some(200)
    for _ in range(3):
        await rig.live()
    aside = {one for one in rig.truth if one.meter in {*REFUSED, UNKNOWN}}
    # The good samples of every batch are stored, even if the batch can't be acknowledged.
    assert await rig.stored() == dict.fromkeys(rig.truth - aside, 1)
    pending = {
        one for agent in rig.agents for batch in agent.pending.values() for one in batch.samples
    }
    kept = rig.quarantined()
    assert set(kept) | pending >= aside
    assert len(pending) > 100
    assert all(agent.is_balanced for agent in rig.agents)
    rig.disk_is_full = False
    await settle(rig)
    await check_books(rig)


@pytest.mark.parametrize("max_bytes", [65536, 10**5])
async def test_a_quarantine_that_is_full_acknowledges_only_what_it_holds(
    example: SiteFolder, tmp_path: Path, max_bytes: int
) -> None:
    rig = FaultRig(example, tmp_path, seed=4)
    rig.quarantine_bytes = max_bytes
    for number in range(15):
        rig.read_some(20)
        await rig.live(kill_at=STEPS[number % 4] if number % 3 == 0 else "")
    held = rig.quarantined()
    assert len(held) == held.total() >= sum(agent.quarantined for agent in rig.agents)
    assert any(agent.pending for agent in rig.agents)
    assert all(agent.is_balanced for agent in rig.agents)
    rig.quarantine_bytes = 2**40
    await settle(rig)
    await check_books(rig)
