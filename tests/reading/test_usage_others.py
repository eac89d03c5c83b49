import pytest

from mitmcache.exchange import Usage
from mitmcache.providers.base import Json
from mitmcache.reading import usage_others
from mitmcache.reading.usage_others import task_headers

CASES: dict[str, tuple[str, Json, Usage | None]] = {
    "Gemini has thoughts beside the output and a tool's prompt beside the input": (
        "gemini",
        {
            "usageMetadata": {
                "promptTokenCount": 10,
                "candidatesTokenCount": 5,
                "thoughtsTokenCount": 7,
                "toolUsePromptTokenCount": 3,
                "cachedContentTokenCount": 8,
                "totalTokenCount": 25,
                "promptTokensDetails": [
                    {"modality": "IMAGE", "tokenCount": 4},
                    {"modality": "AUDIO", "tokenCount": 2},
                ],
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 5}],
            }
        },
        Usage(
            input_tokens=13,
            output_tokens=12,
            cache_read_input_tokens=8,
            reasoning_output_tokens=7,
            total_tokens=25,
            audio_input_tokens=2,
            image_input_tokens=4,
            image_output_tokens=5,
        ),
    ),
    "Vertex opens a stream without numbers": ("gemini", {"usageMetadata": {"trafficType": "X"}}, None),
    "a Gemini embedding": (
        "gemini",
        {
            "usageMetadata": {
                "promptTokenCount": 261,
                "promptTokenDetails": [{"modality": "IMAGE", "tokenCount": 258}],
            }
        },
        Usage(input_tokens=261, image_input_tokens=258),
    ),
    "an interaction has thoughts beside the output": (
        "interaction",
        {
            "usage": {
                "total_input_tokens": 266,
                "total_output_tokens": 3,
                "total_thought_tokens": 57,
                "total_cached_tokens": 0,
                "total_tool_use_tokens": 0,
                "total_tokens": 326,
                "input_tokens_by_modality": [{"modality": "image", "tokens": 258}],
            }
        },
        Usage(
            input_tokens=266,
            output_tokens=60,
            cache_read_input_tokens=0,
            reasoning_output_tokens=57,
            total_tokens=326,
            image_input_tokens=258,
        ),
    ),
    "an interaction's last event": (
        "interaction",
        {"interaction": {"usage": {"total_input_tokens": 4}}},
        Usage(input_tokens=4),
    ),
    "Vertex's embeddings": (
        "predict",
        {"predictions": [{"embeddings": {"statistics": {"token_count": n}}} for n in (3, 4)]},
        Usage(input_tokens=7),
    ),
    "Vertex's images": ("predict", {"predictions": [{"bytesBase64Encoded": "a"}] * 2}, Usage(images=2)),
    "Cohere bills less than it reads": (
        "cohere",
        {
            "usage": {
                "billed_units": {"input_tokens": 6, "output_tokens": 33},
                "tokens": {"input_tokens": 501, "output_tokens": 35, "reasoning_tokens": 20},
                "cached_tokens": 64,
            }
        },
        Usage(input_tokens=6, output_tokens=33, cache_read_input_tokens=64, reasoning_output_tokens=20),
    ),
    "Cohere without a bill": (
        "cohere",
        {"delta": {"usage": {"tokens": {"input_tokens": 501, "output_tokens": 35}}}},
        Usage(input_tokens=501, output_tokens=35),
    ),
    "Cohere's images": (
        "cohere",
        {"meta": {"billed_units": {"input_tokens": 1, "image_tokens": 2, "images": 3}}},
        Usage(input_tokens=3, image_input_tokens=2, images=3),
    ),
    "Cohere's first stream": (
        "cohere",
        {"response": {"meta": {"billed_units": {"output_tokens": 2}}}},
        Usage(output_tokens=2),
    ),
    "a search": ("rerank", {"meta": {"billed_units": {"search_units": 1}}}, Usage(search_units=1)),
    "Voyage's search": ("rerank", {"usage": {"total_tokens": 8}}, Usage(input_tokens=8, total_tokens=8)),
    "pages": ("ocr", {"usage_info": {"pages_processed": 29, "doc_size_bytes": 5}}, Usage(pages=29)),
    "Ollama's cached prompt is not told": ("ollama", {"eval_count": 3}, Usage(output_tokens=3)),
    "Ollama": ("ollama", {"prompt_eval_count": 9, "eval_count": 3}, Usage(input_tokens=9, output_tokens=3)),
    "Ollama on its way": ("ollama", {"message": {}}, None),
    "llama.cpp": (
        "llamacpp",
        {"tokens_evaluated": 9, "tokens_predicted": 3, "timings": {"cache_n": 4}},
        Usage(input_tokens=9, output_tokens=3, cache_read_input_tokens=4),
    ),
    "llama.cpp, several prompts": (
        "llamacpp",
        [{"tokens_evaluated": 9, "tokens_predicted": 3}, {"tokens_evaluated": 1, "tokens_predicted": 1}],
        Usage(input_tokens=10, output_tokens=4),
    ),
    "Hugging Face": (
        "task",
        [{"generated_text": "", "details": {"generated_tokens": 75}}],
        Usage(output_tokens=75),
    ),
    "Hugging Face's stream": (
        "task",
        {"details": {"generated_tokens": 75, "input_length": 16}},
        Usage(input_tokens=16, output_tokens=75),
    ),
    "another task": ("task", [{"score": 0.8}], None),
}


@pytest.mark.parametrize("name", CASES)
def test_usage_is_read_in_one_meaning(name: str) -> None:
    reader, document, told = CASES[name]
    assert getattr(usage_others, reader)(document) == told


def test_hugging_face_counts_in_headers() -> None:
    headers = (("x-prompt-tokens", "16"), ("x-generated-tokens", "75"))
    assert task_headers(headers) == Usage(input_tokens=16, output_tokens=75)
    assert task_headers(()) is None
