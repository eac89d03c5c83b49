import re

import pytest

from exchanges import ALL, Exchange
from mitmcache.providers.catalogue import find, host_patterns, is_provider


def rows(table: str) -> list[list[str]]:
    """The words of each line. ~ is a Vertex project's publishers."""
    text = table.replace("~", "/v1/projects/p/locations/l/publishers").strip()
    return [line.split() for line in text.splitlines()]


FOUND = rows("""
    api.openai.com /v1/chat/completions openai openai.chat
    API.OpenAI.com /v1/chat/completions openai openai.chat
    api.openai.com:443 /v1/chat/completions openai openai.chat
    eu.api.openai.com //v1//responses openai openai.responses
    chatgpt.com /backend-api/codex/responses chatgpt openai.responses
    x.openai.azure.com //openai/deployments/gpt/chat/completions azure.ai.openai openai.chat
    x.openai.azure.com /openai/v1/responses azure.ai.openai openai.responses
    x.openai.azure.com /openai/responses azure.ai.openai openai.responses
    gw.azure-api.net /team/llm/openai/deployments/gpt/chat/completions azure.ai.openai openai.chat
    x.services.ai.azure.com /models/chat/completions azure.ai.openai openai.chat
    x.services.ai.azure.com /models/images/embeddings azure.ai.openai openai.embeddings
    x.services.ai.azure.com /anthropic/v1/messages azure.ai.openai anthropic.messages
    x.services.ai.azure.com /api/projects/p/openai/v1/responses azure.ai.openai openai.responses
    x.services.ai.azure.com /providers/mistral/azure/ocr azure.ai.openai ocr
    api.anthropic.com /v1/messages anthropic anthropic.messages
    api.anthropic.com /v1/messages/count_tokens anthropic anthropic.count_tokens
    api.anthropic.com /v1/complete anthropic anthropic.complete
    aws-external-anthropic.us-east-1.api.aws /v1/messages anthropic anthropic.messages
    generativelanguage.googleapis.com /v1beta/models/g:streamGenerateContent gcp.gemini gemini.generate
    generativelanguage.googleapis.com /v1/models/e:batchEmbedContents gcp.gemini gemini.embed
    generativelanguage.googleapis.com /v1beta/interactions gcp.gemini gemini.interactions
    generativelanguage.googleapis.com /v1beta/openai/chat/completions gcp.gemini openai.chat
    us-east5-aiplatform.googleapis.com ~/google/models/m:generateContent gcp.vertex_ai gemini.generate
    aiplatform.googleapis.com /v1/publishers/google/models/m:predict gcp.vertex_ai gemini.predict
    aiplatform.eu.rep.googleapis.com ~/anthropic/models/c:streamRawPredict gcp.vertex_ai anthropic.messages
    aiplatform.googleapis.com ~/anthropic/models/count-tokens:rawPredict gcp.vertex_ai anthropic.count_tokens
    aiplatform.googleapis.com ~/mistralai/models/codestral:rawPredict gcp.vertex_ai openai.chat
    aiplatform.googleapis.com /v1/projects/p/locations/l/endpoints/openapi/rerank gcp.vertex_ai rerank
    bedrock-runtime.us-east-1.amazonaws.com /model/arn:aws:x:1:p/m/converse aws.bedrock bedrock.converse
    bedrock-runtime-fips.us-gov-west-1.amazonaws.com /model/m/invoke aws.bedrock bedrock.invoke
    bedrock-runtime.us-east-1.amazonaws.com /model/m/count-tokens aws.bedrock bedrock.count_tokens
    bedrock-mantle.us-east-1.api.aws /openai/v1/responses aws.bedrock openai.responses
    api.cohere.com /v2/chat cohere cohere.v2.chat
    api.cohere.ai /v1/generate cohere cohere.v1.chat
    api.cohere.com /compatibility/v1/chat/completions cohere openai.chat
    api.mistral.ai /v1/fim/completions mistral_ai mistral.fim
    api.mistral.ai /v1/agents/completions mistral_ai openai.chat
    api.mistral.ai /v1/chat/moderations mistral_ai openai.moderations
    api.deepseek.com /chat/completions deepseek openai.chat
    api.deepseek.com /beta/completions deepseek openai.completions
    api.deepseek.com /anthropic/v1/messages deepseek anthropic.messages
    api.x.ai /v1/messages x_ai anthropic.messages
    openrouter.ai /api/v1/images openrouter openai.images
    api.perplexity.ai /chat/completions perplexity openai.chat
    api.writer.com:443 /v1/chat writer openai.chat
    router.huggingface.co /v1/responses huggingface openai.responses
    router.huggingface.co /x/v1/embeddings huggingface openai.embeddings
    router.huggingface.co /x/inference/chat/completions huggingface openai.chat
    router.huggingface.co /novita/v3/openai/chat/completions huggingface openai.chat
    router.huggingface.co /hf-inference/models/o/n/pipeline/fill-mask huggingface hf.task
    x1.us-east-1.aws.endpoints.huggingface.cloud / huggingface hf.task
    adb-1.2.azuredatabricks.net /serving-endpoints/chat/completions databricks openai.chat
    my_org-acct.snowflakecomputing.com /api/v2/cortex/v1/chat/completions snowflake openai.chat
    api.individual.githubcopilot.com /chat/completions github_copilot openai.chat
    api.business.githubcopilot.com /v1/messages github_copilot anthropic.messages
    copilot-api.corp.ghe.com /responses github_copilot openai.responses
    copilot-proxy.githubusercontent.com /v1/engines/m/completions github_copilot openai.completions
    api.fireworks.ai /inference/v1/chat/completions fireworks openai.chat
    api.fireworks.ai /inference/messages fireworks anthropic.messages
    api.groq.com /openai/v1/audio/transcriptions groq openai.audio.transcriptions
    api.cloudflare.com /client/v4/accounts/a/ai/v1/embeddings cloudflare openai.embeddings
    api.deepinfra.com /v1/openai/chat/completions deepinfra openai.chat
    dashscope-intl.aliyuncs.com /compatible-mode/v1/chat/completions dashscope openai.chat
    api.z.ai /api/coding/paas/v4/chat/completions zai openai.chat
    localhost:11434 /api/chat ollama ollama.chat
    localhost:11434 /api/embeddings ollama ollama.embed
    localhost:8000 /v2/rerank vllm rerank
    localhost:8080 /embedding llamacpp openai.embeddings
    localhost:8080 /apply-template llamacpp tokenize
    localhost:8080 /chat/completions llamacpp openai.chat
    api.cohere.com /v1/embed cohere cohere.embed
    api.cohere.com /v2/rerank cohere rerank
    api.mistral.ai /v1/ocr mistral_ai ocr
    [::1]:11434 /v1/messages ollama anthropic.messages
    ollama.com /api/generate ollama ollama.chat
    127.0.0.1:8080 /completion llamacpp llamacpp.completion
    127.0.0.1:8080 /v1/completions llamacpp openai.completions
    localhost:8000 /tokenize vllm tokenize
    localhost:1234 /api/v0/chat/completions lmstudio openai.chat
    x.cognitiveservices.azure.com /openai/v1/embeddings azure.ai.openai openai.embeddings
    x.eastus2.models.ai.azure.com /v1/chat/completions azure.ai.openai openai.chat
    api.anthropic.com /v1/chat/completions anthropic openai.chat
    claude.googleapis.com /v1/messages anthropic anthropic.messages
    api.cohere.com /v2/audio/transcriptions cohere openai.audio.transcriptions
    api.cohere.com /v1/classify cohere tokenize
    api.cerebras.ai /v1/chat/completions cerebras openai.chat
    api.inference.crusoecloud.com /v1/chat/completions crusoe openai.chat
    us.inference.heroku.com /v1/chat/completions heroku openai.chat
    codestral.mistral.ai /v1/fim/completions mistral_ai mistral.fim
    api.moonshot.cn /v1/chat/completions moonshot_ai openai.chat
    integrate.api.nvidia.com /v1/chat/completions nvidia openai.chat
    api.sambanova.ai /v1/chat/completions sambanova openai.chat
    api.together.xyz /v1/completions together openai.completions
    ai-gateway.vercel.sh /v1/chat/completions vercel openai.chat
    api.voyageai.com /v1/embeddings voyage openai.embeddings
    openrouter.ai /api/v1/messages openrouter anthropic.messages
    host.docker.internal:11434 /v1/chat/completions ollama openai.chat
    ollama.com /v1/messages ollama anthropic.messages
    localhost:1234 /v1/messages lmstudio anthropic.messages
    localhost:8000 /v1/messages vllm anthropic.messages
    localhost:8080 /v1/messages llamacpp anthropic.messages
    x1.bedrock-runtime.eu-west-1.vpce.amazonaws.com /model/m/converse aws.bedrock bedrock.converse
    bedrock-mantle.us-east-1.api.aws /anthropic/v1/messages aws.bedrock anthropic.messages
    api.ai21.com /studio/v1/chat/completions ai21 openai.chat
    api.avian.io /v1/chat/completions avian openai.chat
    inference.baseten.co /v1/chat/completions baseten openai.chat
    dashscope-us.aliyuncs.com /apps/anthropic/v1/messages dashscope anthropic.messages
    coding-intl.dashscope.aliyuncs.com /v1/chat/completions dashscope openai.chat
    coding.dashscope.aliyuncs.com /apps/anthropic/v1/messages dashscope anthropic.messages
    api.doubleword.ai /v1/embeddings doubleword openai.embeddings
    api.featherless.ai /v1/completions featherless openai.completions
    api.friendli.ai /serverless/v1/chat/completions friendli openai.chat
    models.github.ai /inference/chat/completions github_models openai.chat
    models.github.ai /orgs/o/inference/embeddings github_models openai.embeddings
    api.hyperbolic.xyz /v1/chat/completions hyperbolic openai.chat
    api.inceptionlabs.ai /v1/chat/completions inception openai.chat
    api.jina.ai /v1/rerank jina rerank
    api.minimax.io /v1/chat/completions minimax openai.chat
    api.minimaxi.com /anthropic/v1/messages minimax anthropic.messages
    api.moonshot.cn /anthropic/v1/messages moonshot_ai anthropic.messages
    api.kimi.com /coding/v1/chat/completions kimi_code openai.chat
    api.kimi.com /coding/v1/messages kimi_code anthropic.messages
    api.tokenfactory.nebius.com /v1/chat/completions nebius openai.chat
    api.novita.ai /v3/openai/chat/completions novita openai.chat
    api.novita.ai /openai/v1/embeddings novita openai.embeddings
    api.novita.ai /anthropic/v1/messages novita anthropic.messages
    inference.api.nscale.com /v1/chat/completions nscale openai.chat
    eu.openrouter.ai /api/v1/responses openrouter openai.responses
    oai.endpoints.kepler.ai.cloud.ovh.net /v1/chat/completions ovhcloud openai.chat
    router.requesty.ai /v1/messages requesty anthropic.messages
    api.scaleway.ai /v1/chat/completions scaleway openai.chat
    api.scaleway.ai /01234567-89ab-cdef-0123-456789abcdef/v1/embeddings scaleway openai.embeddings
    api.siliconflow.cn /v1/rerank siliconflow rerank
    api.siliconflow.com /v1/messages siliconflow anthropic.messages
    api.upstage.ai /v1/solar/chat/completions upstage openai.chat
    api.venice.ai /api/v1/chat/completions venice openai.chat
    ai-gateway.vercel.sh /v1/messages vercel anthropic.messages
    ark.cn-beijing.volces.com /api/v3/responses volcengine openai.responses
    ark.ap-southeast.bytepluses.com /api/coding/v3/chat/completions volcengine openai.chat
    ark.cn-beijing.volces.com /api/coding/v1/messages volcengine anthropic.messages
    api.voyageai.com /v1/multimodalembeddings voyage openai.embeddings
    api.voyageai.com /v1/contextualizedembeddings voyage openai.embeddings
    api.xiaomimimo.com /anthropic/v1/messages xiaomi anthropic.messages
    api.z.ai /api/anthropic/v1/messages zai anthropic.messages
    open.bigmodel.cn /api/paas/v4/chat/completions zhipu openai.chat
""")
NOT_FOUND = [
    ("api.openai.com", "GET", "/v1/responses"),
    ("api.openai.com", "GET", "/v1/models"),
    ("api.openai.com", "POST", "/v1/files"),
    ("api.openai.com", "POST", "/v1/batches"),
    ("api.openai.com", "POST", "/v1/responses/compact"),
    ("api.openai.com", "POST", "/v1/threads/t/runs"),
    ("api.openai.com", "POST", "/v1/chat/completions/../../files"),
    ("api.openai.com", "POST", "/v1/chat/completions/"),
    ("api.openai.com", "POST", "/v1/chat/completions\n"),
    ("api.openai.com", "POST", "/x/v1/chat/completions"),
    ("api.openai.com", "POST", ""),
    ("api.openai.com:8443", "POST", "/v1/chat/completions"),
    ("chatgpt.com", "POST", "/backend-api/codex/responses/compact"),
    ("api.anthropic.com", "POST", "/v1/messages/batches"),
    ("api.anthropic.com", "POST", "/api/event_logging/v2/batch"),
    ("generativelanguage.googleapis.com", "POST", "/v1beta/models/veo:predictLongRunning"),
    ("generativelanguage.googleapis.com", "POST", "/v1beta/models/g:batchGenerateContent"),
    ("generativelanguage.googleapis.com", "POST", "/v1beta/cachedContents"),
    ("bedrock-runtime.us-east-1.amazonaws.com", "POST", "/guardrail/g/version/1/apply"),
    ("bedrock-agent-runtime.us-east-1.amazonaws.com", "POST", "/agents/a/agentAliases/b/sessions/c/text"),
    ("gw.azure-api.net", "POST", "/survey/responses"),
    ("api.x.ai", "POST", "/v1/videos/generations"),
    ("router.huggingface.co", "POST", "/fal-ai/fal-ai/flux/dev"),
    ("localhost:11434", "POST", "/api/pull"),
    ("localhost:11435", "POST", "/api/chat"),
    ("localhost", "POST", "/api/chat"),
    ("example.com", "POST", "/v1/chat/completions"),
]
EVIL = [
    "api.openai.com.evil.example",
    "xapi.openai.com",
    "evil-api.openai.com",
    "evil.api.openai.com",
    "apixopenai.com",
    "api.openai.com.",
    "openai.azure.com",
    "x.openai.azure.com.evil.example",
    "x.evil.example/.openai.azure.com",
    "evilsnowflakecomputing.com",
    "bedrock-runtime.us-east-1.amazonaws.com.evil.example",
    "bedrock-runtime.evil.example.amazonaws.com",
    "bedrock-agent-runtime.us-east-1.amazonaws.com",
    "console.anthropic.com",
    "claude.ai",
    "localhost",
]


