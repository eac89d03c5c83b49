"""The command line: what is kept, and how it is looked after. It works with and without a running proxy."""

import click

from mitmcache import __version__
from mitmcache.cli import bucket, bundle, ls, purge, show, stats


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mitmcache", message="%(prog)s %(version)s")
def main() -> None:
    """Look at what mitmcache keeps, and change it.

    The options are those of the proxy: from config.yaml of its folder, and from --set.
    """


for _command in (
    ls.ls,
    show.show,
    stats.stats,
    purge.purge,
    bundle.export_bundle,
    bundle.import_bundle,
    bucket.bucket,
):
    main.add_command(_command)
