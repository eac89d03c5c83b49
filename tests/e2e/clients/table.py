"""The clients, what they are told by the provider, and how they are run."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import exchanges
from e2e.client import answer_of, either
from e2e.programs import User
from e2e.upstream import ScriptedUpstream
from exchanges import anthropic, google, openai, others

PROGRAMS = Path(__file__).with_name("programs")
DEADLINE = 200
OLLAMA = "127.0.0.1:11434"
ALREADY = ("ignore:Inheritance class AiohttpClientSession:DeprecationWarning",)
"""What is warned of without a proxy, too: by aiohttp, of google-genai."""
KEYS = ("OPENAI", "ANTHROPIC", "GEMINI", "MISTRAL", "CO", "GROQ")


@dataclass(frozen=True, slots=True)
class Client:
    """`calls`: how many its program makes. `ours`: with the packages of these tests, instead of theirs."""

    name: str
    calls: int
    program: str
    ours: bool = False


CLIENTS = (  # the slow ones first
    Client("litellm", 8, "litellm"),
    Client("langchain", 8, "langchain"),
    Client("anthropic", 5, "anthropic"),
    Client("llm", 6, "llm"),
    Client("openai 2", 8, "openai"),
    Client("openai 3", 8, "openai", ours=True),
    Client("google-genai", 4, "google_genai"),
    Client("mistralai", 4, "mistralai"),
    Client("cohere", 4, "cohere"),
    Client("groq", 4, "groq"),
    Client("ollama", 4, "ollama"),
    Client("HTTP libraries", 5, "http"),
)


def teach(upstream: ScriptedUpstream) -> None:
    """What the providers say to all of them."""
    known = {exchange.name: exchange for exchange in exchanges.ALL}
    chat = "/v1/chat/completions"
    for host, path, whole, stream in (
        (openai.HOST, chat, openai.CHAT, openai.CHAT_STREAM),
        (openai.HOST, "/v1/responses", openai.RESPONSES, openai.RESPONSES_STREAM),
        (anthropic.HOST, "/v1/messages", anthropic.MESSAGES, anthropic.MESSAGES_STREAM),
        ("api.mistral.ai", chat, known["mistral chat json"], known["mistral chat stream"]),
        ("api.groq.com", f"/openai{chat}", openai.CHAT, known["groq chat stream"]),
        (others.COHERE, "/v2/chat", known["cohere v2 chat json"], known["cohere v2 chat stream"]),
        (OLLAMA, "/api/chat", others.OLLAMA_JSON, others.OLLAMA_STREAM),
    ):
        upstream.answer(host, path, either(whole, stream))
    for exchange in (google.GENERATE, google.STREAM):
        # the client asks version 1, the exchange is of its beta
        upstream.answer(exchange.host, exchange.path.replace("v1beta", "v1"), answer_of(exchange))


def run(client: Client, python: Path, word: str, anna: User) -> "subprocess.CompletedProcess[str]":
    """Through `mitmcache exec`, with nothing of the shell that these tests were started from."""
    told = ("HOME", "TMPDIR", "XDG_DATA_HOME", "PYTHONPATH", "MITMCACHE_CONFDIR")
    environ = {
        "PATH": os.environ["PATH"],
        **{name: anna.environ[name] for name in told},
        **{f"{name}_API_KEY": "test-key" for name in KEYS},
        # else it asks GitHub for the newest one
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    ignored = [part for rule in ALREADY for part in ("-W", rule)]
    program = str(PROGRAMS / f"{client.program}_calls.py")
    interpreter = sys.executable if client.ours else str(python)
    # what these tests need to find mitmcache is not for the program
    command = ["env", "-u", "PYTHONPATH", interpreter, "-W", "error", *ignored, program, word]
    return subprocess.run(
        anna.command("exec", "--", *command),
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
