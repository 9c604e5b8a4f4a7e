"""A page in, what a browser would make of it out: tags, attributes, texts, and what is wrong with them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

VOID = {"meta", "img", "br", "hr"}
INLINE = {"span", "strong", "small", "code", "a"}
KNOWN_TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "footer",
        "nav",
        "main",
        "article",
        "section",
    ),
    *(
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "p",
        "ul",
        "li",
        "dl",
        "div",
        "dt",
        "dd",
        "a",
        "span",
        "strong",
        "small",
        "code",
        "pre",
    ),
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "br", "details", "summary"),
    *("figure", "figcaption", "img", "svg", "symbol", "use", "desc", "text"),
    *("circle", "path", "rect", "line", "polyline", "polygon"),
}
ALLOWED_CONTROLS = "\n\t"


@dataclass
class Page(HTMLParser):
    source: str
    tags: list = field(default_factory=list)
    text: str = ""
    open_tags: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__(convert_charrefs=True)
        self.feed(self.source)
        self.close()
        assert not self.open_tags, f"never closed: {self.open_tags}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.text += "" if tag in INLINE else " "
        if tag not in VOID:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open_tags, f"</{tag}> without a start"
        assert self.open_tags[-1] == tag, f"</{tag}> closes <{self.open_tags[-1]}>"
        self.open_tags.pop()

    def handle_data(self, data):
        if self.open_tags and self.open_tags[-1] != "style":
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def shape(self):
        """The page without its words: tags and the names of their attributes."""
        return [(tag, tuple(attributes)) for tag, attributes in self.tags]


def assert_inert(source):
    """Nothing runs, nothing is fetched, nothing is invisible."""
    page = Page(source)
    assert {tag for tag, _ in page.tags} <= KNOWN_TAGS
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), f"<{tag} {name}>"
            assert name != "style", f"<{tag} style>"
            if name in {"href", "xlink:href"}:
                assert value.startswith(("#", "students/")), f"<{tag} href={value}>"
            if name in {"src", "srcset", "action", "data", "poster", "background"}:
                assert value.startswith("data:image/webp;base64,"), f"<{tag} {name}={value[:60]}>"
    policies = [a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert source.index("Content-Security-Policy") < source.index("<style>")
    assert "url(" not in source
    assert "@import" not in source
    assert not [c for c in source if (ord(c) < 0x20 and c not in ALLOWED_CONTROLS) or 0x7F <= ord(c) < 0xA0]
    assert not [c for c in source if "\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069"]
    return page


def assert_accessible(source):
    """What can be told by reading of WCAG 2.1 AA: names, headings, tables, pictures, landmarks."""
    page = Page(source)
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == len(page.all("main")) == page.all("title").count({}) == 1
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids)), "an id twice"
    for tag, attributes in page.tags:
        inside = [attributes["href"][1:]] if attributes.get("href", "").startswith("#") else []
        named = {*attributes.get("aria-labelledby", "").split(), *inside}
        assert named <= set(ids), f"<{tag}> points at {named}, which is not there"
    levels = [int(tag[1]) for tag, _ in page.tags if tag in {"h1", "h2", "h3", "h4", "h5"}]
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels
    assert all(image.get("alt") for image in page.all("img"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(cell.get("scope") in {"col", "row", "rowgroup"} for cell in page.all("th"))
    for attributes in page.all("svg"):
        assert attributes.get("aria-hidden") == "true" or attributes.get("role") == "img"
    assert page.all("a")[0]["class"] == "skip"
    return page
