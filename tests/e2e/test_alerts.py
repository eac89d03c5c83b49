"""Alerts of the policy file, from a proxy's failing calls to somebody's webhook."""

import json
from pathlib import Path

import exchanges
from alerts.hooks import Hook
from e2e.answers import Answer
from e2e.client import client, register, send
from e2e.conftest import MakeProxy
from e2e.upstream import ScriptedUpstream

DEADLINE = 60.0
CHAT = exchanges.openai.CHAT
POLICY = """
alerts:
  webhook: http://{host}/hook?token=not-for-the-log
  rules:
    - {{name: upstream, when: error_ratio, above: 0.5, window: 1m, min_calls: 3}}
"""


def test_failing_calls_are_told_to_a_webhook(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, tmp_path: Path, word: str
) -> None:
    register(upstream, CHAT.saying(word), Answer(status=500, body=b'{"error":{}}'))
    file = tmp_path / "policy.yaml"
    with Hook() as hook:
        file.write_text(POLICY.format(host=hook.host))
        proxy = make_proxy(llm_policy=str(file))
        with client(proxy) as through:
            for _ in range(3):
                send(through, CHAT.saying(word))
            assert hook.came.acquire(timeout=DEADLINE), proxy.tail()
        [alert] = json.loads(hook.posted[0].body)["alerts"]
        assert (alert["status"], alert["labels"]["alertname"]) == ("firing", "upstream")
        proxy.wait_line("alert 'upstream' is firing: 3 of 3 calls")
    assert "not-for-the-log" not in proxy.log
