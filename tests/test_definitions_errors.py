"""What a marketer reads when a definition is wrong: file, line, path, nearest name, everything in one run."""

import shutil
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nurture.cli.check import NO_DATABASE
from nurture.cli.main import app
from nurture.definitions.check import check
from nurture.definitions.load import BrokenDefinition, load_product, load_products, load_shared
from nurture.definitions.references import REGIONS
from nurture.definitions.spread import FEW
from nurture.normalise import regions
from nurture.proofread import proofread

TODAY = date(2026, 11, 16)


@pytest.fixture
def include(root: Path, tmp_path: Path) -> Path:
    """A copy of what marketing wrote, to be broken."""
    copy = tmp_path / "include"
    copy.mkdir()
    for part in ("products", "sources", "layout"):
        shutil.copytree(root / "include" / part, copy / part)
    for part in ("company.yaml", "vocabulary.yaml"):
        shutil.copy(root / "include" / part, copy / part)
    return copy


@pytest.fixture
def product(include: Path) -> Path:
    """The folder of a product in that copy."""
    return include / "products" / "cloud_backup"


def change(file: Path, old: str, new: str) -> int:
    """Replace the first `old`; return its line."""
    before, found, after = file.read_text("utf-8").partition(old)
    assert found, f"{old!r} is not in {file}"
    file.write_text(before + new + after, "utf-8")
    return before.count("\n") + 1


def problems(include: Path, product: str | None = None) -> list[str]:
    return [str(problem) for problem in check(include, proofread, product, today=TODAY).problems]


def one_problem(include: Path) -> str:
    found = problems(include)
    assert len(found) == 1, found
    return found[0]


def test_many_products_are_told_of_as_each_alone_in_one_order(include: Path, product: Path):
    for number in range(FEW):
        copy = shutil.copytree(product, include / f"products/copy_{number}")
        change(copy / "product.yaml", "product: cloud_backup", f"product: copy_{number}")
        (copy / "emails/restore_drill.subject").write_text("{{ lead.nmae }}", "utf-8")
    change(product / "product.yaml", "to: learning", "to: lerning")
    names = [folder.name for folder in sorted((include / "products").iterdir())]
    found = problems(include)
    assert found == [told for name in names for told in problems(include, name)]
    assert len(found) == FEW + 1


def test_the_samples_are_in_order(root: Path):
    checked = check(root / "include", proofread, today=TODAY)
    assert checked.problems == []
    assert checked.warnings == []
    assert checked.notes == []
    assert checked.products == ["cloud_backup", "shift_planner"]
    assert (checked.scenarios, checked.emails, checked.sources) == (4, 10, 5)


def test_each_sample_product_has_one_email_of_each_mail_type(root: Path):
    for product in load_products(root / "include").products.values():
        types = {entry.email: entry.mail_type for entry in product.plan if entry.email is not None}
        assert sorted(types.values()) == ["case_study", "download", "event", "know_how", "product_news"]
        assert set(types) == set(product.emails)


