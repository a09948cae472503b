"""Selling: a know-how mail that sells is pointed out, by the words that a marketer listed (R-001-13)."""

from collections.abc import Iterator

from nurture.definitions.products import Product
from nurture.proofread.finding import Finding, Source


def selling(product: Product, email: str, files: list[Source]) -> Iterator[Finding]:
    """Yield each line of an email sent as know_how in which one of `selling_words` (company.yaml) stands."""
    if "know_how" not in _mail_types(product, email):
        return
    for source in files:
        if source.is_layout:
            continue
        for number, line in enumerate(source.text.casefold().split("\n"), start=1):
            words = [word for word in product.selling_words if word.casefold() in line]
            if words:
                said = ", ".join(repr(word) for word in words)
                message = (
                    f"a know-how mail does not sell (R-001-13), and {said} does: say it in another mail, "
                    "or take it off selling_words in company.yaml"
                )
                yield Finding(source.part, message, number, is_warning=True)


def _mail_types(product: Product, email: str) -> set[str]:
    """Return as what an email is sent, by the plan and by the scenarios."""
    found = {entry.mail_type for entry in product.plan if entry.email == email}
    for scenario in product.scenarios.values():
        found |= {step.mail_type for step in scenario.emails() if step.email == email}
    return {str(mail_type) for mail_type in found}
