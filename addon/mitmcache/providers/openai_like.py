"""The hosts that speak OpenAI's protocol: one line each.

`host` names no port, or one of its own. `prefix` stands before `/chat/completions` and the rest,
`messages` before Anthropic's `/messages` where the host speaks that too (all three are patterns), and
`also` is what it has beside them, tried first.
"""

import re
from typing import NamedTuple

from mitmcache.providers import anthropic, bedrock, google, llamacpp, ollama, openai
from mitmcache.providers.base import Provider
from mitmcache.providers.openai_chat import CHAT, FIM
from mitmcache.providers.openai_media import EMBEDDINGS, IMAGES, MODERATIONS, OCR, RERANK, TOKENIZE
from mitmcache.providers.tools import Operations, post


class Like(NamedTuple):
    name: str
    host: str
    prefix: str = "/v1"
    messages: str = ""
    also: Operations = ()
    done_optional: bool = False


_SUB = "(?:[a-z0-9_-]+[.])+"
_LOCAL = r"(?:localhost|127\.0\.0\.1|\[?::1\]?|0\.0\.0\.0|host\.docker\.internal)"

_MISTRAL = post(
    ("/v1/fim/completions", FIM),
    ("/v1/agents/completions", CHAT),
    ("/v1/(?:chat/)?(?:moderations|classifications)", MODERATIONS),
    ("/v1/ocr", OCR),
)
_OLLAMA = post(("/api/(?:chat|generate)", ollama.CHAT), ("/api/embed(?:dings)?", ollama.EMBED))
_VLLM = post(("/(?:v[12]/)?(?:rerank|score|pooling|classify)", RERANK), ("/(?:de)?tokenize", TOKENIZE))
_VOYAGE = post(("/v1/(?:multimodal|contextualized)embeddings", EMBEDDINGS))
_LLAMACPP = post(
    ("(?<!/v1)/completions?|/infill", llamacpp.COMPLETION),
    ("/embeddings?", EMBEDDINGS),
    ("/(?:de)?tokenize|/apply-template", TOKENIZE),
)
_GATEWAY = "/v1/[^/]+/[^/]+"  # of Cloudflare: the account, the gateway, and then each vendor's own paths
_PASSED_ON = post(
    (_GATEWAY + "/google-ai-studio/v1(?:beta)?/models/[^/:]+:(?:g|streamG)enerateContent", google.GENERATE),
    (_GATEWAY + "/google-ai-studio/v1(?:beta)?/models/[^/:]+:(?:e|batchE)mbedContents?", google.EMBED),
    (_GATEWAY + "/aws-bedrock/bedrock-runtime/[^/]+/model/.+/converse(?:-stream)?", bedrock.CONVERSE),
    (
        _GATEWAY + "/aws-bedrock/bedrock-runtime/[^/]+/model/.+/invoke(?:-with-response-stream)?",
        bedrock.INVOKE,
    ),
)

