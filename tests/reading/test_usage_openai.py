import pytest

from mitmcache.exchange import Usage
from mitmcache.providers.base import Json
from mitmcache.reading.usage_openai import image_events, images, only_input, openai, transcription

CASES: dict[str, tuple[Json, Usage]] = {
    "OpenAI includes what was cached and what was thought": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 40, "audio_tokens": 2, "image_tokens": 1},
        },
        Usage(
            input_tokens=100,
            output_tokens=50,
            cache_read_input_tokens=64,
            reasoning_output_tokens=40,
            total_tokens=150,
            audio_input_tokens=3,
            audio_output_tokens=2,
            image_output_tokens=1,
        ),
    ),
    "Responses has names of its own": (
        {
            "input_tokens": 100,
            "output_tokens": 50,
            "total_tokens": 150,
            "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 7},
            "output_tokens_details": {"reasoning_tokens": 40},
        },
        Usage(
            input_tokens=100,
            output_tokens=50,
            cache_read_input_tokens=64,
            cache_creation_input_tokens=7,
            reasoning_output_tokens=40,
            total_tokens=150,
        ),
    ),
    "DeepSeek counts hits": (
        {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 8},
        Usage(input_tokens=9, output_tokens=1, cache_read_input_tokens=8),
    ),
    "Mistral's older servers have no details": (
        {"prompt_tokens": 9, "completion_tokens": 1, "num_cached_tokens": 8},
        Usage(input_tokens=9, output_tokens=1, cache_read_input_tokens=8),
    ),
    "Databricks passes Claude's names on": (
        {
            "prompt_tokens": 9,
            "completion_tokens": 1,
            "cache_read_input_tokens": 8,
            "cache_creation_input_tokens": 0,
        },
        Usage(input_tokens=9, output_tokens=1, cache_read_input_tokens=8, cache_creation_input_tokens=0),
    ),
    "Charm's total has what was cached beside the input": (
        {
            "prompt_tokens": 86,
            "completion_tokens": 10,
            "total_tokens": 224,
            "prompt_tokens_details": {"cached_tokens": 128},
            "completion_tokens_details": {"reasoning_tokens": 4},
        },
        Usage(
            input_tokens=214,
            output_tokens=10,
            cache_read_input_tokens=128,
            reasoning_output_tokens=4,
            total_tokens=224,
        ),
    ),
    "xAI's total has the reasoning beside the output": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 45,
            "completion_tokens_details": {"reasoning_tokens": 30},
        },
        Usage(input_tokens=10, output_tokens=35, reasoning_output_tokens=30, total_tokens=45),
    ),
    "Mistral's total has the audio beside the input": (
        {
            "prompt_audio_seconds": 4,
            "prompt_tokens": 9,
            "completion_tokens": 201,
            "total_tokens": 585,
            "prompt_tokens_details": {"audio_tokens": 375},
        },
        Usage(
            input_tokens=384,
            output_tokens=201,
            total_tokens=585,
            audio_input_tokens=375,
            audio_seconds=4.0,
        ),
    ),
    "Mistral's transcriptions tell the audio in the total alone": (
        {"prompt_audio_seconds": 4, "prompt_tokens": 9, "completion_tokens": 201, "total_tokens": 585},
        Usage(
            input_tokens=384,
            output_tokens=201,
            total_tokens=585,
            audio_input_tokens=375,
            audio_seconds=4.0,
        ),
    ),
    "Mistral's text has no seconds": (
        {"prompt_audio_seconds": {}, "prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 99},
        Usage(input_tokens=9, output_tokens=1, total_tokens=99),
    ),
    "a total that explains nothing changes nothing": (
        {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 99},
        Usage(input_tokens=9, output_tokens=1, total_tokens=99),
    ),
    "a contradiction is passed on": (
        {"prompt_tokens": 7, "completion_tokens": 8, "prompt_tokens_details": {"cached_tokens": 161}},
        Usage(input_tokens=7, output_tokens=8, cache_read_input_tokens=161),
    ),
    "null details are none": (
        {"prompt_tokens": 7, "completion_tokens": 8, "completion_tokens_details": None},
        Usage(input_tokens=7, output_tokens=8),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_usage_is_read_in_one_meaning(name: str) -> None:
    raw, told = CASES[name]
    assert openai({"usage": raw}) == told


@pytest.mark.parametrize(
    "document",
    [
        {"x_groq": {"id": "r", "usage": {"prompt_tokens": 9, "completion_tokens": 3}}},
        {"type": "response.completed", "response": {"usage": {"input_tokens": 9, "output_tokens": 3}}},
        {"timings": {"prompt_n": 4, "cache_n": 5, "predicted_n": 3}},
    ],
)
def test_usage_is_found_where_a_server_puts_it(document: Json) -> None:
    told = openai(document)
    assert told and (told.input_tokens, told.output_tokens) == (9, 3)


def test_an_embedding_with_a_total_alone_read_that_much() -> None:
    assert only_input({"usage": {"total_tokens": 8}}) == Usage(input_tokens=8, total_tokens=8)
    assert only_input({"usage": {"prompt_tokens": 7, "total_tokens": 8}}) == Usage(
        input_tokens=7, total_tokens=8
    )
    assert only_input({"data": []}) is None


def test_images_are_counted_beside_their_tokens() -> None:
    tokens = {"input_tokens": 5, "output_tokens": 9, "input_tokens_details": {"image_tokens": 2}}
    made = images({"data": [{"b64_json": "a"}, {"b64_json": "b"}], "usage": tokens})
    assert made == Usage(input_tokens=5, output_tokens=9, image_input_tokens=2, images=2)


def test_each_image_of_a_stream_has_an_end() -> None:
    part = {"type": "image_generation.partial_image", "b64_json": "a"}
    end = {"type": "image_generation.completed", "b64_json": "a", "usage": {"output_tokens": 9}}
    assert image_events([part, part, end, part, end]) == Usage(output_tokens=9, images=2)
    assert image_events([part]) is None


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"usage": {"type": "duration", "seconds": 2}}, Usage(audio_seconds=2.0)),
        (
            {"usage": {"type": "tokens", "input_tokens": 9, "input_token_details": {"audio_tokens": 8}}},
            Usage(input_tokens=9, audio_input_tokens=8),
        ),
        ({"text": "", "duration": 1.5}, Usage(audio_seconds=1.5)),
        ({"text": "", "duration": "1.5"}, None),
        ({"text": ""}, None),
    ],
)
def test_a_transcription_tells_tokens_or_seconds(document: Json, told: Usage | None) -> None:
    assert transcription(document) == told
