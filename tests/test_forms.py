"""A form whose name is a slip away from a known one is told; one with a name of its own may be new."""

from typing import Any

import pytest
from builders import product

from nurture.definitions.forms import misspelt, of_source
from nurture.definitions.load import load_sources
from nurture.definitions.problems import Document

PAGE = Document("product.yaml", "product: backup\n", {})
KNOWN = frozenset({"quote_request", "seminar_signup", "plan_a"})


def told(*forms: str, known: frozenset[str] = KNOWN) -> list[str]:
    """Say what is told of a product that asks for these forms, each in a line of its own."""
    segments: dict[str, Any] = {f"s{place}": {"submitted": form} for place, form in enumerate(forms)}
    return [problem.message for problem in misspelt(product(segments=segments), {"": PAGE}, known)]


@pytest.mark.parametrize("form", ["qoute_request", "quote_requst", "quote_requestt", "quoterequest", "seminar_sign_up"])
def test_a_slip_away_from_what_a_source_names_is_told(form: str):
    (message,) = told(form)
    meant = "seminar_signup" if form.startswith("seminar") else "quote_request"
    assert message == f"nothing else speaks of a form {form!r}: did you mean {meant!r}?"


@pytest.mark.parametrize("form", ["quote_request", "webinar_signup", "plan_b", "quote_request_2", "quote", "quote_*"])
def test_a_known_form_and_a_new_one_are_not_told(form: str):
    assert told(form) == []


def test_what_the_product_asks_for_more_than_once_is_meant():
    assert told("trial_start", "trial_start", "trail_start", known=frozenset()) == [
        "nothing else speaks of a form 'trail_start': did you mean 'trial_start'?"
    ]
    assert told("trial_start", "trail_start", known=frozenset()) == []  # nobody knows which


def test_a_scoring_rule_and_a_journey_are_read_too():
    follow_up = {"scenario": "follow_up", "goal": {"submitted": "quote_reqest"}}
    scoring = {"half_life": "30 days", "engagement": [{"when": "submitted", "form": "qoute_request", "points": 60}]}
    found = misspelt(product(scenarios=[follow_up], scoring=scoring), {"": PAGE, "follow_up": PAGE}, KNOWN)
    assert sorted(problem.path for problem in found) == ["goal.submitted", "scoring.engagement[0].form"]


def test_the_samples_sources_name_their_forms():
    assert "whitepaper_backup" in {form for source in load_sources().values() for form in of_source(source)}
