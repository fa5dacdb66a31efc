"""Who may import whom: arrows point down. See docs/architecture.rst."""

import ast
from pathlib import Path

import pytest

import mailer

ROOT = Path(mailer.__file__).parent

#: Level -> packages, downward imports only.
LEVELS = {
    7: ["tap", "commands"],
    6: ["master", "daemons"],
    5: ["receive", "clean", "queue", "schedule", "deliver", "report"],
    4: ["addressing", "access"],
    3: ["log", "dns", "tls", "net", "ipc", "tables", "sasl", "plugins"],
    2: ["wire", "config", "testing"],
    1: ["message", "interfaces"],
}
LEVEL = {name: level for level, names in LEVELS.items() for name in names}
#: Neighbours on one level that may be imported, beyond the rule.
SIDEWAYS = {
    "master": {"daemons"},
    "tap": {"commands"},
    "access": {"addressing"},
    "interfaces": {"message"},
    "message": {"interfaces"},
    "testing": {"config", "wire"},
}
for index, name in enumerate(LEVELS[3]):
    SIDEWAYS.setdefault(name, set()).update(LEVELS[3][:index] + ["plugins"] if name != "plugins" else [])

FORBIDDEN_IN_WIRE = {"twisted", "socket", "time", "os", "asyncio", "select"}


def modules():
    return sorted(ROOT.rglob("*.py"))


def imports(path):
    """``(line, dotted name)`` of everything imported at run time (``if TYPE_CHECKING`` blocks are for readers)."""
    tree = ast.parse(path.read_text(), str(path))
    hidden = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.unparse(branch.test)
        for node in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield node.lineno, node.module
            if node.module == "mailer":
                yield from ((node.lineno, f"mailer.{alias.name}") for alias in node.names)


def package(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def allowed(importer, imported):
    if importer == imported or imported.startswith("__"):
        return True
    if imported in SIDEWAYS.get(importer, ()):
        return True
    return LEVEL[imported] < LEVEL[importer] and imported != "testing"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_point_down(path):
    importer = package(path)
    if importer == "__init__":
        return
    assert importer in LEVEL, f"{importer} has no level in this test: give it one"
    wrong = []
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] == "mailer" and len(parts) > 1:
            if not allowed(importer, parts[1]):
                wrong.append(f"{path}:{line}: {importer} imports {parts[1]}")
        elif importer in ("wire", "message") and parts[0] in FORBIDDEN_IN_WIRE:
            wrong.append(f"{path}:{line}: {importer} is pure, but imports {parts[0]}")
    assert not wrong, "\n".join(wrong)
