"""Login: who asks, and what Airflow lets them see. The one page module that knows Airflow.

Airflow puts no login before an app of a plugin: whatever is served must depend on `reader`, which refuses by itself.
"""

from collections.abc import Callable

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep


def reader(user: GetUserDep) -> Callable[[str], bool]:
    """Return whether the one who is signed in may read a product: those may who may read its DAG.

    Without a valid login Airflow's own dependency answers 401 (403 for a forged one).
    """

    def may_read(product: str) -> bool:
        details = DagDetails(id=f"nurture_{product}")
        return get_auth_manager().is_authorized_dag(method="GET", details=details, user=user)

    return may_read
