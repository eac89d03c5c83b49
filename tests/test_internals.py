import sys
from pathlib import Path

import mitmproxy
import pytest
from mitmproxy import hooks

from mitmcache.internals import Unfamiliar, digest, verify


def test_a_digest_is_of_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = set()
    for number, text in enumerate(["return 1", "return 1", "return 2"]):
        name = f"made_up_{number}"
        (tmp_path / f"{name}.py").write_text(f"def args(self):\n    {text}\n")
        monkeypatch.syspath_prepend(tmp_path)
        module = __import__(name)
        monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(hooks.Hook, "args", module.args)
        digests.add(digest("hooks.Hook.args"))
    assert len(digests) == 2


@pytest.mark.parametrize(
    "name", ["hooks.Hook.nothing", "nothing.at.all", "hooks.all_hooks", "hooks.Hook.made"]
)
def test_there_is_none_of_what_has_no_source(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, object] = {}
    exec(compile("def made(self): return []", "<nowhere>", "exec"), made)
    monkeypatch.setattr(hooks.Hook, "made", made["made"], raising=False)
    assert digest(name) == ""
    with pytest.raises(Unfamiliar, match=name):
        verify({"hooks.Hook.args": digest("hooks.Hook.args"), name: "0123456789abcdef"})


def test_what_is_known_is_fine() -> None:
    verify({name: digest(name) for name in ("hooks.Hook.args", "http.MessageData")})
    assert mitmproxy
