"""The pulse: every few minutes, for all products, what must not wait for the product's own run."""

from airflow.sdk import DAG, CronDataIntervalTimetable, TaskGroup

from nurture import pipeline, tasks
from nurture.definitions.load import load_products

STEPS = {
    "settle": pipeline.settle,
    "rescore": pipeline.rescore_marked,
    "walk": pipeline.walk,
    "send": pipeline.send,
    "qualify": pipeline.qualify,
    "push": pipeline.push,
}

with DAG(
    "nurture_pulse",
    schedule=CronDataIntervalTimetable(*tasks.SCHEDULES["nurture_pulse"]),
    doc_md="Events in; then for each product: settle, rescore what changed, advance, send what is due, hand off.",
    tags=["nurture"],
    **tasks.options(allowed_run_types=["scheduled", "manual"]),
) as nurture_pulse:
    begun = tasks.add_begin()
    events = begun >> tasks.operator("pull", pipeline.pull, room="events")
    for slug in load_products().products:
        last = events
        with TaskGroup(slug):
            for name, function in STEPS.items():
                last = last >> tasks.operator(name, function, slug, room="" if name == "send" else slug)
    tasks.add_end(nurture_pulse, begun)
