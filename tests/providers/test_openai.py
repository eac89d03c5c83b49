import pytest

from mitmcache.providers.openai import operations

PATHS = {
    "/chat/completions": "openai.chat",
    "/extensions/chat/completions": "openai.chat",
    "/completions": "openai.completions",
    "/engines/ada/completions": "openai.completions",
    "/responses": "openai.responses",
    "/responses/input_tokens": "openai.responses.input_tokens",
    "/responses/compact": None,
    "/responses/resp_1": None,
    "/embeddings": "openai.embeddings",
    "/moderations": "openai.moderations",
    "/decisions": "openai.decisions",
    "/images/generations": "openai.images",
    "/images/edits": "openai.images",
    "/images/variations": "openai.images",
    "/audio/speech": "openai.audio.speech",
    "/audio/transcriptions": "openai.audio.transcriptions",
    "/audio/translations": "openai.audio.transcriptions",
    "/audio/voices": None,
    "/rerank": "rerank",
    "/files": None,
    "/batches": None,
    "/videos": None,
    "/chat/completions/chatcmpl-1": None,
    "/chat/completions\n": None,
}


@pytest.mark.parametrize(("path", "name"), PATHS.items())
def test_the_operations_below_a_prefix(path: str, name: str | None) -> None:
    found = [dialect.name for _, pattern, dialect in operations("/v1") if pattern.fullmatch("/v1" + path)]
    assert found == ([name] if name else [])
