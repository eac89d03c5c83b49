"""Our options, in mitmproxy's option system: declared, read once, and read again when they change."""

from mitmproxy import ctx, exceptions
from mitmproxy.addonmanager import Loader

from mitmcache import settings


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
        try:
            self.current = settings.parse(
                {option.name: getattr(ctx.options, option.name) for option in settings.OPTIONS}
            )
        except settings.BadOption as error:
            raise exceptions.OptionsError(str(error)) from None
