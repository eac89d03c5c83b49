import pytest
from hypothesis import given
from hypothesis import strategies as st

from made import field, multipart
from mitmcache.cache.multipart import Malformed, Part, lasting, parse

TYPE = "multipart/form-data; boundary=xyz"
FILE = 'Content-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav'


def test_parts_come_in_order_with_their_headers_as_sent() -> None:
    body = multipart("xyz", (field("model"), b"m-1"), (FILE, b"\x00\r\n\xff"))
    assert parse(body, TYPE) == [
        Part("model", 'form-data; name="model"', "", b"m-1"),
        Part("file", 'form-data; name="file"; filename="a.wav"', "audio/wav", b"\x00\r\n\xff"),
    ]


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=xyz",
        'multipart/form-data; boundary="xyz"',
        "Multipart/Form-Data; charset=utf-8; BOUNDARY=xyz",
        "multipart/form-data;boundary=xyz; charset=utf-8",
    ],
)
def test_a_boundary_is_found_however_it_is_written(content_type: str) -> None:
    assert len(parse(multipart("xyz", (field("a"), b"1")), content_type)) == 1


def test_a_quoted_boundary_may_hold_spaces() -> None:
    assert len(parse(multipart("x y", (field("a"), b"1")), 'multipart/form-data; boundary="x y"')) == 1


def test_space_behind_a_boundary_is_padding() -> None:
    body = multipart("xyz", (field("a"), b"1")).replace(b"--xyz\r", b"--xyz \t\r")
    assert [(part.name, part.data) for part in parse(body, TYPE)] == [("a", b"1")]


def test_a_part_may_say_nothing_of_itself() -> None:
    assert parse(multipart("xyz", ("x-a: b", b"1")), TYPE) == [Part("", "", "", b"1")]


def test_bytes_that_are_not_utf_8_are_kept_in_a_name() -> None:
    assert parse(multipart("xyz", (field("a\udcff"), b"1")), TYPE)[0].name == "a\udcff"


def test_no_part_at_all_is_an_empty_list() -> None:
    assert parse(b"--xyz--\r\n", TYPE) == []


@pytest.mark.parametrize(
    ("disposition", "name", "is_file"),
    [
        ('form-data; name="a b"', "a b", False),
        ("form-data; name=a", "a", False),
        ('form-data; filename="n.txt"; name="a"', "a", True),
        ('form-data; NAME="a"; FileName=n', "a", True),
        ("form-data; name=\"a\"; filename*=utf-8''n", "a", True),
        ('form-data; filename="x; name=b"; name="a"', "a", True),
        ("form-data", "", False),
    ],
)
def test_a_disposition_tells_the_name_and_whether_it_is_a_file(
    disposition: str, name: str, is_file: bool
) -> None:
    (part,) = parse(multipart("xyz", (f"content-disposition: {disposition}", b"")), TYPE)
    assert (part.name, part.is_file) == (name, is_file)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(b"--xyz--\r\n", "multipart/form-data", id="no boundary"),
        pytest.param(b"", TYPE, id="no body"),
        pytest.param(b"hello", TYPE, id="no delimiter"),
        pytest.param(
            multipart("xyz", (field("a"), b"1"))[:-4], TYPE, id="cut before the closing delimiter ends"
        ),
        pytest.param(multipart("abc", (field("a"), b"1")), TYPE, id="another boundary"),
        pytest.param(
            b"hello\r\n" + multipart("xyz", (field("a"), b"1")), TYPE, id="text before the first part"
        ),
        pytest.param(b"--xyz\r\n\r\nno header\r\n--xyz--\r\n", TYPE, id="a part without a header"),
        pytest.param(b"--xyz\r\nno end of header\r\n--xyz--\r\n", TYPE, id="a header without an end"),
        pytest.param(
            multipart("xyzw", (field("a"), b"1")), TYPE, id="a longer boundary that begins the same"
        ),
        pytest.param(
            b"--xyz--\r\n" + multipart("xyz", (field("a"), b"1")),
            TYPE,
            id="a part after the closing delimiter",
        ),
    ],
)
def test_what_cannot_be_read_in_one_way_is_malformed(body: bytes, content_type: str) -> None:
    with pytest.raises(Malformed):
        parse(body, content_type)


@given(st.binary(max_size=80), st.text(max_size=20))
def test_arbitrary_bytes_are_read_or_malformed(body: bytes, boundary: str) -> None:
    try:
        parse(body, f"multipart/form-data; boundary={boundary}")
        parse(b"--xyz\r\n" + body + b"\r\n--xyz--", TYPE)
    except Malformed:
        return


@given(st.lists(st.binary(max_size=30).filter(lambda data: b"--xyz" not in data), max_size=5))
def test_the_data_of_parts_comes_back_byte_for_byte(contents: list[bytes]) -> None:
    body = multipart("xyz", *((field(str(at)), data) for at, data in enumerate(contents)))
    assert [part.data for part in parse(body, TYPE)] == contents


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("tmpk3_x9a2b.wav", ".wav"),
        ("tmp.Ab3dEf9hIj.wav", ".wav"),
        ("tmp-1234-aBcDeFgH.wav", ".wav"),
        ("speech20230813-10689-b0aklz.mp3", "speech.mp3"),
        ("speech.mp320230813-10689-b0aklz.mp3", "speech.mp.mp3"),
        ("3F0c1a52-77de-4b0a-9a3e-0123456789ab.webm", ".webm"),
        ("d41d8cd98f00b204e9800998ecf8427e.png", ".png"),
        ("voice-1699999999999.ogg", "voice-.ogg"),
        ("speech.wav", "speech.wav"),
        ("take-2.wav", "take-2.wav"),
        ("attmpabcdefgh.wav", "attmpabcdefgh.wav"),
        (r"take \"2\".wav", r"take \"2\".wav"),
        ("interview-20230813.wav", "interview-20230813.wav"),
    ],
)
def test_of_a_temporary_files_name_what_lasts_is_left(name: str, left: str) -> None:
    start = 'form-data; name="tmpabcdefgh"; filename'
    assert lasting(f'{start}="{name}"') == f'{start}="{left}"'
    assert lasting(f'{start}="{name}"; size=20230813') == f'{start}="{left}"; size=20230813'
    if " " not in name:
        assert lasting(f"{start}*=UTF-8''{name}") == f"{start}*=UTF-8''{left}"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")))
def test_anything_that_names_no_file_lasts(disposition: str) -> None:
    assert lasting(disposition) == disposition or "filename" in disposition.lower()
