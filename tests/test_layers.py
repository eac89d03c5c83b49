"""Who may import whom, which module has its test, and how long a file may get."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "addon" / "mitmcache"
MODULES = sorted(PACKAGE.rglob("*.py"))

# The arrows: what each of these layers may import of the others. What is not named here is theirs to choose.
ARROWS = {
    "reasons": set(),
    "units": set(),
    "tally": {"reasons"},
    "selection": set(),
    "alerts": {"alerts", "journal", "store", "units"},
    "reading": {"cache", "exchange", "providers", "reading", "wire"},
    "journal": {"batches", "cache", "exchange", "journal", "providers", "reading", "store", "trimmed"},
    "purge": {"cache", "purge", "selection", "store"},
    "wire": {"wire"},
    "providers": {"providers", "reasons", "wire"},
    "metrics": {"cache", "exchange", "journal", "keeper", "metrics", "store", "stores", "tally"},
    "exchange": {"providers", "reasons"},
    "cache": {"cache", "exchange", "providers", "reasons", "selection", "trimmed", "units", "wire"},
    "store": {"selection", "store"},
    "large": {"cache", "exchange", "large", "providers", "reasons", "store", "wire"},
    "relay": {"relay"},
    "gateway": {"gateway", "journal", "relay", "selection", "store", "units"},
    "launch": {"launch"},
    "bundle": {"bundle", "cache", "large", "selection", "store"},
    "pytest_plugin": {"bundle", "cache", "launch", "pytest_plugin", "reading", "store"},
    "trimmed": set(),
    "background": set(),
    "batches": set(),
    "logs": {"journal", "logs", "wire"},
    "otel": {"journal", "logs", "otel"},
}
NOT_PURE = {
    *("alerts", "background", "batches", "bundle", "gateway", "journal", "large", "launch", "logs"),
    *("otel", "purge", "pytest_plugin", "relay", "store"),
}
PURE = ARROWS.keys() - NOT_PURE
# The clock, chance, files, sockets, threads, logs, and what runs on them.
IMPURE = {
    *("asyncio", "concurrent", "multiprocessing", "signal", "subprocess", "threading"),
    *("datetime", "random", "secrets", "time", "uuid"),
    *("fileinput", "glob", "importlib", "io", "logging", "os", "pathlib", "shutil", "sqlite3", "tempfile"),
    *("http", "httpx", "mitmproxy", "requests", "socket", "ssl", "urllib.request"),
}

# Modules without a test file of their own, and where their behaviour is tested instead.
NO_TEST_OF_ITS_OWN = {
    "demo/__main__.py": "test_demo.py",
    "demo/ask.py": "test_demo.py",
    "demo/certificate.py": "test_demo.py",
    "demo/play.py": "test_demo.py",
    "demo/proxy.py": "test_demo.py",
    "demo/redirect.py": "test_demo.py",
    "demo/report.py": "test_demo.py",
    "demo/upstream.py": "test_demo.py",
    "gateway/place.py": "gateway/test_app.py",
    "large/__main__.py": "large/test_worker.py",
    "launch/__main__.py": "launch/test_proxy.py",
    "launch/begin.py": "launch/test_child.py",
    "providers/base.py": "providers/test_what_counts.py",
    "reasons.py": "cache/test_policy.py",
    "store/base.py": "store/test_contract.py",
    "wire/events.py": "wire/test_sse.py",
}
MOST_LINES = 250
# What mitmproxy loads is not a part of the layer that it lies in.
SCRIPT = PACKAGE / "launch" / "script" / "mitmcache_addon.py"


def layer(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(module: Path) -> Iterator[str]:
    """Every module named by an import statement, wherever it stands; `from a import b` names a and a.b."""
    package = module.relative_to(PACKAGE.parent).parent.parts
    for node in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def within(name: str, packages: set[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[: end + 1]) in packages for end in range(len(parts)))


def inner(module: Path) -> set[str]:
    """The layers of this package that a module imports."""
    names = (name.split(".") for name in imports(module))
    return {parts[1] for parts in names if parts[0] == "mitmcache" and len(parts) > 1}


def named(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("module", [m for m in MODULES if layer(m) in PURE], ids=named)
def test_the_core_has_no_clock_no_files_and_no_mitmproxy(module: Path) -> None:
    assert not [name for name in imports(module) if within(name, IMPURE)]
    calls = (node.func for node in ast.walk(ast.parse(module.read_bytes())) if isinstance(node, ast.Call))
    assert not {call.id for call in calls if isinstance(call, ast.Name)} & {"open", "input", "__import__"}


@pytest.mark.parametrize("module", [m for m in MODULES if layer(m) in ARROWS and m != SCRIPT], ids=named)
def test_the_arrows_point_downwards(module: Path) -> None:
    assert inner(module) <= ARROWS[layer(module)]


def test_every_layer_that_is_named_exists() -> None:
    assert ARROWS.keys() <= {layer(module) for module in MODULES}


def test_only_the_addons_know_mitmproxy() -> None:
    knowing = {layer(module) for module in MODULES if any(within(n, {"mitmproxy"}) for n in imports(module))}
    assert knowing - {"demo", "launch"} == {
        "addons",
        "contexts",
        "dispatch",
        "hooking",
        "internals",
        "pieces",
        "serving",
        "shortcuts",
    }


def test_nothing_imports_the_addons_but_themselves_and_the_script() -> None:
    importers = {module for module in MODULES if "addons" in inner(module)} - {SCRIPT}
    assert {layer(module) for module in importers} <= {"addons"}
    assert "mitmcache.addons" in set(imports(PACKAGE.parent / "main.py"))


def defines_something(module: Path) -> bool:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    body = ast.parse(module.read_bytes()).body
    return module.name == "__main__.py" or any(isinstance(node, kinds) for node in body)


def own_test(module: Path) -> Path:
    """tests/ mirrors the package: cache/key.py has tests/cache/test_key.py, an __init__.py test_init.py."""
    relative = module.relative_to(PACKAGE)
    return ROOT / "tests" / relative.parent / f"test_{relative.stem.strip('_')}.py"


def test_every_module_has_a_test_file_of_its_own() -> None:
    lacking = {named(m) for m in MODULES if defines_something(m) and not own_test(m).exists()}
    assert sorted(lacking - NO_TEST_OF_ITS_OWN.keys()) == []


@pytest.mark.parametrize(("module", "tested_in"), NO_TEST_OF_ITS_OWN.items())
def test_the_exceptions_still_are_ones(module: str, tested_in: str) -> None:
    assert (PACKAGE / module).exists()
    assert not own_test(PACKAGE / module).exists()
    assert (ROOT / "tests" / tested_in).exists()


def test_no_file_is_too_long_to_read() -> None:
    files = [ROOT / "run.sh", ROOT / ".ci" / "run", *MODULES, *(ROOT / "tests").rglob("*.py")]
    lengths = {file.relative_to(ROOT).as_posix(): len(file.read_text().splitlines()) for file in files}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}
