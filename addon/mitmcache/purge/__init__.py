"""Purging: told to all who share the bucket, obeyed at once, and deleted later."""

from mitmcache.purge.control import purge, push, read
from mitmcache.purge.deletion import sweep
from mitmcache.purge.purger import Purger

__all__ = ["Purger", "purge", "push", "read", "sweep"]
