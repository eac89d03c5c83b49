"""The command line: programs run through the cache, and what is kept. It needs no running proxy."""

import click

from mitmcache import __version__
from mitmcache.cli import bucket, bundle, dashboard, doctor, env, exec, explain, ls, purge, show, stats


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mitmcache", message="%(prog)s %(version)s")
def main() -> None:
    """Run programs through mitmcache; look at what it keeps, and change it.

    The options are those of the proxy: from config.yaml of its folder, and from --set.
    """


for _command in (
    exec.execute,
    env.env,
    doctor.doctor,
    dashboard.dashboard,
    ls.ls,
    show.show,
    explain.explain,
    stats.stats,
    purge.purge,
    bundle.export_bundle,
    bundle.import_bundle,
    bucket.bucket,
):
    main.add_command(_command)
