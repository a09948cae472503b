"""The care: once a day, what keeps the house in order."""

from airflow.sdk import DAG, CronDataIntervalTimetable, TaskGroup

from nurture import pipeline, tasks
from nurture.definitions.load import load_products

STEPS = {
    "partitions": tasks.ensure_partitions,
    "suppressions": tasks.reconcile_suppressions,
    "refusals": tasks.tell_refusals,
    "outcomes": tasks.pull_outcomes,
}

with DAG(
    "nurture_care",
    schedule=CronDataIntervalTimetable(*tasks.SCHEDULES["nurture_care"]),
    doc_md="The coming months' partitions, suppression lists taken and told, the CRM's outcomes, what is unknown.",
    tags=["nurture"],
    **tasks.options(allowed_run_types=["scheduled", "manual"]),
) as nurture_care:
    begun = last = tasks.add_begin()
    for name, function in STEPS.items():
        last = last >> tasks.operator(name, function, room=name)
    for slug in load_products().products:
        with TaskGroup(slug):
            last = last >> tasks.operator("settle", pipeline.settle, slug, room=slug)
    tasks.add_end(nurture_care, begun)
