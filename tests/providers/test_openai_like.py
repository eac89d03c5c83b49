import re

from mitmcache.providers.openai_like import PROVIDERS, TABLE


def test_a_line_of_the_table_is_a_provider() -> None:
    assert [provider.name for provider in PROVIDERS] == [like.name for like in TABLE]
    for like, provider in zip(TABLE, PROVIDERS, strict=True):
        names = {dialect.name for _, _, dialect in provider.operations}
        assert "openai.chat" in names
        assert ("anthropic.messages" in names) == bool(like.messages)
        assert provider.done_optional == like.done_optional


def test_a_host_pattern_holds_no_bare_alternatives() -> None:
    """`a|b:1` would lose its port, or gain one, on the way into `allow_hosts`."""
    for like in TABLE:
        assert "|" not in re.sub(r"\([^()]*(?:\([^()]*\)[^()]*)*\)", "", like.host), like


def test_done_is_optional_where_it_was_seen_missing_and_on_local_servers() -> None:
    lenient = {provider.name for provider in PROVIDERS if provider.done_optional}
    assert lenient == {"cerebras", "perplexity", "writer", "lmstudio", "vllm", "llamacpp"}
