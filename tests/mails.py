"""What the tests of mails share: the sample products, and a product with one mail of any words."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from nurture.definitions.load import load_products
from nurture.definitions.products import EmailTemplate, Product


@cache
def sample(product: str) -> Product:
    return load_products(Path(__file__).parents[1] / "include").products[product]


def with_email(
    words: str, subject: str = "件名", text: str = "", language: str = "ja", mjml: str = "", blocks: Sequence[str] = ()
) -> Product:
    """Return a product with one email `trial` whose MJML is `mjml`, or holds `words`."""
    mjml = mjml or (
        "<mjml><mj-head><mj-preview>予告</mj-preview></mj-head><mj-body><mj-section><mj-column>"
        f"<mj-text>{words}</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    terms = {"language": language, "blocks": [{"block": block, "when": {"target": True}} for block in blocks]}
    template = EmailTemplate.model_validate(
        {"email": "trial", "subject": subject, "mjml": mjml, "text": text, "terms": terms}
    )
    return sample("cloud_backup").model_copy(update={"emails": {"trial": template}})
