import pytest

from made import CALL
from mitmcache.exchange import Headers, Reply, header

FIELDS: Headers = (("a", "1"), ("b", ""), ("a", "2, 3"), ("c", "x"))


@pytest.mark.parametrize(("name", "value"), [("a", "1, 2, 3"), ("b", ""), ("c", "x"), ("d", ""), ("A", "")])
def test_the_lines_of_a_header_are_one_list(name: str, value: str) -> None:
    assert header(FIELDS, name) == value


def test_bodies_are_not_written_to_logs() -> None:
    assert "m-1" not in repr(CALL) and "answer" not in repr(Reply(200, (), b"answer"))


def test_a_call_and_a_reply_do_not_change() -> None:
    for made in (CALL, Reply(200, (), b"")):
        with pytest.raises(AttributeError):
            made.body = b""  # type: ignore[misc]
