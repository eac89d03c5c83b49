import re
from pathlib import Path

from mitmcache.gateway import assets

FOLDER = Path(assets.__file__).parent / "static"
OURS = [path for path in sorted(FOLDER.iterdir()) if path.is_file()]
MOST_LINES = 250


def test_every_file_is_there_and_its_tag_changes_with_it() -> None:
    found = assets.load()
    names = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert {path.lstrip("/") or "index.html" for path in found} == names
    assert found["/"].type.startswith("text/html") and found["/app.js"].type.startswith("text/javascript")
    assert len({asset.etag for asset in found.values()}) == len(found)


def test_all_that_a_file_refers_to_is_there() -> None:
    found = assets.load()
    page = found["/"].body.decode()
    named = set(re.findall(r'(?:src|href)="([^"#]+)"', page)) - {"api/summary", "metrics"}
    modules = {name for path in OURS for name in re.findall(r'from "\./([^"]+)"', path.read_text())}
    assert named and modules and {f"/{name}" for name in named | modules} <= found.keys()


def test_nothing_is_fetched_from_elsewhere() -> None:
    for path in OURS:
        links = re.findall(r"""(?:https?:)?//[\w.-]+\.\w+[^\s"'`]*""", path.read_text())
        assert not [link for link in links if "www.w3.org/2000/svg" not in link], path.name


def test_the_page_needs_nothing_that_its_policy_forbids() -> None:
    page = (FOLDER / "index.html").read_text()
    assert not re.findall(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    for path in FOLDER.glob("*.js"):
        # what others have named is text, and nothing else
        assert not re.findall(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(", path.read_text()
        )


def test_no_file_is_too_long_to_read() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in OURS}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_what_is_not_ours_has_its_licence() -> None:
    names = {path.name for path in (FOLDER / "vendor").iterdir()}
    assert names == {"uplot.LICENSE", "uplot.css", "uplot.js"}
    assert "MIT License" in (FOLDER / "vendor" / "uplot.LICENSE").read_text()
