"""`python -m mitmcache`."""

from mitmcache.cli import main

main(prog_name="mitmcache")