@pytest.mark.parametrize(("host", "path", "provider", "dialect"), FOUND)
def test_an_inference_call_is_recognised(host: str, path: str, provider: str, dialect: str) -> None:
    found = find(host, "POST", path)
    assert found
    assert (found[0].name, found[1].name) == (provider, dialect)


@pytest.mark.parametrize(("host", "method", "path"), NOT_FOUND)
def test_anything_else_is_not(host: str, method: str, path: str) -> None:
    assert find(host, method, path) is None


@pytest.mark.parametrize("exchange", ALL, ids=lambda exchange: exchange.name)
def test_every_written_exchange_is_of_its_dialect(exchange: Exchange) -> None:
    found = find(exchange.host, exchange.method, exchange.path)
    assert found
    assert found[1].name == exchange.dialect


def allowed(target: str) -> bool:
    """As mitmproxy asks it of "host:port"."""
    return any(re.search(pattern, target, re.IGNORECASE) for pattern in host_patterns())


@pytest.mark.parametrize("host", EVIL)
def test_a_host_that_only_looks_like_one_is_not_decrypted(host: str) -> None:
    assert not allowed(f"{host}:443")
    assert not is_provider(host)
    assert find(host, "POST", "/v1/chat/completions") is None


@pytest.mark.parametrize(("host", "path", "provider", "dialect"), FOUND)
def test_every_host_recognised_is_decrypted(host: str, path: str, provider: str, dialect: str) -> None:
    assert is_provider(host)
    assert allowed(host if re.search(r":\d+$", host) else host + ":443")


@pytest.mark.parametrize(
    "target",
    ["api.openai.com:8443", "api.openai.com:44", "api.openai.com:4430", "localhost:443", "localhost:114340"],
)
def test_no_other_port_is_decrypted(target: str) -> None:
    assert not allowed(target)


def test_a_local_ipv6_address_is_known_without_its_brackets() -> None:
    assert allowed("::1:11434")


def test_a_very_long_path_is_not_matched() -> None:
    assert find("bedrock-runtime.us-east-1.amazonaws.com", "POST", "/model/" * 1000 + "x/converse") is None
