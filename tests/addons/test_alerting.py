import asyncio
import json
from pathlib import Path

import pytest

from addons.conftest import MakeRig
from addons.flows import Rig, flow_of, response
from alerts.hooks import Hook
from exchanges.openai import CHAT
from mitmcache.addons import alerting
from mitmcache.addons.alerting import Alerting
from mitmcache.addons.journaling import Journaling
from mitmcache.store.disk import DiskStore
from mitmcache.store.rows import DiskStats

DEADLINE = 60.0
ERRORS = "- {name: many errors, when: error_ratio, above: 0.5, min_calls: 3}"
STORE = "- {when: store_down, for: 10s}"


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def monotonic(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(alerting, "monotonic", made)
    return made


def policy(folder: Path, *rules: str, webhook: str = "") -> str:
    file = folder / "policy.yaml"
    lines = ["rules: []", "alerts:", f"  webhook: {webhook}" if webhook else "", "  rules:"]
    file.write_text("\n".join([*lines, *(f"    {rule}" for rule in rules)]))
    return str(file)


async def fail(rig: Rig, times: int) -> None:
    for _ in range(times):
        await rig.call(flow_of(CHAT), response(b"{}", status=500))
    await rig.get(Journaling).journal.flush(DEADLINE)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message for message in caplog.messages if "alert" in message]


async def test_an_alert_is_logged_and_posted_once_and_once_more_when_it_is_over(
    make_rig: MakeRig, tmp_path: Path, monotonic: Time, caplog: pytest.LogCaptureFixture
) -> None:
    with Hook() as hook:
        rig = make_rig(llm_policy=policy(tmp_path, ERRORS, webhook=f"http://{hook.host}/secret"))
        watching = rig.get(Alerting)
        await fail(rig, 2)
        await watching.look()
        assert told(caplog) == []
        await fail(rig, 1)
        for _ in range(3):
            await watching.look()
        for monotonic.now in (2000.0, 2100.0, 2200.0):
            await watching.look()
        await asyncio.wait_for(watching.done(), DEADLINE)
        summary = "3 of 3 calls over 10m failed, 100.0%, more than 50.0%"
        assert told(caplog) == [
            f"mitmcache: alert 'many errors' is firing: {summary}",
            f"mitmcache: alert 'many errors' is over: {summary}",
        ]
        assert [json.loads(posted.body)["status"] for posted in hook.posted] == ["firing", "resolved"]


async def test_a_store_that_is_down_is_told_of(
    make_rig: MakeRig, tmp_path: Path, monotonic: Time, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    watching = make_rig(tmp_path / "file", llm_policy=policy(tmp_path, STORE)).get(Alerting)
    await watching.look()
    monotonic.now += 10
    await watching.look()
    assert told(caplog) == ["mitmcache: alert 'store_down' is firing: disk cannot be used"]


async def test_it_looks_by_itself_and_goes_on_after_a_failure(
    make_rig: MakeRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looked, stats = asyncio.Semaphore(0), DiskStore.stats

    async def failing(self: DiskStore) -> DiskStats:
        looked.release()
        if caplog.messages:
            return await stats(self)
        raise RuntimeError("no such thing")

    monkeypatch.setattr(alerting, "TICK", 0.001)
    rig = make_rig(llm_policy=policy(tmp_path, STORE))
    monkeypatch.setattr(DiskStore, "stats", failing)
    watching = rig.get(Alerting)
    watching.running()
    for _ in range(3):
        await asyncio.wait_for(looked.acquire(), DEADLINE)
    await watching.done()
    assert caplog.messages == ["mitmcache: alerts could not be looked at"]


async def test_without_rules_nobody_looks_until_there_are_some(
    make_rig: MakeRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = asyncio.Event()

    async def look(self: Alerting) -> None:
        looked.set()

    monkeypatch.setattr(alerting, "TICK", 0.001)
    monkeypatch.setattr(Alerting, "look", look)
    rig = make_rig()
    watching = rig.get(Alerting)
    watching.running()
    await asyncio.sleep(0.01)
    assert not looked.is_set()
    rig.options.update(llm_policy=policy(tmp_path, STORE))
    await asyncio.wait_for(looked.wait(), DEADLINE)
    await watching.done()
