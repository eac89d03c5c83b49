"""Variables as a shell's own commands, for `eval` and its like."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePath


class Shell(StrEnum):
    BASH = "bash"
    FISH = "fish"
    POWERSHELL = "powershell"


def commands(shell: Shell, variables: Mapping[str, str]) -> list[str]:
    """One line for each variable; a value may hold anything but a line break and a zero byte."""
    return [_LINES[shell].format(name=name, value=_quoted(shell, value)) for name, value in variables.items()]


def guess(shell: str) -> Shell:
    """From $SHELL. bash's is what sh, zsh and dash read, too."""
    name = PurePath(shell).name
    if name == "fish":
        return Shell.FISH
    return Shell.POWERSHELL if name in ("pwsh", "powershell") else Shell.BASH


_LINES = {
    Shell.BASH: "export {name}={value}",
    Shell.FISH: "set -gx {name} {value}",
    Shell.POWERSHELL: "$env:{name} = {value}",
}
# PowerShell takes typographic quotes for quotes, too
_POWERSHELL_QUOTES = "'\u2018\u2019\u201a\u201b"


def _quoted(shell: Shell, value: str) -> str:
    if shell is Shell.BASH:
        return "'" + value.replace("'", "'\\''") + "'"
    if shell is Shell.FISH:
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return "'" + "".join(char * 2 if char in _POWERSHELL_QUOTES else char for char in value) + "'"
