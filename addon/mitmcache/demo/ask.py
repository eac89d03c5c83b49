# ruff: noqa: T201 - a program whose output is its result
"""The program that is run again and again: one streamed question with the real openai client.

Nothing in it knows of a cache or of a proxy: HTTPS_PROXY and SSL_CERT_FILE in its environment do it all.
It writes one line of JSON: `x_cache`, `first` and `total` in seconds, `id` and `text` of the answer.
"""

import json
import time

from openai import OpenAI

DEADLINE = 30.0


def main() -> None:
    # the client loads what it needs when it is first touched: that is no part of the call
    create = OpenAI(max_retries=0, timeout=DEADLINE).chat.completions.with_raw_response.create
    started = time.perf_counter()
    reply = create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": "What is a cache good for?"}],
        stream=True,
    )
    first, ids, text = 0.0, set(), ""
    for chunk in reply.parse():
        ids.add(chunk.id)
        for choice in chunk.choices:
            if choice.delta.content:
                first = first or time.perf_counter() - started
                text += choice.delta.content
    total = time.perf_counter() - started
    x_cache = reply.headers.get("x-cache", "")
    print(json.dumps({"x_cache": x_cache, "first": first, "total": total, "id": " ".join(ids), "text": text}))


if __name__ == "__main__":
    main()
