"""Our options, in mitmproxy's option system: declared, read once, and read again when they change."""

import logging

from mitmproxy import ctx, exceptions
from mitmproxy.addonmanager import Loader

from mitmcache import settings
from mitmcache.settings import Settings

logger = logging.getLogger(__name__)


class Options:
    """`current` is what all other addons go by. A bad value is refused, and the last good one stays."""

    def __init__(self) -> None:
        self.current = settings.parse({option.name: option.default for option in settings.OPTIONS})

    def load(self, loader: Loader) -> None:
        for option in settings.OPTIONS:
            loader.add_option(option.name, str, option.default, option.help)

    def configure(self, updated: set[str]) -> None:
        if not any(option.name in updated for option in settings.OPTIONS):
            return
        values = {option.name: getattr(ctx.options, option.name) for option in settings.OPTIONS}
        try:
            self.current = _parsed(values)
        except settings.BadOption as error:
            raise exceptions.OptionsError(str(error)) from None


def _parsed(values: dict[str, str]) -> Settings:
    try:
        return settings.parse(values)
    except settings.BadOption as error:
        if error.option != "llm_store":
            raise
        # open: without its bucket the cache is a smaller cache, not a broken proxy
        parsed = settings.parse({**values, error.option: ""})
        logger.warning("mitmcache: answers are kept on this machine alone: %s", error)
        return parsed
