"""Page: what a reader of the rendered HTML sees, what is hidden from them, and where its links and images lead."""

from html.parser import HTMLParser

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """The words that are shown, the words that are not (a preheader), the links with their words, the images."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words = self.hidden = ""
        self.links: list[tuple[str, str]] = []
        self.images: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self._is_link = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in a link or an image, and whether what follows is shown."""
        given = dict(attrs)
        if tag == "a" and given.get("href") is not None:
            self.links.append((given["href"] or "", ""))
            self._is_link = True
        if tag == "img":
            self.images.append(given.get("src") or "")
        if tag not in _VOID:
            style = (given.get("style") or "").replace(" ", "").lower()
            self._open.append((tag, "display:none" in style or "visibility:hidden" in style))

    def handle_endtag(self, tag: str) -> None:
        """Close the newest element of that name and what was left open in it."""
        if tag == "a":
            self._is_link = False
        for depth in range(len(self._open) - 1, -1, -1):
            if self._open[depth][0] == tag:
                del self._open[depth:]
                return

    def handle_data(self, data: str) -> None:
        """Take in words; those of style, title and script are nobody's."""
        if any(tag in ("style", "title", "script") for tag, _ in self._open):
            return
        if any(is_hidden for _, is_hidden in self._open):
            self.hidden += data
            return
        self.words += data
        if self._is_link:
            href, words = self.links[-1]
            self.links[-1] = (href, words + data)
