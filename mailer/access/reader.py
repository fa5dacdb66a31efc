"""Reading restriction lists: words of main.cf, or of an access table's answer, to restrictions.

As with Postfix a mistake in a list keeps nobody from being served who is decided on before it: what cannot be understood
becomes a restriction that tells the log what is wrong and refuses for now. `problems` tells all of it at start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mailer.access.evaluation import WARN_IF_REJECT, Evaluation, evaluate, misconfigured
from mailer.access.restriction import Environment, Factory, Restriction
from mailer.access.verdict import Verdict
from mailer.config.errors import ConfigError
from mailer.config.values import split_list

__all__ = ["ListReader", "RestrictionClass"]

_TABLE_RESTRICTIONS = (
    "check_client_access, check_reverse_client_hostname_access, check_helo_access, check_sender_access,"
    " check_recipient_access, check_etrn_access"
)


class RestrictionClass(Restriction):
    """A list under a name of its own (smtpd_restriction_classes)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.argument = ""
        self.members: tuple[Restriction, ...] = ()

    async def check(self, state: Evaluation) -> Verdict | None:
        return await evaluate(self.members, state)


class _Marker(Restriction):
    """``warn_if_reject``: the evaluator acts on the name."""

    name = WARN_IF_REJECT

    async def check(self, state: Evaluation) -> Verdict | None:
        return None


class _Mistake(Restriction):
    """What cannot be understood.

    :param text: what the log is told, the stage in place of ``%s``. :param refuses: whether the request is refused, too.
    """

    def __init__(self, environment: Environment, name: str, text: str, refuses: bool = True) -> None:
        super().__init__(environment)
        self.name = name
        self._text = text
        self._refuses = refuses

    async def check(self, state: Evaluation) -> Verdict | None:
        state.warn(self._text.replace("%s", state.stage))
        if self._refuses:
            raise misconfigured()
        return None


class ListReader:
    """Reads restriction lists.

    :param known: name -> class of each restriction.
    :raise ConfigError: a restriction class has no definition.
    """

    def __init__(self, environment: Environment, known: Mapping[str, Factory]) -> None:
        self._environment = environment
        self._known = known
        self._classes: dict[tuple[str, str], RestrictionClass] = {}
        #: What is wrong with lists read so far, for the report at start.
        self.problems: list[str] = []
        settings = environment.settings
        self._definitions: dict[str, tuple[str, ...]] = {}
        for name in settings.smtpd_restriction_classes:
            if settings.raw(name) is None:
                raise ConfigError(f"restriction class `{name}' needs a definition", f"set {name} in main.cf")
            self._definitions[name] = split_list(settings.text(name))

    def read(self, parameter: str, words: Sequence[str], bare_table: str = "") -> tuple[Restriction, ...]:
        """:param parameter: the name that problems mention.
        :param bare_table: which restriction ``type:table`` alone stands for, "" if none.
        :raise ConfigError: an argument makes no sense at all."""
        result: list[Restriction] = []
        rest = iter(words)
        for word in rest:
            if result:
                result[-1].following = word
            if ":" in word:
                result.append(self._bare(parameter, word, bare_table))
            elif word.lower() == WARN_IF_REJECT:
                result.append(_Marker(self._environment))
            elif word in self._definitions:
                result.append(self._class(word, bare_table))
            elif word.lower() in self._known:
                result.append(self._build(parameter, word.lower(), rest))
            else:
                result.append(self._mistake(parameter, word, f'unknown smtpd restriction: "{word}"'))
        return tuple(result)

    def _bare(self, parameter: str, word: str, bare_table: str) -> Restriction:
        if bare_table:
            return self._known[bare_table](self._environment, word)
        text = f'specify one of ({_TABLE_RESTRICTIONS}) before %s restriction "{word}"'
        return self._mistake(parameter, word, text)

    def _build(self, parameter: str, name: str, rest: Iterator[str]) -> Restriction:
        factory = self._known[name]
        unsupported = getattr(factory, "unsupported", "")
        if unsupported and parameter:
            self.problems.append(f"{parameter}: {name}: {unsupported}")
        takes = getattr(factory, "takes", "")
        if not takes:
            return factory(self._environment)
        argument = next(rest, None)
        if takes == "domain":
            if argument is None:
                return self._mistake(parameter, name, f"restriction {name} requires domain name argument", False)
        elif takes == "number":
            if argument is None or not (argument.isascii() and argument.isdigit()):
                return self._mistake(parameter, name, f"restriction {name} must be followed by number")
        elif takes == "word":
            if argument is None:
                return self._mistake(parameter, name, f"restriction {name} requires an argument")
        elif takes == "server":
            if argument is None:
                return self._mistake(parameter, name, f"restriction {name} must be followed by transport:server")
        elif argument is None or ":" not in argument:
            text = f'restriction {name}: bad argument "{argument or name}": need maptype:mapname'
            return self._mistake(parameter, name, text)
        assert argument is not None
        return factory(self._environment, argument)

    def _mistake(self, parameter: str, name: str, text: str, refuses: bool = True) -> Restriction:
        if parameter:
            self.problems.append(f"{parameter}: {text.replace('%s ', '')}")
        return _Mistake(self._environment, name, text, refuses)

    def _class(self, name: str, bare_table: str) -> RestrictionClass:
        known = self._classes.get((name, bare_table))
        if known is None:
            known = self._classes[name, bare_table] = RestrictionClass(name)
            known.members = self.read(name, self._definitions[name], bare_table)
        return known
