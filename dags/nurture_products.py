"""One DAG a product: the whole story from the source files to the CRM, on the product's own schedule."""

from airflow.sdk import DAG, CronDataIntervalTimetable, TaskGroup, get_parsing_context

from nurture import tasks
from nurture.definitions.load import load_products
from nurture.definitions.products import Product
from nurture.pipeline import SHARED, STAGES
from nurture.problem import Problem

LABELS = {
    "sources": "land",
    "consolidate": "consolidate",
    "events": "pull",
    "segments": "select",
    "journeys": "plan",
    "dispatch": "dispatch",
    "scoring": "rescore",
    "handoff": "push",
    "reporting": "report",
}


def dag_of(product: Product) -> DAG:
    """Return the DAG of a product: a group a stage, in order but not on condition."""
    with DAG(
        f"nurture_{product.product}",
        schedule=CronDataIntervalTimetable(product.schedule, timezone=product.timezone),
        doc_md=f"**{product.name}**: {product.owner}",
        tags=["nurture", product.product],
        **tasks.options(max_active_runs=3 if product.approval.asks else 1),
    ) as dag:
        begun = last = tasks.add_begin(product.product)
        for stage, functions in STAGES.items():
            with TaskGroup(stage, group_display_name=LABELS[stage]):
                for name, function in functions.items():
                    room = stage if stage in SHARED else "" if name == "send" else product.product
                    last = last >> tasks.operator(name, function, product.product, room)
        tasks.add_end(dag, begun)
        tasks.add_approval(dag, product)
    return dag


class BrokenDag(DAG):
    """A product that cannot be read: Airflow shows why as an import error, and keeps the other products' DAGs."""

    def validate(self) -> None:
        """Raise what is wrong in the product's folder."""
        raise Problem(self.doc_md)


only = get_parsing_context().dag_id
loaded = load_products()
for slug, product in loaded.products.items():
    if only in (None, f"nurture_{slug}"):
        globals()[f"nurture_{slug}"] = dag_of(product)
if loaded.problems and only is None:
    wrong = [str(problem) for problems in loaded.problems.values() for problem in problems]
    broken = BrokenDag("nurture_broken_products", schedule=None, doc_md="\n".join(wrong))
