"""An error of our own in the form that a dialect's clients know, so that they raise it as what it is."""

from typing import Any

import orjson

from mitmcache.providers.base import Json

type Fields = tuple[tuple[str, str], ...]

JSON: Fields = (("content-type", "application/json"),)

_GOOGLE = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    504: "timeout_error",
}
_AWS = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
}


def error_reply(
    dialect: str, status: int, code: str, message: str, details: dict[str, Json] | None = None
) -> tuple[Fields, bytes]:
    """Header fields and JSON body of an error, in the form of the dialect of this name.

    `code` is a word for programs. Where the form has a place for fields of others, it and `details`,
    which must be JSON, stand there under their own names; else only the message is told. `message` is
    what the provider's own clients print.
    """
    own = {"code": code, **(details or {})}
    family = dialect.partition(".")[0]
    document: dict[str, Any]
    match family:
        case "anthropic":
            kind = _ANTHROPIC.get(status, "api_error")
            document = {"type": "error", "error": {"type": kind, "message": message, **own}}
        case "gemini":
            info = {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": code,
                "domain": "mitmcache",
            }
            known = {"code": status, "message": message, "status": _GOOGLE.get(status, "UNKNOWN")}
            document = {"error": {**known, "details": [{**info, "metadata": _texts(details or {})}]}}
        case "bedrock":
            fields = (*JSON, ("x-amzn-errortype", _AWS.get(status, "InternalServerException")))
            return fields, _dump({"message": message, **own})
        case "cohere":
            document = {"message": message, **own}
        case "ollama" | "hf":
            document = {"error": message, **own}
        case _:  # OpenAI's, which most of the others took over
            document = {"error": {"message": message, "type": code, "param": None, **own}}
    return JSON, _dump(document)


def _texts(details: dict[str, Json]) -> dict[str, str]:
    """google.rpc.ErrorInfo's metadata are texts."""
    return {
        name: value if isinstance(value, str) else _dump(value).decode() for name, value in details.items()
    }


def _dump(document: Json) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)
