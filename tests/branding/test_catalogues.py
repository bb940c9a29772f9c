"""Every text of the pages exists in Greek, and the compiled catalogues are up to date (web contract 6.5)."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils.translation.template import templatize

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
APPS = ("branding", "astakos", "pithos", "cyclades")
_FUNCTIONS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "pgettext"}
_FUNCTIONS |= {"sentence"}
#: Use cases whose faults pages show in their reader's language.
SHOWN = (
    "astakos/logic/memberships.py", "astakos/logic/member_lists.py", "astakos/logic/applications.py",
    "astakos/logic/application_fields.py", "astakos/logic/project_actions.py",
    "astakos/logic/project_queries.py", "astakos/logic/pending_applications.py", "astakos/logic/profile.py",
    "astakos/logic/projects.py", "astakos/web/*.py", "branding/errors.py",
)  # fmt: skip
_FAULTS = {"BadRequest", "Conflict", "Forbidden", "NotFound", "OverLimit", "Unauthorized"}
#: What nobody reads on a page: a page of its own says it.
_UNSEEN = {"Forbidden", "Not found", "The request is malformed", "The form's token is missing or wrong"}
_CALL = re.compile(r"""(?:\b_|\bn?gettext)\((u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))""", re.DOTALL)
_ENTRY = re.compile(r"^(msgid|msgid_plural|msgstr(?:\[\d\])?) (\".*\")$|^(\".*\")$")


def catalogue(app: str) -> dict[str, list[str]]:
    """Return the Greek texts of *app* by English text, as the source file has them."""
    entries: dict[str, list[str]] = {}
    message, target = "", None
    for line in (ROOT / app / "locale/el/LC_MESSAGES/django.po").read_text().splitlines():
        found = _ENTRY.match(line)
        if found is None:
            continue
        key, text = found[1], ast.literal_eval(found[2] or found[3])
        if key == "msgid":
            message, target = text, "msgid"
        elif key == "msgid_plural":
            target = "plural"
        elif key:
            target = "msgstr"
            entries.setdefault(message, []).append(text)
        elif target == "msgid":
            message += text
        elif target == "msgstr":
            entries[message][-1] += text
    entries.pop("", None)
    return entries


def parsed(file: Path, names: set[str]) -> ast.Module:
    """Parse a source file; one that calls none of *names* is as good as empty, and parsing takes long."""
    text = file.read_text()
    called = re.search(rf"\b(?:{'|'.join(names)})\s*\(", text)
    return ast.parse(text if called else "")


def texts_of(app: str) -> Iterator[tuple[str, str]]:
    """Yield every translatable text in the code and templates of *app*, with its file."""
    for file in (ROOT / app).rglob("*.py"):
        for node in ast.walk(parsed(file, _FUNCTIONS)):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in _FUNCTIONS and isinstance(node.args[0].value, str):
                    yield node.args[0].value, str(file.relative_to(ROOT))
    for pattern in ("*.html", "*.txt"):
        for file in (ROOT / app / "templates").rglob(pattern):
            for literal in _CALL.findall(templatize(file.read_text(), origin=file.name)):
                yield ast.literal_eval(literal.removeprefix("u")), str(file.relative_to(ROOT))


@pytest.mark.parametrize("app", APPS)
def test_every_text_is_in_the_catalogue(app):
    known = catalogue(app)
    missing = [(text, file) for text, file in texts_of(app) if text not in known]
    assert missing == [], "write them into locale/el/LC_MESSAGES/django.po (manage.py makemessages -l el)"


@pytest.mark.parametrize("app", APPS)
def test_nothing_is_left_open(app):
    source = (ROOT / app / "locale/el/LC_MESSAGES/django.po").read_text()
    assert "fuzzy" not in source
    assert [text for text, translations in catalogue(app).items() if not all(translations)] == []


@pytest.mark.parametrize("app", APPS)
def test_fields_are_the_same_in_both_languages(app):
    field = re.compile(r"%\(\w+\)s|\{\w+\}|</?\w+")
    wrong = [
        text
        for text, translations in catalogue(app).items()
        for translation in translations
        if sorted(set(field.findall(text))) != sorted(set(field.findall(translation)))
    ]
    assert wrong == []


@pytest.mark.parametrize("app", APPS)
def test_the_compiled_catalogue_is_up_to_date(app):
    with (ROOT / app / "locale/el/LC_MESSAGES/django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    stale = [
        text
        for text, translations in catalogue(app).items()
        if len(translations) == 1 and compiled.gettext(text) != translations[0]
    ]
    assert stale == [], "compile it again: manage.py compilemessages"


def calls_of(file: Path, names: set[str]) -> Iterator[ast.Call]:
    for node in ast.walk(parsed(file, names)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names and node.args:
            yield node


def test_every_fault_that_pages_show_can_be_greek():
    known = {text for app in APPS for text in catalogue(app)} | _UNSEEN
    wrong = []
    for pattern in SHOWN:
        for file in ROOT.glob(pattern):
            for call in calls_of(file, _FAULTS):
                said = call.args[0]
                fixed = isinstance(said, ast.Constant) and said.value in known
                if not fixed and not isinstance(said, ast.Call | ast.BinOp | ast.Name | ast.BoolOp):
                    wrong.append(f"{file.name}:{call.lineno}: {ast.unparse(said)}")
    assert wrong == [], "use synnefo.texts.sentence, and write the text into the catalogue"


def test_sentences_have_a_value_for_each_of_their_fields():
    wrong = []
    for app in (*APPS, "synnefo"):
        for file in (ROOT / app).rglob("*.py"):
            for call in calls_of(file, {"sentence"}):
                fields = set(re.findall(r"%\((\w+)\)s", ast.literal_eval(call.args[0])))
                if fields != {keyword.arg for keyword in call.keywords}:
                    wrong.append(f"{file.name}:{call.lineno}")
    assert wrong == []
