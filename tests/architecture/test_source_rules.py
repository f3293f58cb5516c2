"""The house rules hold in every file, and each rule finds what it is there to find."""

import ast
import re

import pytest

from tests.architecture import source_rules as rules
from tests.architecture.sources import ALL, PRODUCT, ROOT, modules

GLOSSARY = ROOT / "docs" / "glossary.md"


def banned_words() -> frozenset[str]:
    """The third column of the glossary: words in code ticks that must not be names."""
    rows = [line.split("|") for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return frozenset(word for row in rows[2:] for word in re.findall(r"`(\w+)`", row[3]))


RULES: dict[str, tuple[rules.Rule, tuple[str, ...]]] = {
    "imports stand at the top": (rules.imports_stand_at_the_top, ALL),
    "SQL stays in the store": (rules.sql_stays_in_the_store, PRODUCT),
    "time is read in one place": (rules.time_is_read_in_one_place, PRODUCT),
    "reads name their actor": (rules.reads_name_their_actor, PRODUCT),
    "log lines carry no content": (rules.log_lines_carry_no_content, PRODUCT),
    "nothing is left unfinished": (rules.nothing_is_left_unfinished, ALL),
    "shapes need little": (rules.shapes_need_little, PRODUCT),
    "translators and rules are pure": (rules.translators_and_rules_are_pure, PRODUCT),
    "public verbs say what they mean": (rules.public_verbs_say_what_they_mean, PRODUCT),
    "one word per thing": (rules.words_of_the_glossary(banned_words()), PRODUCT),
}


@pytest.mark.parametrize("name", RULES)
def test_the_rule_holds_in_every_file(name: str) -> None:
    rule, folders = RULES[name]
    found = [f"{path}:{line} {what}" for path, tree in modules(*folders) for line, what in rule(path, tree)]
    assert found == []


def test_no_file_puts_work_off() -> None:
    files = [path for folder in ALL for path in (ROOT / folder).rglob("*.py")]
    found = [
        f"{path.relative_to(ROOT)}:{n}" for path in files for n, _ in rules.unfinished_text(path.read_text("utf-8"))
    ]
    assert found == []


SERVICE = "app/services/planted.py"
BAD: list[tuple[str, str, str]] = [
    ("imports stand at the top", SERVICE, "def f():\n    import json\n"),
    ("imports stand at the top", SERVICE, "class A:\n    async def f(self):\n        from app.core import ids\n"),
    ("imports stand at the top", SERVICE, "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import json\n"),
    ("imports stand at the top", "app/cli.py", "import typing\nif typing.TYPE_CHECKING:\n    import json\n"),
    ("SQL stays in the store", SERVICE, "q = 'SELECT id FROM task'\n"),
    ("SQL stays in the store", SERVICE, "q = 'select id, version from task where id = 1'\n"),
    ("SQL stays in the store", SERVICE, "q = f'INSERT INTO {table} VALUES (1)'\n"),
    ("SQL stays in the store", SERVICE, "q = f'update {table} set a = 1'\n"),
    ("SQL stays in the store", SERVICE, "q = 'delete from job'\n"),
    ("SQL stays in the store", "app/core/x.py", "async def f(c):\n    await c.commit()\n"),
    ("SQL stays in the store", "app/entrypoints/x.py", "def f(c):\n    return c.execute(q)\n"),
    ("time is read in one place", SERVICE, "from datetime import datetime\nx = datetime.now()\n"),
    ("time is read in one place", SERVICE, "import datetime\nx = datetime.datetime.utcnow()\n"),
    ("time is read in one place", SERVICE, "from datetime import date\nx = date.today()\n"),
    ("time is read in one place", SERVICE, "import time\nx = time.time()\n"),
    ("time is read in one place", SERVICE, "import time\nf = time.monotonic\n"),
    ("time is read in one place", SERVICE, "from time import perf_counter\n"),
    ("reads name their actor", SERVICE, "r = Reader(database, actor)\n"),
    ("reads name their actor", "app/store/x.py", "r = Reader(database)\n"),
    ("reads name their actor", SERVICE, "r = store.reader()\n"),
    ("reads name their actor", SERVICE, "r = store.reader(None)\n"),
    ("reads name their actor", SERVICE, "_HUB = None\nr = store.reader(_HUB)\n"),
    ("log lines carry no content", SERVICE, "import logging\n"),
    ("log lines carry no content", SERVICE, "from logging import getLogger\n"),
    ("log lines carry no content", SERVICE, "from app.core.log import info\n"),
    ("log lines carry no content", SERVICE, "from app.core import log\nlog.info(f'read {message}')\n"),
    ("log lines carry no content", SERVICE, "from app.core import log\nlog.info('read %s')\n"),
    ("log lines carry no content", SERVICE, "from app.core import log\nlog.info('read' + message)\n"),
    ("log lines carry no content", SERVICE, "from app.core import log\nlog.info('read', message)\n"),
    ("log lines carry no content", SERVICE, "from app.core import log\nlog.info('read', resource=body)\n"),
    ("log lines carry no content", SERVICE, "from app.core import log\nlog.info('read', **fields)\n"),
    ("log lines carry no content", SERVICE, "from app.core import log\nlog.info('read', reason=f'{patient}')\n"),
    ("log lines carry no content", SERVICE, "from app.core import log as l\nl.error('failed', fault, message)\n"),
    ("log lines carry no content", SERVICE, "from app.core import log\nlog.warning()\n"),
    ("nothing is left unfinished", SERVICE, "def f():\n    raise NotImplemented" + "Error\n"),
    ("nothing is left unfinished", SERVICE, "def f():\n    '''Later.'''\n    ...\n"),
    ("shapes need little", "schemas/x.py", "import sqlalchemy.orm\n"),
    ("shapes need little", "schemas/x.py", "from app.core import clock\n"),
    ("translators and rules are pure", "fhir_mappings/x.py", "import secrets\n"),
    ("translators and rules are pure", "app/rules/x.py", "from asyncio import sleep\n"),
    ("public verbs say what they mean", SERVICE, "async def advance():\n    return 1\n"),
    ("public verbs say what they mean", "app/rules/x.py", "class Verdict:\n    reason = 1\n"),
    ("one word per thing", SERVICE, "def tell_cbo():\n    return 1\n"),
    ("one word per thing", SERVICE, "class CBOTask:\n    pass\n"),
    ("one word per thing", SERVICE, "def f(cbos):\n    return cbos\n"),
]

GOOD: list[tuple[str, str, str]] = [
    ("imports stand at the top", "app/cli.py", "def f():\n    import json\n"),
    ("SQL stays in the store", "app/store/x.py", "q = 'SELECT id FROM task'\n"),
    ("SQL stays in the store", SERVICE, "def f():\n    'SELECT id FROM task is what this stands for'\n"),
    ("SQL stays in the store", SERVICE, "hint = 'Select a partner from the list, then update the page'\n"),
    ("SQL stays in the store", SERVICE, "async def f(store, changes):\n    await store.commit(changes)\n"),
    ("time is read in one place", "app/core/clock.py", "import time\nx = time.time()\n"),
    ("time is read in one place", SERVICE, "def f(clock):\n    return clock.now()\n"),
    ("reads name their actor", SERVICE, "r = store.reader(actor)\ns = store.reader(Actor.system('remind'))\n"),
    ("reads name their actor", SERVICE, "r = store.reader(request.state.actor)\n"),
    ("reads name their actor", SERVICE, "_HUB = Actor.system('remind')\nr = store.reader(_HUB)\n"),
    ("log lines carry no content", SERVICE, "from app.core import log\nlog.error('failed', fault, job=job_id)\n"),
    ("nothing is left unfinished", SERVICE, "class P(Protocol):\n    def f(self) -> int: ...\n"),
    (
        "shapes need little",
        "schemas/x.py",
        "import json\nfrom pydantic import BaseModel\nfrom schemas.base import Model\n",
    ),
    ("translators and rules are pure", SERVICE, "import asyncio\n"),
    ("one word per thing", SERVICE, "def offer_partner(discharge):\n    return discharge\n"),
]


@pytest.mark.parametrize(("name", "path", "source"), BAD)
def test_the_rule_finds_what_is_planted(name: str, path: str, source: str) -> None:
    assert list(RULES[name][0](path, ast.parse(source)))


@pytest.mark.parametrize(("name", "path", "source"), GOOD)
def test_the_rule_lets_pass_what_is_right(name: str, path: str, source: str) -> None:
    assert list(RULES[name][0](path, ast.parse(source))) == []


def test_work_put_off_is_found_in_a_comment() -> None:
    assert list(rules.unfinished_text("x = 1  # TO" + "DO later"))
