"""Why something was not done. One word for one thing, from header to log to statistics."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a call was not looked up, or its reply not kept: the word in header, log and statistics."""

    # the caller, or the configuration, said so
    OFF = "off"
    SKIP = "skip"
    POLICY = "policy"
    NO_STORE = "no-store"
    # the request asks for more than an answer, or leans on what can change
    STORE = "store"
    CONVERSATION = "conversation"
    BACKGROUND = "background"
    CONTAINER = "container"
    CONTEXT = "context"
    DEFERRED = "deferred"
    MODEL_LOAD = "model-load"
    SIGNED_URL = "signed-url"
    USE_CACHE = "use-cache"
    CONDITIONAL = "conditional"
    SIGV4 = "sigv4"
    TOO_LARGE = "too-large"
    # the reply is not an answer worth giving again
    STATUS = "status"
    EMPTY = "empty"
    ENCODING = "encoding"
    NOT_JSON = "not-json"
    ERROR = "error"
    INCOMPLETE = "incomplete"
    CONTENT_FILTER = "content-filter"
    TOOL_ARGUMENTS = "tool-arguments"
    # we could not
    VERSION = "version"
    QUEUE_FULL = "queue-full"
    STORE_ERROR = "store-error"
