"""What every page must be, checked on its HTML (web contract 2.1, 6.5)."""

from __future__ import annotations

from html.parser import HTMLParser

_UNLABELLED = {"hidden", "submit", "button"}
_VOID = {"input", "img", "meta", "link", "br", "hr", "use", "rect"}


class Page(HTMLParser):
    """A page's elements as far as the checks need them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.data: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.data.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.data).split())


def problems_of(html: str) -> list[str]:
    """Return what is wrong with a page: structure, labels, anything inline."""
    page = Page(html)
    problems = []
    for tag in ("h1", "main", "header", "footer", "title"):
        if len(page.all(tag)) != 1:
            problems.append(f"{len(page.all(tag))} elements <{tag}>")
    if not page.all("html")[0].get("lang"):
        problems.append("no language")
    problems += _inline(page) + _labels(page)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    problems += [f"id {name} twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
    return problems


def _inline(page: Page) -> list[str]:
    problems = ["a <style> element"] if page.all("style") else []
    for script in page.all("script"):
        if not script.get("src") and script.get("type") != "application/json":
            problems.append("an inline script")
    for tag, attributes in page.elements:
        if "style" in attributes or any(name.startswith("on") for name in attributes):
            problems.append(f"inline style or handler at <{tag}>")
        for name in ("src", "href"):
            if attributes.get(name, "").startswith("javascript:"):
                problems.append(f"a script in {name} of <{tag}>")
    return problems


def _labels(page: Page) -> list[str]:
    labelled = {label.get("for", "") for label in page.all("label")}
    return [
        f"no label for {tag} {field.get('name')}"
        for tag in ("input", "select", "textarea")
        for field in page.all(tag)
        if field.get("type") not in _UNLABELLED
        and field.get("aria-hidden") != "true"
        and field.get("id") not in labelled
        and "aria-label" not in field
    ]