TABLE = (
    Like("ai21", r"api\.ai21\.com", "/studio/v1"),
    Like("aihubmix", r"aihubmix\.com", messages="/v1"),
    Like("aimlapi", r"api\.aimlapi\.com"),
    Like("atlascloud", r"api\.atlascloud\.ai"),
    Like("avian", r"api\.avian\.io"),
    Like("baidu", r"qianfan\.baidubce\.com", "/v2"),
    Like("baseten", r"inference\.baseten\.co"),
    Like("cerebras", r"api\.cerebras\.ai", done_optional=True),
    Like("charm", r"hyper\.charm\.land"),
    Like("chutes", r"llm\.chutes\.ai"),
    Like("cloudflare", r"api\.cloudflare\.com", "/client/v4/accounts/[^/]+/ai/v1"),
    Like(
        "cloudflare",
        r"gateway\.ai\.cloudflare\.com",
        _GATEWAY + "/.+",
        _GATEWAY + "/anthropic/v1",
        also=_PASSED_ON,
    ),
    Like("cometapi", r"api\.cometapi\.com", messages="/v1"),
    Like("crusoe", r"api\.inference\.crusoecloud\.com"),
    Like(
        "dashscope",
        r"dashscope(?:-intl|-us)?\.aliyuncs\.com",
        "/compatible-mode/v1",
        "/apps/anthropic(?:/v1)?",
    ),
    Like("dashscope", r"coding(?:-intl)?\.dashscope\.aliyuncs\.com", messages="/apps/anthropic(?:/v1)?"),
    Like(
        "databricks", _SUB + r"(?:azuredatabricks\.net|(?:gcp|cloud)\.databricks\.com)", "/serving-endpoints"
    ),
    Like("deepinfra", r"api\.deepinfra\.com", "/v1/openai", "/anthropic(?:/v1)?"),
    Like("deepseek", r"api\.deepseek\.com", "(?:/v1|/beta)?", "/anthropic(?:/v1)?"),
    Like("digitalocean", r"inference\.do-ai\.run"),
    Like("doubleword", r"api\.doubleword\.ai"),
    Like("featherless", r"api\.featherless\.ai"),
    Like("fireworks", r"api\.fireworks\.ai", "/inference/v1", "/inference(?:/v1)?"),
    Like(
        "github_copilot",
        r"api(?:\.(?:individual|business|enterprise))?\.githubcopilot\.com",
        "(?:/v1)?",
        "/v1",
    ),
    Like("github_copilot", r"copilot-api\.[a-z0-9-]+\.ghe\.com", "(?:/v1)?", "/v1"),
    Like("github_copilot", r"copilot-proxy\.githubusercontent\.com", "(?:/v1)?", "/v1"),
    Like("friendli", r"api\.friendli\.ai", "/(?:serverless|dedicated)/v1"),
    Like("github_models", r"models\.github\.ai", "(?:/orgs/[^/]+)?/inference"),
    Like("github_models", r"models\.inference\.ai\.azure\.com", ""),
    Like("gmi", r"api\.gmi-serving\.com"),
    Like("groq", r"api\.groq\.com", "/openai/v1"),
    Like("heroku", r"[a-z0-9-]+\.inference\.heroku\.com"),
    Like("hyperbolic", r"api\.hyperbolic\.xyz"),
    Like("inception", r"api\.inceptionlabs\.ai"),
    Like("jina", r"api\.jina\.ai"),
    Like("jina", r"deepsearch\.jina\.ai"),
    Like("meta", r"api\.llama\.com", "/compat/v1"),
    Like("minimax", r"api\.minimaxi?\.(?:io|com)", messages="/anthropic(?:/v1)?"),
    Like("mistral_ai", r"(?:api|codestral)\.(?:eu\.|us\.)?mistral\.ai", also=_MISTRAL),
    Like("mixedbread", r"api\.mixedbread\.(?:com|ai)", also=post(("/v1/reranking", RERANK))),
    Like("modelscope", r"api-inference\.modelscope\.cn", messages="/v1"),
    Like("morph", r"api\.morphllm\.com"),
    Like("moonshot_ai", r"api\.moonshot\.(?:ai|cn)", messages="/anthropic(?:/v1)?"),
    Like("kimi_code", r"api\.kimi\.com", "/coding/v1", "/coding(?:/v1)?"),
    Like("nano_gpt", r"nano-gpt\.com", "/api/v1"),
    Like("nebius", r"api\.(?:studio\.nebius\.(?:ai|com)|tokenfactory\.nebius\.com)"),
    Like("novita", r"api\.novita\.ai", "/(?:v3/openai|openai(?:/v1)?)", "/anthropic(?:/v1)?"),
    Like("nscale", r"inference\.api\.nscale\.com"),
    Like("nvidia", r"integrate\.api\.nvidia\.com"),
    Like("opencode", r"opencode\.ai", "/zen(?:/go)?/v1", "/zen(?:/go)?/v1"),
    Like(
        "openrouter",
        r"(?:eu\.)?openrouter\.ai",
        "/api/v1",
        "/api/v1",
        also=post(("/api/v1/images", IMAGES)),
    ),
    Like("ovhcloud", r"oai\.endpoints\.kepler\.ai\.cloud\.ovh\.net"),
    Like("parasail", r"api\.parasail\.io"),
    Like("perplexity", r"api\.perplexity\.ai", "(?:/v1)?", done_optional=True),
    Like("poe", r"api\.poe\.com"),
    Like("requesty", r"router\.(?:eu\.)?requesty\.ai", messages="/v1"),
    Like("sambanova", r"api\.sambanova\.ai"),
    Like("scaleway", r"api\.scaleway\.ai", "(?:/[0-9a-f-]{36})?/v1"),
    Like("siliconflow", r"api\.siliconflow\.(?:cn|com)", messages="/v1"),
    Like("stepfun", r"api\.stepfun\.(?:com|ai)"),
    Like("synthetic", r"api\.synthetic\.new", "(?:/openai)?/v1", "/anthropic/v1"),
    Like("tencent", r"api\.hunyuan\.cloud\.tencent\.com"),
    Like("snowflake", _SUB + r"snowflakecomputing\.com", "/api/v2/cortex/v1"),
    Like("together", r"api\.together\.(?:xyz|ai)"),
    Like("upstage", r"api\.upstage\.ai", "/v1(?:/solar)?"),
    Like("venice", r"api\.venice\.ai", "/api/v1"),
    Like("vercel", r"ai-gateway\.vercel\.sh", messages="/v1", also=post(("/v2/rerank", RERANK))),
    Like(
        "volcengine",
        r"ark\.[a-z0-9-]+\.(?:volces|bytepluses)\.com",
        "/api(?:/coding|/plan)?/v3",
        "/api/(?:coding|plan)/v1",
    ),
    Like("voyage", r"api\.voyageai\.com", also=_VOYAGE),
    Like("voyage", r"ai\.mongodb\.com", also=_VOYAGE),
    Like("vultr", r"api\.vultrinference\.com"),
    Like("writer", r"api\.writer\.com", also=post(("/v1/chat", CHAT)), done_optional=True),
    Like("x_ai", r"(?:[a-z0-9-]+\.)?api\.x\.ai", messages="/v1"),
    Like("xiaomi", r"api\.xiaomimimo\.com", messages="/anthropic(?:/v1)?"),
    Like("zai", r"api\.z\.ai", "/api/(?:coding/)?paas/v4", "/api/anthropic(?:/v1)?"),
    Like("zhipu", r"open\.bigmodel\.cn", "/api/(?:coding/)?paas/v4", "/api/anthropic(?:/v1)?"),
    # servers at home: plain HTTP on their own ports
    Like("docker", _LOCAL + ":12434", "/engines(?:/[^/]+)?/v1"),
    Like("ollama", _LOCAL + ":11434", messages="/v1", also=_OLLAMA),
    Like("ollama", r"(?:www\.)?ollama\.com", messages="/v1", also=_OLLAMA),
    Like("lmstudio", _LOCAL + ":1234", "/(?:v1|api/v0)", "/v1", done_optional=True),
    Like("vllm", _LOCAL + ":8000", messages="/v1", also=_VLLM, done_optional=True),
    Like("llamacpp", _LOCAL + ":8080", "(?:/v1)?", "/v1", also=_LLAMACPP, done_optional=True),
)


def _provider(like: Like) -> Provider:
    messages = anthropic.operations(like.messages) if like.messages else ()
    return Provider(
        like.name,
        (re.compile(like.host),),
        (*like.also, *openai.operations(like.prefix), *messages),
        done_optional=like.done_optional,
    )


PROVIDERS = tuple(map(_provider, TABLE))
