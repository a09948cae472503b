"""Law: what 特定電子メール法 asks a mail to show is looked for in what a reader sees, not in the template."""

import re
from collections.abc import Iterator

from nurture.definitions.products import Product
from nurture.emails import Rendered
from nurture.proofread.finding import Finding
from nurture.proofread.page import Page

# How mails say that one may refuse them; one of these stands beside the link.
REFUSING = re.compile(
    "配信停止|配信を停止|配信の停止|配信解除|配信を解除|配信を希望|受信拒否|受信を希望|購読解除|購読を解除|登録解除|登録を解除|オプトアウト|ご不要|"
    "unsubscribe|opt out|opt-out",
    re.IGNORECASE,
)


def lawful(product: Product, mail: Rendered, page: Page, unsubscribe_url: str) -> Iterator[Finding]:
    """Yield what is missing of 特定電子メール法 第4条 and its ordinance (施行規則 第9条), in the HTML and in the text.

    The sender's name, the postal address, the contact for complaints, the notice that one may refuse, and its link.
    """
    shown = {
        "the sender's name (product.sender.name)": product.sender.name,
        "the postal address (product.sender.postal_address)": product.sender.postal_address,
        "the contact for complaints (product.sender.complaint_contact)": product.sender.complaint_contact,
    }
    for part, words in (("mjml", page.words), ("txt", mail.text)):
        plain = _plain(words)
        for what, asked in shown.items():
            if not asked.strip() or _plain(asked) not in plain:
                yield Finding(part, f"the law asks for {what}, where the reader sees it")
        if not REFUSING.search(words):
            yield Finding(part, "the law asks for the notice that one may refuse, such as 配信停止 or unsubscribe")
    if unsubscribe_url not in [href for href, words in page.links if words.strip()]:
        yield Finding("mjml", "the law asks for a way to refuse: link words to {{ lead.unsubscribe_url }}")
    if unsubscribe_url not in mail.text:
        yield Finding("txt", "the law asks for a way to refuse: print {{ lead.unsubscribe_url }}")


def _plain(words: str) -> str:
    return "".join(words.split())
