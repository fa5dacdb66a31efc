"""Plug-ins are found; what is wrong with one is told, not skipped."""

import subprocess
import sys
import types

import pytest
from twisted.plugin import getPlugins
from zope.interface.verify import verifyObject

import mailer
from mailer.config.errors import ConfigError
from mailer.interfaces.table import ITableFactory
from mailer.plugins.declaration import Table
from mailer.plugins.registry import Registry, discover, installed


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of plug-in modules; ``package.write(name, source)`` adds one."""
    made = types.ModuleType("someplugins")
    made.__path__ = [str(tmp_path)]
    made.write = lambda name, source: (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.setitem(sys.modules, "someplugins", made)
    yield made
    for name in [name for name in sys.modules if name.startswith("someplugins.")]:
        del sys.modules[name]


def registry(package):
    return Registry(ITableFactory, "lookup table type", discover(package))


DECLARATION = """
from mailer.plugins.declaration import Table
one = Table({name!r}, "a table", {factory!r}, {extra!r})
"""


def declared(name="acme", factory="acme.tables.Acme", extra=""):
    return DECLARATION.format(name=name, factory=factory, extra=extra)


def test_a_declared_type_is_found(package):
    package.write("acme", declared())
    found = registry(package)
    assert found.problems == []
    assert found.names() == ["acme"]
    assert verifyObject(ITableFactory, found.find("acme"))
    assert found.find("other") is None


def test_two_with_one_name_are_a_problem_and_neither_is_used(package):
    package.write("acme", declared())
    package.write("better", declared())
    found = registry(package)
    assert found.problems == ["lookup table type acme is declared twice: by acme and by better"]
    with pytest.raises(ConfigError, match="declared twice"):
        found.find("acme")


def test_one_object_in_two_modules_is_one_plug_in(package):
    package.write("acme", declared())
    package.write("again", "# mailer\nfrom someplugins.acme import one\n")
    assert registry(package).problems == []


def test_a_module_that_will_not_import_is_told_with_its_place(package):
    package.write("acme", "import mailer\nraise RuntimeError('no luck')\n")
    package.write("fine", declared())
    found = registry(package)
    (problem,) = found.problems
    assert "acme.py cannot be imported: RuntimeError: no luck" in problem
    assert problem.endswith("line 2)")
    assert found.names() == ["acme"]


def test_a_syntax_error_is_told(package):
    package.write("acme", "mailer = (\n")
    (problem,) = registry(package).problems
    assert "SyntaxError" in problem


def test_plug_ins_of_other_projects_are_left_alone(package):
    package.write("other", "raise RuntimeError('not our business')\n")
    assert registry(package).problems == []


def test_a_missing_optional_package_is_told_with_the_command(package):
    with pytest.raises(ConfigError) as caught:
        Table("acme", "a table", "no_such_package_here.Acme", "acme").build("x", None)
    assert str(caught.value) == (
        "lookup table type acme needs the Python package no_such_package_here (pip install mailer[acme])"
    )
    with pytest.raises(ConfigError, match=r"pip install acme\[redis\]"):
        Table("acme", "a table", "no_such_package_here.Acme", "acme[redis]").build("x", None)


def test_a_wrong_dotted_name_is_told():
    with pytest.raises(ConfigError, match="cannot be imported"):
        Table("acme", "a table", "mailer.tables.static.Nothing").build("x", None)
    with pytest.raises(ConfigError, match="cannot be imported"):
        Table("acme", "a table", "mailer.tables.nothing.Nothing", "extra").build("x", None)


def test_twisted_finds_the_same():
    ours = installed(ITableFactory, "lookup table type")
    assert ours.problems == []
    assert set(ours.names()) <= {plugin.name for plugin in getPlugins(ITableFactory)}
    assert {"static", "inline", "texthash", "regexp", "pcre", "cidr", "lmdb", "hash"} <= set(ours.names())


def test_looking_for_types_imports_none():
    code = (
        "import sys; from mailer.tables.opening import table_types; print(len(table_types().names()) > 10,"
        " [m for m in sys.modules if m == 'lmdb' or m in ('mailer.tables.lmdb', 'mailer.tables.rules')])"
    )
    root = mailer.__path__[0].rpartition("/")[0]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "True []"


@pytest.mark.parametrize(
    "factory", list(installed(ITableFactory, "lookup table type")), ids=lambda factory: factory.name
)
def test_every_declaration_has_what_it_names(factory):
    assert factory.summary and factory.name == factory.name.strip()
    try:
        assert callable(factory.load())
    except ConfigError as error:
        assert factory.extra and factory.extra in str(error)
