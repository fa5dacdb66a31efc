"""What sqlite_table(5), mysql_table(5) and pgsql_table(5) have in common: the query, what becomes of its rows, limits.

Knows no data base: a driver gives rows, this says which query to ask and what the rows mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mailer.config.errors import ConfigError
from mailer.tables.answercache import Lifetimes
from mailer.tables.expansion import Template
from mailer.tables.parameters import Parameters

__all__ = ["Query", "TooMany", "read_query", "required"]


class TooMany(Exception):
    """More values than expansion_limit allows."""


@dataclass(frozen=True)
class Query:
    """``limit`` is the number of values allowed, 0 for any; ``seconds`` what a lookup may take altogether, ``attempt`` what
    one server may take for one answer; ``answers`` how many answers are kept for ``lifetimes``."""

    template: Template
    result: Template
    domains: tuple[str, ...]
    limit: int
    seconds: float
    attempt: float
    lifetimes: Lifetimes
    answers: int

    def text(self, key: str, quote: Callable[[str], str]) -> str | None:
        """The query for a key; None if the key lacks a part that the query or the result needs."""
        return self.template.expand(key, quote=quote) if self.result.fits(key) else None

    def value(self, key: str, found: Iterable[str | None], empty: Callable[[], None]) -> str | None:
        """What the values found in rows and columns make together. None among them does not count.

        :param empty: told of each empty value. :raise TooMany: of them.
        """
        values: list[str] = []
        for each in found:
            if each is None:
                continue
            if not each:
                empty()
                continue
            text = self.result.expand(key, each)
            if text is None:
                continue
            if self.limit and len(values) == self.limit:
                raise TooMany
            values.append(text)
        return ",".join(values) if values else None


def required(source: Parameters, name: str) -> str:
    """A parameter that may not be empty."""
    text = source.text(name)
    if not text:
        where = f"{source.name}: " if source.in_file else ""
        full = name if source.in_file else f"{source.name}_{name}"
        raise ConfigError(f"{where}bad string length 0 < 1: {full} = ")
    return text


def read_query(source: Parameters, with_function: bool = False) -> Query:
    """:param with_function: whether select_function is known (pgsql_table(5))."""
    return Query(
        template=Template(_query_text(source, with_function), source.name),
        result=Template(source.text("result_format", "%s") or "%s", source.name, "result_format"),
        domains=source.words("domain"),
        limit=source.integer("expansion_limit", 0, 0),
        seconds=source.seconds("lookup_time_limit", 15),
        attempt=source.seconds("query_time_limit", 5),
        # Nothing is kept as fresh unless asked for: a query may count or depend on the time. When nobody answers, an
        # older answer is better than none.
        lifetimes=Lifetimes(
            value=source.seconds("answer_ttl", 0),
            absence=source.seconds("absence_ttl", 0),
            stale_value=source.seconds("stale_answer_limit", 3600),
            stale_absence=source.seconds("stale_absence_limit", 0),
        ),
        answers=source.integer("answer_cache_size", 10_000, 0),
    )


def _query_text(source: Parameters, with_function: bool) -> str:
    """``query``, or what the parameters of old releases make."""
    text = source.text("query")
    if text:
        return text
    function = source.text("select_function") if with_function else ""
    if function:
        return f"SELECT {function}('%s')"
    field, table, where = (required(source, name) for name in ("select_field", "table", "where_field"))
    return f"SELECT {field} FROM {table} WHERE {where} = '%s' {source.text('additional_conditions')}"
