"""The answers of ``mailer explain`` as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["told"]


def told(answer: dict[str, Any]) -> Iterator[str]:
    """:param answer: what mailer.commands.mailer_explain.explain gives."""
    yield f"configuration {answer['configuration']}"
    if "address" in answer:
        yield from _address(answer["address"])
    if "session" in answer:
        yield from _session(answer["session"])
    if answer["log"]:
        yield ""
        yield "the log would say"
        yield from (f"    {line}" for line in answer["log"])


def _address(found: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield f"mail from <{found['sender']}> to <{found['address']}>"
    for step in found["steps"]:
        yield f"{step['step']}: {_outcome(step)}"
        yield from _lookups(step["lookups"])


def _outcome(step: dict[str, Any]) -> str:
    if step["problem"]:
        return f"cannot tell now: {step['problem']}"
    result = step["result"]
    if "transport" in step:
        return (
            f"class {result}, transport {step['transport']}, nexthop {step['nexthop']}, recipient {step['recipient']}"
        )
    if result is None:
        return "none"
    return ", ".join(result) if isinstance(result, list) else str(result)


def _lookups(lookups: list[dict[str, Any]], indent: str = "    ") -> Iterator[str]:
    for one in lookups:
        parameter = f"{one['parameter']} ({one['where']}) " if one["where"] else ""
        answer = (
            f"cannot tell: {one['problem']}"
            if one["problem"]
            else "-"
            if one["answer"] is None
            else f'"{one["answer"]}"'
        )
        yield f'{indent}{parameter}{one["table"]} "{one["key"]}": {answer} {_time(one["seconds"])}'
        for search in one["searches"]:
            yield (
                f"{indent}    {search['server']} base {search['base']!r} filter {search['filter']}:"
                f" {search['outcome']} {_time(search['seconds'])}"
            )


def _session(found: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield f"service {found['service']}, client {found['client']}, reverse name {found['reverse']}"
    yield from (f"    problem: {problem}" for problem in found["problems"])
    for stage in found["stages"]:
        yield f"{stage['stage']}: {stage['reply'] or 'ok'}"
        yield from map(_decision, stage["decisions"])
        yield from (f"    log {line}" for line in stage["log"])
        yield from _lookups(stage["lookups"], "        ")


def _decision(one: dict[str, Any]) -> str:
    where = f"{one['parameter']} ({one['where']})" if one["parameter"] else "from a table"
    found = f' [{one["table"]} "{one["key"]}"]' if one["table"] else ""
    return (
        f"    {'  ' * (one['depth'] - 1)}{where} {one['restriction']}{found}: {one['answer']} {_time(one['seconds'])}"
    )


def _time(seconds: float) -> str:
    return f"({seconds * 1000:.2f} ms)"
