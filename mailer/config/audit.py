"""Which declared parameters the source of ``mailer`` reads; ``--write`` puts them into `mailer.config.supported`.

A read is, in the text of a module: ``settings.NAME``, where ``settings`` may be any name or attribute that is or ends
with ``settings``; ``settings.text("NAME")`` and its siblings; ``settings.transport(x, "SUFFIX")``. In a module that calls
one of those siblings with a name that is computed (``settings.value(title)``), every string that is a parameter's name
counts. A default that says ``$NAME`` reads NAME, too.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import mailer
from mailer.config.declaration import Parameter
from mailer.config.expand import references
from mailer.config.parameters import PARAMETERS
from mailer.config.settings import CLASS_PREFIX

__all__ = ["main", "render", "supported_names"]

_BY_NAME = {"is_set", "raw", "text", "value"}
_ROOT = Path(mailer.__file__).parent
_TARGET = Path(__file__).with_name("supported.py")
_OWN = "config"  # this package names parameters without acting on them
_MARK = "SUPPORTED = "


def supported_names(root: Path = _ROOT, declared: Mapping[str, Parameter] = PARAMETERS) -> frozenset[str]:
    """The declared names that the modules below ``root`` read, directly or through a default."""
    read: set[str] = set()
    pending = [
        name
        for path in sorted(root.rglob("*.py"))
        for name in _reads(ast.parse(path.read_text("utf-8")), path.parent.name != _OWN)
    ]
    while pending:
        name = pending.pop()
        parameter = declared.get(name)
        if parameter is None or name in read:
            continue
        read.add(name)
        pending += references(parameter.default)
    return frozenset(read)


def _reads(tree: ast.AST, strings: bool) -> Iterator[str]:
    computed = strings and any(_is_computed(node) for node in ast.walk(tree))
    for node in ast.walk(tree):
        if computed and isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        if isinstance(node, ast.Attribute) and _is_settings(node.value):
            yield node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_settings(node.func.value):
            yield from _call(node.func.attr, node.args)


def _is_computed(node: ast.AST) -> bool:
    """``settings.value(title)``: which parameter is read is known to the callers in the module."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_settings(node.func.value)):
        return False
    return node.func.attr in _BY_NAME and bool(node.args) and not isinstance(node.args[0], ast.Constant)


def _call(method: str, arguments: list[ast.expr]) -> Iterator[str]:
    words = [node.value if isinstance(node, ast.Constant) else None for node in arguments]
    if method in _BY_NAME and words[:1] and isinstance(words[0], str):
        yield words[0]
    elif method == "transport" and len(words) == 2 and isinstance(words[1], str):
        yield CLASS_PREFIX + words[1]


def _is_settings(node: ast.expr) -> bool:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name == "settings" or name.endswith("_settings")


def render(names: frozenset[str], module: str) -> str:
    """The text of supported.py with these names in place of the ones in ``module``."""
    head = module[: module.index(_MARK)]
    if not names:
        return f"{head}{_MARK}frozenset(())\n"
    lines = "".join(f'        "{name}",\n' for name in sorted(names))
    return f"{head}{_MARK}frozenset(\n    (\n{lines}    )\n)\n"


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit status 1 when supported.py is not what the source says (and was not to be written)."""
    parser = argparse.ArgumentParser(prog="python -m mailer.config.audit", description="Compare supported.py.")
    parser.add_argument("--write", action="store_true", help="write mailer/config/supported.py")
    options = parser.parse_args(arguments)
    before = _TARGET.read_text("utf-8")
    after = render(supported_names(), before)
    if options.write and before != after:
        _TARGET.write_text(after, "utf-8")
    elif before != after:
        print("supported.py is out of date: run it again with --write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
