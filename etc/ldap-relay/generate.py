"""Writes a directory as LDIF: people with mail addresses and mail stores, some of them disabled, and groups of people and of
groups. The same arguments give the same directory.

    python3 generate.py [--people 3000] [--stores mail1.example.com mail2.example.com] > directory.ldif

- ``userN@example.com`` (N from 0), also known as ``first.lastN@example.com``; every 20th account is disabled.
- ``teamN@example.com``: 20 people each. ``departmentN@example.com``: 10 teams each. ``everybody-in-charge@example.com``: all
  departments, of which one has the whole as a member again, as happens in real directories.
- cn=relay,ou=services (password ``relay``) is whom the relay binds as.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

SUFFIX = "dc=example,dc=com"
FIRST = ("anna", "boris", "carla", "david", "emma", "felix", "greta", "hugo", "ida", "jonas")
LAST = ("adler", "brandt", "conrad", "dietz", "engel", "fuchs", "graf", "huber", "ibsen", "jung", "keller")
Entry = dict[str, "str | list[str]"]


def base() -> Iterator[Entry]:
    yield {"dn": SUFFIX, "objectClass": ["dcObject", "organization"], "dc": "example", "o": "Example"}
    for unit in ("people", "groups", "services"):
        yield {"dn": f"ou={unit},{SUFFIX}", "objectClass": "organizationalUnit", "ou": unit}
    yield {
        "dn": f"cn=relay,ou=services,{SUFFIX}",
        "objectClass": ["organizationalRole", "simpleSecurityObject"],
        "cn": "relay",
        "userPassword": "relay",
    }


def person(number: int) -> str:
    return f"uid=user{number},ou=people,{SUFFIX}"


def people(count: int, domain: str, stores: list[str]) -> Iterator[Entry]:
    for number in range(count):
        first, last = FIRST[number % len(FIRST)], LAST[number % len(LAST)]
        address = f"user{number}@{domain}"
        disabled = number % 20 == 19
        entry: Entry = {
            "dn": person(number),
            "objectClass": ["inetOrgPerson", "mailRecipient"],
            "uid": f"user{number}",
            "cn": f"{first} {last}",
            "sn": last,
            "mail": address,
            "mailAlternateAddress": f"{first}.{last}{number}@{domain}",
            "mailStatus": "disabled" if disabled else "active",
            "mailRoutingHost": stores[number % len(stores)],
        }
        if not disabled:
            entry["mailDeliveryAddress"] = address
        if number == 1:
            entry["mailSendAs"] = [person(2), group("team0")]
        if number == 2:
            entry["mailAccess"] = "REJECT this mailbox sends only"
        if number == 3:
            entry["mailLocalAlias"] = ["operator", "webmaster"]
        yield entry


def group(name: str) -> str:
    return f"cn={name},ou=groups,{SUFFIX}"


def group_entry(name: str, domain: str, members: list[str]) -> Entry:
    return {
        "dn": group(name),
        "objectClass": ["groupOfNames", "mailGroup"],
        "cn": name,
        "mail": f"{name}@{domain}",
        "mailStatus": "active",
        "member": members,
    }


def groups(count: int, domain: str) -> Iterator[Entry]:
    teams = [f"team{number}" for number in range(-(-count // 20))]
    for number, name in enumerate(teams):
        yield group_entry(name, domain, [person(each) for each in range(number * 20, min(count, number * 20 + 20))])
    departments = [f"department{number}" for number in range(-(-len(teams) // 10))]
    whole = "everybody-in-charge"
    for number, name in enumerate(departments):
        members = [group(team) for team in teams[number * 10 : number * 10 + 10]]
        yield group_entry(name, domain, [*members, group(whole)] if number == 0 else members)
    yield group_entry(whole, domain, [group(name) for name in departments])


def ldif(entry: Entry) -> str:
    lines = []
    for name, values in entry.items():
        lines += [f"{name}: {value}" for value in ([values] if isinstance(values, str) else values)]
    return "\n".join(lines) + "\n\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=3000)
    parser.add_argument("--domain", default="example.com")
    parser.add_argument("--stores", nargs="+", default=["mail1.example.com", "mail2.example.com"])
    options = parser.parse_args()
    for part in (
        base(),
        people(options.people, options.domain, options.stores),
        groups(options.people, options.domain),
    ):
        for entry in part:
            sys.stdout.write(ldif(entry))


if __name__ == "__main__":
    main()
