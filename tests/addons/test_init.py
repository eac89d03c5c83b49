"""The pipeline: its order is what makes it right."""

from itertools import pairwise

from mitmcache.addons import default_addons
from mitmcache.addons.calls import Calls
from mitmcache.addons.capture import Capture
from mitmcache.addons.control import Control
from mitmcache.addons.lookup import Lookup
from mitmcache.addons.marks import Marks
from mitmcache.addons.options import Options
from mitmcache.addons.pruner import Pruner
from mitmcache.addons.scope import Scope
from mitmcache.addons.storage import Storage

ORDER = (
    # options are read before anyone goes by them
    (Options, Storage, Scope),
    # what is asked of us is answered before it is taken for a call, and a call before it is looked up
    (Control, Calls, Lookup),
    # a reply is judged before its outcome is shown, and shown before its flow may be pruned
    (Lookup, Capture, Marks, Pruner),
)


def test_each_comes_before_those_that_need_it() -> None:
    kinds = [type(addon) for addon in default_addons()]
    for chain in ORDER:
        for first, second in pairwise(chain):
            assert kinds.index(first) < kinds.index(second), (first, second)


def test_a_reload_gets_new_ones() -> None:
    before, after = default_addons(), default_addons()
    assert [type(addon) for addon in before] == [type(addon) for addon in after]
    assert not {id(addon) for addon in before} & {id(addon) for addon in after}
