"""An exchange as plain text: the conversation, the answer put together, why it stopped, what it used."""

from dataclasses import fields

from mitmcache.cache import multipart
from mitmcache.exchange import Headers, Usage, header
from mitmcache.providers.base import Json
from mitmcache.providers.tools import parse
from mitmcache.reading.assemble import assembled
from mitmcache.reading.documents import documents
from mitmcache.reading.text import size, tidy
from mitmcache.reading.turns import Turn
from mitmcache.reading.turns_reply import answered
from mitmcache.reading.turns_request import asked
from mitmcache.reading.usage import used

LIMIT = 200_000
"""Characters of one transcript. Of a longer one the beginning and, above all, the end are shown."""

_FORM_PART = 64 * 1024


def of_request(dialect: str, headers: Headers, body: bytes) -> str | None:
    """The conversation that a request holds; None where it cannot be read. Never raises.

    `dialect` is a dialect's name, `body` is content-decoded.
    """
    content_type = header(headers, "content-type")
    if "multipart/form-data" in content_type.lower():
        turns = _form(body, content_type)
    else:
        turns = asked(dialect, _json(body))
    return written(turns) if turns else None


def of_reply(dialect: str, headers: Headers, body: bytes) -> str | None:
    """The answer of a reply, a stream's put together, with its finish reason and usage; else None.

    A stream may have been cut off, and a reply be an error. Never raises.
    """
    media_type = header(headers, "content-type").partition(";")[0].strip().lower()
    if body and media_type.startswith(("audio/", "image/", "video/")):
        return f"[{media_type.partition('/')[0]} {media_type} {size(len(body))}]\n"
    read, streamed = documents(dialect, headers, body)
    if not read:
        return None
    document = assembled(dialect, read) if streamed else read[0][1]
    turns, finish = answered(dialect, document)
    usage = used(dialect, headers, read)
    lines = [f"finish: {finish}"] if finish else []
    lines += [f"usage: {counted(usage)}"] if usage else []
    if not turns and not lines:
        return None
    return "\n".join([*([written(turns)] if turns else []), *lines]) + ("\n" if lines else "")


def _json(body: bytes) -> Json:
    try:
        return parse(body)
    except (ValueError, RecursionError):
        return None


def _form(body: bytes, content_type: str) -> list[Turn]:
    try:
        parts = multipart.parse(body, content_type)
    except multipart.Malformed:
        return []
    return [Turn(tidy(part.name), (_part(part),)) for part in parts[:100]]


def _part(part: multipart.Part) -> str:
    if not part.is_file:
        return tidy(part.data.decode("utf-8", "replace"))
    kind = part.media_type or "application/octet-stream"
    return f"[{kind.partition('/')[0]} {kind} {size(len(part.data))}]"


def counted(usage: Usage) -> str:
    """`12 input tokens, 3 output tokens`: what is known, in the order of the fields, without parts of 0."""
    said = []
    for field in fields(usage):
        value = getattr(usage, field.name)
        if value or (value == 0 and field.name in ("input_tokens", "output_tokens")):
            said.append(f"{round(value, 3)} {field.name.replace('_', ' ')}")
    return ", ".join(said)


def written(turns: list[Turn]) -> str:
    """The turns under their headings, never longer than LIMIT."""
    texts = [f"── {each.who[:60]} ──\n" + "\n".join(each.says) + "\n" for each in turns]
    if sum(map(len, texts)) <= LIMIT:
        return "\n".join(texts)[:LIMIT]
    return _middle_out(texts)


def _middle_out(texts: list[str]) -> str:
    """What came last is what the call was about; the start says who is talking."""
    tail, room = [], LIMIT * 3 // 4
    while texts and room > 0:
        last = texts.pop()
        tail.append(last if len(last) <= room else "[…]\n" + last[-room:])
        room -= len(last)
    head = "\n".join(texts)
    room = LIMIT // 4 - 200
    left = f"\n\n[… {len(head) - room} characters left out …]\n\n" if len(head) > room else "\n"
    return head[:room] + left + "\n".join(reversed(tail))
