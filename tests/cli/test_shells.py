import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mitmcache.cli import shells
from mitmcache.cli.shells import Shell

# no surrogates, no controls: a path and an address have none
VALUES = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")))


@pytest.mark.parametrize(
    "shell", [name for name in ("bash", "sh", "zsh", "fish", "pwsh") if shutil.which(name)]
)
@settings(max_examples=25)
@example(value="/a b/it's $HOME `x` \"q\" \\' \\")
@given(value=VALUES)
def test_a_shell_that_reads_it_has_the_very_value(shell: str, value: str) -> None:
    program = shutil.which(shell)
    assert program
    [line] = shells.commands(shells.guess(program), {"MARK": value})
    done = subprocess.run(
        [program, "-c", f"{line}\nprintenv MARK"], capture_output=True, timeout=100, check=True
    )
    assert done.stdout.decode() == f"{value}\n"


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        (Shell.BASH, r"""export A='it'\''s \ $b "c"'"""),
        (Shell.FISH, r"""set -gx A 'it\'s \\ $b "c"'"""),
        (Shell.POWERSHELL, r"""$env:A = 'it''s \ $b "c"'"""),
    ],
)
def test_each_has_its_own_way_to_quote(shell: Shell, expected: str) -> None:
    assert shells.commands(shell, {"A": r"""it's \ $b "c\""""[:-2] + '"'}) == [expected]


def test_powershell_takes_typographic_quotes_for_quotes() -> None:
    assert shells.commands(Shell.POWERSHELL, {"A": "it\u2019s"}) == ["$env:A = 'it\u2019\u2019s'"]


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("/bin/bash", Shell.BASH),
        ("/usr/bin/fish", Shell.FISH),
        ("/usr/bin/pwsh", Shell.POWERSHELL),
        ("/bin/zsh", Shell.BASH),
        ("", Shell.BASH),
    ],
)
def test_the_users_shell_is_guessed(shell: str, expected: Shell) -> None:
    assert shells.guess(shell) is expected
