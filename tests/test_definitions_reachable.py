"""What nobody can meet and no lead can take is told; what somebody might is left alone."""

import random
from pathlib import Path
from typing import Any

import pytest
from builders import product
from hypothesis import given
from hypothesis import strategies as st

from nurture.definitions.conditions import READ
from nurture.definitions.contradictions import why_nobody, words
from nurture.definitions.reachable import Reader


def why(said: dict[str, Any]) -> str | None:
    return why_nobody(READ.validate_python(said))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"all": [{"industry": "logistics"}, {"industry": ["retail", "medical"]}]},
         "industry: logistics, and industry: [retail, medical]"),
        ({"all": [{"industry": "retail"}], "none": [{"industry": ["retail", "medical"]}]},
         "industry: retail, and not industry: [retail, medical]"),
        ({"all": [{"employees": {"max": 49}}, {"employees": {"min": 50}}]},
         "employees: {max: 49}, and employees: {min: 50}"),
        ({"all": [{"score": {"min": 60}}], "none": [{"score": {"min": 50}}]},
         "score: {min: 60}, and not score: {min: 50}"),
        ({"all": [{"lifecycle": "customer"}], "none": [{"lifecycle": ["customer", "opportunity"]}]},
         "lifecycle: customer, and not lifecycle: [customer, opportunity]"),
        ({"all": [{"segment": "warm"}], "none": [{"segment": "warm"}]}, "segment: warm, and its opposite"),
        ({"all": [{"source": ["badges", "forms"]}], "none": [{"source": "forms"}, {"source": "badges"}]},
         "source: [badges, forms], and not source: forms, and not source: badges"),
        ({"all": [{"consent": "business_card"}], "none": [{"consent": True}]},
         "consent: business_card, and not consent: true"),
        ({"all": [{"clicked": "thanks", "within": "7 days"}], "none": [{"clicked": True}]},
         "clicked: thanks, within: 7 days, and not clicked: true"),
        ({"all": [{"visited": "/pricing/list"}, {"visited": "/pricing*", "times": "never"}]},
         "visited: /pricing/list, and visited: /pricing*, times: never"),
        ({"all": [{"opened": True, "times": 3}, {"opened": True, "times": {"max": 2}}]},
         "opened: true, times: 3, and opened: true, times: {max: 2}"),
        ({"any": [{"all": [{"title": "staff"}, {"title": "manager"}]}, {"none": [{"none": [{"title": "x"}]},
         {"title": "x"}]}]}, "title: x, and its opposite"),
    ],
)  # fmt: skip
def test_a_contradiction_is_told_with_both_of_its_sides(said: dict[str, Any], reason: str):
    assert why(said) == reason


@pytest.mark.parametrize(
    "said",
    [
        {"all": [{"clicked": "thanks"}], "none": [{"clicked": "thanks", "within": "30 days"}]},
        {"all": [{"clicked": "thanks"}], "none": [{"clicked": True, "times": 2}]},
        {"all": [{"visited": "/pricing*"}], "none": [{"visited": "/pricing/list"}]},
        {"all": [{"source": ["badges", "forms"]}], "none": [{"source": "forms"}]},
        {"all": [{"employees": {"min": 50}}], "none": [{"employees": {"min": 100}}]},
        {"all": [{"source": "badges"}, {"source": "forms"}]},
        {"all": [{"company": "*銀行"}, {"company": "*信託*"}]},
        {"none": [{"industry": "logistics"}, {"industry": "retail"}]},
        {"none": [{"all": [{"title": "staff"}, {"title": "manager"}]}]},
    ],
)
def test_what_somebody_may_meet_is_left_alone(said: dict[str, Any]):
    assert why(said) is None


# Whatever is called impossible is met by nobody of whom everything is known.

LEAVES = st.one_of(
    st.sets(st.sampled_from("abc"), min_size=1).map(lambda some: {"industry": sorted(some)}),
    st.sets(st.sampled_from("abc"), min_size=1).map(lambda some: {"source": sorted(some)}),
    st.tuples(st.integers(0, 6), st.integers(0, 3)).map(lambda ends: {"score": {"min": ends[0], "max": sum(ends)}}),
    st.builds(
        lambda subject, times, days: {"visited": subject, "times": times, "within": f"{days} days"},
        st.sampled_from([True, "/a", "/a*", "/b"]), st.sampled_from([1, 2, "never", {"max": 1}]), st.integers(1, 3),
    ),
)  # fmt: skip
SAID = st.recursive(
    LEAVES,
    lambda inner: st.dictionaries(
        st.sampled_from(["all", "any", "none"]), st.lists(inner, min_size=1, max_size=3), min_size=1
    ),
    max_leaves=8,
)