def test_no_month_of_the_sample_plans_is_without_a_mail(root: Path):
    for product in load_products(root / "include").products.values():
        months = {f"{entry.date:%Y-%m}" for entry in product.plan}
        assert len(months) == 12, months


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (
            "scenarios/exhibition_follow_up.yaml", "wait: 3 business days", "wait: 3 busines days",
            "include/products/cloud_backup/scenarios/exhibition_follow_up.yaml:{line}: journey[1].wait: "
            "'3 busines days' is not a span (a number and one of hours, days, business days, weeks, months): "
            "did you mean '3 business days'?",
        ),
        (
            "scenarios/exhibition_follow_up.yaml", "{clicked: restore_drill}", "{clicked: restor_drill}",
            "include/products/cloud_backup/scenarios/exhibition_follow_up.yaml:{line}: journey[2].branch.if.clicked: "
            "there is no emails/restor_drill.mjml: did you mean 'restore_drill'?",
        ),
        (
            "scenarios/exhibition_follow_up.yaml", "{source: [exhibition_badges, business_cards_cp932]}",
            "{source: [exhibition_badge, business_cards_cp932]}",
            "include/products/cloud_backup/scenarios/exhibition_follow_up.yaml:{line}: audience.all[0].source: "
            "there is no source 'exhibition_badge': did you mean 'exhibition_badges'?",
        ),
        (
            "scenarios/exhibition_follow_up.yaml", "reenter:", "reentr:",
            "include/products/cloud_backup/scenarios/exhibition_follow_up.yaml:{line}: reentr: "
            "unknown key 'reentr': did you mean 'reenter'?",
        ),
        (
            "product.yaml", "to: learning", "to: lerning",
            "include/products/cloud_backup/product.yaml:{line}: plan[0].to: "
            "there is no segment 'lerning': did you mean 'learning'?",
        ),
        (
            "product.yaml", "calendar: japan", "calendar: japn",
            "include/products/cloud_backup/product.yaml:{line}: calendar: company.yaml has no calendar 'japn': "
            "did you mean 'japan'?",
        ),
        (
            "product.yaml", "mail_type: know_how", "mail_type: knowhow",
            "include/products/cloud_backup/product.yaml:{line}: plan[0].mail_type: 'knowhow' is not one of "
            "know_how, event, case_study, product_news, download: did you mean 'know_how'?",
        ),
        (
            "product.yaml", "{visited: /pricing*, within: 60 days}", "{visted: /pricing*, within: 60 days}",
            "include/products/cloud_backup/product.yaml:{line}: segments.evaluating.all[0].any[0]: "
            "'visted' is not a condition: did you mean 'visited'?",
        ),
        (
            "product.yaml", "within: 60 days", "within: 60",
            "include/products/cloud_backup/product.yaml:{line}: segments.evaluating.all[0].any[0].within: 60 is not a "
            "span: write it with its unit, as in '3 business days'",
        ),
        (
            "product.yaml", "{employees: target}", "{employees: {min: 300, max: 50}}",
            "include/products/cloud_backup/product.yaml:{line}: scoring.fit[1].when.employees: nothing lies between "
            "300 and 50: min is the smaller one",
        ),
        (
            "product.yaml", "{fit: {min: 15}}", "{fit: 15}",
            "include/products/cloud_backup/product.yaml:{line}: qualification.when.all[0].fit: 15 is not a mapping of "
            "keys (min, max)",
        ),
        (
            "scenarios/exhibition_follow_up.yaml", "holdout: 10%", "holdout: 10",
            "include/products/cloud_backup/scenarios/exhibition_follow_up.yaml:{line}: holdout: 10 is more than all: "
            "write 10% for 10 of a hundred",
        ),
        (
            "scenarios/exhibition_follow_up.yaml", "  - {wait: 3 business", "\t- {wait: 3 business",
            "include/products/cloud_backup/scenarios/exhibition_follow_up.yaml:{line}: not readable as YAML: a tab, @, "
            "` or % begins here: indent with spaces, quote a value",
        ),
        (
            "product.yaml", "name: october_case", "name: september_drill",
            "include/products/cloud_backup/product.yaml:{line}: plan[2].name: 'september_drill' is the name of plan[0] "
            "already: an entry has its own for ever",
        ),
        (
            "product.yaml", "industries: [manufacturing", "industries: [manufacture",
            "include/products/cloud_backup/product.yaml:{line}: target.industries: "
            "no lead has the industry 'manufacture': did you mean 'manufacturing'?",
        ),
        (
            "product.yaml", "time_to_order: 6 months", "time_to_order: 6 months\n  time_to_order: 7 months",
            "include/products/cloud_backup/product.yaml:{next}: 'time_to_order' stands twice (first in line {line})",
        ),
        (
            "product.yaml", "companies: 2000", "companies: [2000",
            "include/products/cloud_backup/product.yaml:{next}: not readable as YAML: did not find expected ',' or ']'",
        ),
        (
            "emails/restore_drill.mjml", "{% call piece.prose() %}", "{{ lead.nmae }}{% call piece.prose() %}",
            "include/products/cloud_backup/emails/restore_drill.mjml:{line}: unknown value lead.nmae: "
            "did you mean 'name'?",
        ),
        (
            "emails/restore_drill.mjml", "{% endblock %}", "{% endblok %}",
            "include/products/cloud_backup/emails/restore_drill.mjml:{line}: Encountered unknown tag 'endblok'.",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_line_path_and_mend(
    include: Path, product: Path, file: str, old: str, new: str, told: str
):
    line = change(product / file, old, new)
    expected = told.replace("{line}", str(line)).replace("{next}", str(line + 1))
    assert any(problem.startswith(expected) for problem in problems(include)), problems(include)


def test_everything_that_is_wrong_is_told_in_one_run(include: Path, product: Path):
    change(product / "product.yaml", "half_life: 30 days", "half_life: a month")
    change(product / "product.yaml", "priority: 2", "priority: high")
    change(product / "scenarios" / "document_follow_up.yaml", "{source: [web_forms,", "{source: [web_form,")
    change(include / "products" / "shift_planner" / "product.yaml", "to: evaluating", "to: evaluation")
    change(include / "sources" / "web_forms.yaml", "source:", "sorce:")
    told = problems(include)
    assert [line.split(":")[0].removeprefix("include/") for line in told] == [
        "products/cloud_backup/product.yaml", "products/cloud_backup/product.yaml",
        "products/cloud_backup/scenarios/document_follow_up.yaml", "products/shift_planner/product.yaml",
        "sources/web_forms.yaml",
    ]  # fmt: skip
    assert all(":" in line and "pydantic" not in line for line in told)


def test_a_broken_product_leaves_the_others_and_says_why(include: Path, product: Path):
    change(product / "product.yaml", "half_life: 30 days", "half_life: a month")
    loaded = load_products(include)
    assert list(loaded.products) == ["shift_planner"]
    assert [problem.path for problem in loaded.problems["cloud_backup"]] == ["scoring.half_life"]
    with pytest.raises(BrokenDefinition, match=r"product\.yaml:\d+: scoring\.half_life: 'a month' is not a span"):
        load_product(product, load_shared(include))


def test_a_broken_source_stops_no_product(include: Path):
    change(include / "sources" / "web_forms.yaml", "source:", "sorce:")
    assert list(load_products(include).products) == ["cloud_backup", "shift_planner"]


def test_a_second_step_of_one_name_is_refused_N1(include: Path, product: Path):
    scenario = product / "scenarios" / "exhibition_follow_up.yaml"
    first = change(scenario, "{email: restore_drill,", "{email: restore_drill,")
    second = change(scenario, "{email: case_logistics,", "{email: restore_drill,")
    told = one_problem(include)
    assert (
        f"exhibition_follow_up.yaml:{second}: journey[2].branch.then[0]: two steps are called 'restore_drill'" in told
    )
    assert f"the other in line {first}" in told


def test_a_segment_is_not_called_as_a_scenario(include: Path, product: Path):
    change(product / "product.yaml", "  everyone:\n", "  document_follow_up: {target: true}\n  everyone:\n")
    assert "segments.document_follow_up: 'document_follow_up' is a scenario already" in one_problem(include)


def test_nothing_follows_from_a_product_page_that_cannot_be_read(include: Path, product: Path):
    change(
        product / "scenarios/document_follow_up.yaml",
        "audience:\n  all:\n",
        "audience:\n  all:\n    - {segment: evaluating}\n",
    )
    line = change(product / "product.yaml", "product: cloud_backup", "product: [cloud_backup")
    message = "not readable as YAML: did not find expected ',' or ']'"
    assert one_problem(include) == f"include/products/cloud_backup/product.yaml:{line + 1}: {message}"


def test_segments_that_lead_back_to_themselves_are_refused(include: Path, product: Path):
    change(
        product / "product.yaml", "  evaluating:\n    all:\n", "  evaluating:\n    all:\n      - {segment: learning}\n"
    )
    told = problems(include)
    assert [line.split(": ", 1)[1] for line in told] == [
        "segments.evaluating: 'evaluating' asks for itself: evaluating → learning → evaluating",
        "segments.learning: 'learning' asks for itself: learning → evaluating → learning",
    ]


def test_an_email_needs_its_subject_and_its_mjml(include: Path, product: Path):
    (product / "emails" / "design_guide.subject").unlink()
    (product / "emails" / "case_logistics.mjml").unlink()
    assert problems(include) == [
        "include/products/cloud_backup/emails/case_logistics.mjml: is not there",
        "include/products/cloud_backup/emails/design_guide.subject: is not there",
    ]


def test_a_file_that_nothing_reads_is_told(include: Path, product: Path):
    (product / "scenarios" / "trial.yml").write_text("scenario: trial\n")
    (product / "emails" / "thanks.html").write_text("<p>")
    assert [line.split(": ")[0] for line in problems(include)] == [
        "include/products/cloud_backup/emails/thanks.html", "include/products/cloud_backup/scenarios/trial.yml",
    ]  # fmt: skip


def test_an_email_that_nothing_sends_yet_is_worth_a_note(include: Path):
    emails = include / "products" / "cloud_backup" / "emails"
    for part in ("mjml", "subject", "txt"):
        shutil.copy(emails / f"restore_drill.{part}", emails / f"next_month.{part}")
    checked = check(include, proofread, today=TODAY)
    assert checked.problems == []
    assert checked.notes == [
        "include/products/cloud_backup/emails/next_month.mjml: no scenario and no plan entry sends it yet"
    ]


def test_a_file_that_is_not_utf_8_is_told(include: Path, product: Path):
    (product / "emails" / "restore_drill.subject").write_bytes("復旧訓練".encode("cp932"))
    assert "restore_drill.subject: is not UTF-8 (byte 1): save it as UTF-8" in one_problem(include)


def test_the_command_exits_1_with_every_problem_and_0_when_all_is_in_order(
    include: Path, product: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("NURTURE_INCLUDE", str(include))
    monkeypatch.delenv("NURTURE_DSN", raising=False)
    monkeypatch.setenv("NURTURE_HOME", str(include.parent / "no_stack"))
    good = CliRunner().invoke(app, ["check"])
    assert good.exit_code == 0
    assert good.stdout.splitlines()[-2:] == [
        "No problems. In order: 2 products, 4 scenarios, 10 emails, 5 sources.",
        NO_DATABASE,
    ]
    line = change(product / "product.yaml", "half_life: 30 days", "half_life: a month")
    bad = CliRunner().invoke(app, ["check"])
    assert bad.exit_code == 1
    assert f"cloud_backup/product.yaml:{line}: scoring.half_life: 'a month' is not a span" in bad.stderr
    assert CliRunner().invoke(app, ["check", "shift_planner"]).exit_code == 0


def test_the_regions_of_a_condition_are_those_that_addresses_are_read_into():
    assert set(REGIONS) == set(regions.REGIONS)