def holds(said: dict[str, Any], one: dict[str, Any]) -> bool:
    if {"all", "any", "none"} & set(said):
        return (
            all(holds(part, one) for part in said.get("all", []))
            and ("any" not in said or any(holds(part, one) for part in said["any"]))
            and not any(holds(part, one) for part in said.get("none", []))
        )
    if "industry" in said:
        return one["industry"] in said["industry"]
    if "source" in said:
        return bool(one["sources"] & set(said["source"]))
    if "score" in said:
        return said["score"]["min"] <= one["score"] <= said["score"]["max"]
    subject, days = said["visited"], int(said["within"].split()[0])
    fits = {True: ("/a", "/ab", "/b"), "/a": ("/a",), "/a*": ("/a", "/ab"), "/b": ("/b",)}[subject]
    number = sum(page in fits and ago < days for page, ago in one["visits"])
    times = {"never": {"max": 0}}.get(said["times"], said["times"]) if said["times"] == "never" else said["times"]
    return number <= times["max"] if isinstance(times, dict) else number >= times


@given(said=SAID)
def test_nobody_meets_what_is_called_impossible(said: dict[str, Any]):
    if why(said) is None:
        return
    chance = random.Random(5)
    for _ in range(300):
        one = {
            "industry": chance.choice(["a", "b", "c", None]), "score": chance.randint(0, 9),
            "sources": {name for name in "abc" if chance.random() < 0.5},
            "visits": [(chance.choice(["/a", "/ab", "/b"]), chance.randint(0, 3)) for _ in range(chance.randint(0, 4))],
        }  # fmt: skip
        assert not holds(said, one), words(READ.validate_python({"industry": "a"}))


def ways(journey: list[dict[str, Any]], **more: Any) -> list[str]:
    """Return what is told of a journey whose audience is logistics."""
    scenario = {"scenario": "follow_up", "audience": {"all": [{"industry": "logistics"}]}, "journey": journey, **more}
    reader = Reader(product(scenarios=[scenario]))
    return [message for _, message in reader.journey(reader.product.scenarios["follow_up"])]


MAIL = {"email": "thanks", "mail_type": "know_how"}
CASE = {"email": "case", "mail_type": "case_study"}


def branch(asked: dict[str, Any], then: list[Any] | None = None, name: str = "or_not") -> dict[str, Any]:
    return {"name": name, "branch": {"if": asked, "then": then or [CASE], "else": []}}


def test_a_branch_on_a_mail_that_comes_only_after_it_is_told():
    assert ways([MAIL, branch({"clicked": "case"})]) == [
        "nobody takes the way of 'then': it would need clicked: case, but nothing sends case before"
    ]
    assert ways([MAIL, branch({"clicked": "thanks"})]) == []
    assert ways([MAIL, branch({"clicked": ["case", "thanks"]})]) == []
    assert ways([MAIL, branch({"clicked": "case"})], reenter="after 90 days") == []
    assert ways([CASE, {"wait": "1 days", "name": "rest"}, branch({"clicked": "case"}, [MAIL])]) == []


def test_a_branch_without_a_step_on_either_way_is_told():
    empty = {"name": "or_not", "branch": {"if": {"clicked": "thanks"}}}
    assert ways([MAIL, empty, CASE]) == ["neither way has a step: take the step out, or write what differs"]


def test_a_branch_within_a_branch_knows_what_the_first_one_asked_until_time_passes():
    inner = branch({"clicked": "thanks"}, name="again")
    assert ways([MAIL, branch({"clicked": "thanks"}, [inner])]) == [
        "nobody takes the way of 'else': it would need clicked: thanks, and its opposite"
    ]
    assert ways([MAIL, branch({"title": "staff"}, [{"wait": "1 days", "name": "rest"}, inner])]) == []


def test_a_branch_that_the_audience_decides_is_told():
    assert ways([branch({"industry": "retail"})]) == [
        "nobody takes the way of 'then': it would need industry: logistics, and industry: retail"
    ]
    assert ways([branch({"industry": ["retail", "logistics"]})]) == [
        "nobody takes the way of 'else': it would need industry: logistics, and not industry: [retail, logistics]"
    ]
    assert ways([branch({"industry": "retail"})], leave="finish") == []


def test_a_wait_for_what_cannot_come_is_told():
    wait = {"wait_for": {"opened": "news"}, "at_most": "5 days", "name": "hope", "then": [CASE]}
    assert ways([MAIL, wait]) == [
        "nobody takes the way of 'then': it would need opened: news, but nothing sends news before"
    ]


def test_segments_and_the_target_are_read_in_full():
    asked = product(
        segments={
            "warm": {"all": [{"clicked": True}, {"target": True}]},
            "cold": {"all": [{"segment": "warm"}], "none": [{"clicked": True, "times": 1}]},
            "small": {"all": [{"segment": "warm"}, {"employees": {"max": 10}}]},
        }
    )
    assert [(path, message) for path, message in Reader(asked).conditions()] == [
        (("segments", "cold"), "nobody can be here: it would need clicked: true, and its opposite"),
        (
            ("segments", "small"),
            "nobody can be here: it would need employees: {min: 50, max: 3000}, and employees: {max: 10}",
        ),
    ]


def test_the_samples_have_no_way_that_nobody_takes(root: Path):
    from nurture.definitions.load import load_products

    for sample in load_products(root / "include").products.values():
        reader = Reader(sample)
        assert [*reader.conditions()] == []
        for scenario in sample.scenarios.values():
            assert [*reader.journey(scenario)] == []
