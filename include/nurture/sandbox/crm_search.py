"""CRM search: HubSpot's filter groups, sorts and pages over the objects of one type."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from nurture.sandbox.crm_store import Invalid, all_properties, shown
from nurture.sandbox.store import Store

MOST_FILTER_GROUPS = 6
MOST_RESULTS = 200
MOST_WALKED = 10_000  # results of one search over all its pages
Held = dict[str, str | None]


def search(store: Store, object_type: str, asked: Any) -> dict[str, Any]:
    """Return one page of the objects for which any filter group holds."""
    if not isinstance(asked, dict):
        raise Invalid("the request must be an object")
    groups = asked.get("filterGroups") or []
    size = asked.get("limit", 10)
    if len(groups) > MOST_FILTER_GROUPS:
        raise Invalid(f"at most {MOST_FILTER_GROUPS} filterGroups")
    if not isinstance(size, int) or not 0 < size <= MOST_RESULTS:
        raise Invalid(f"limit must be from 1 to {MOST_RESULTS}")
    start = int(asked.get("after") or 0)
    if start + size > MOST_WALKED:
        raise Invalid(f"a search gives at most {MOST_WALKED} results")
    tests = [[_test(each) for each in group.get("filters") or []] for group in groups]
    rows = [
        (all_properties(row), row)
        for row in store.read(
            "select * from crm_objects where object_type = ? and is_archived = 0"
            " and (? is null or json_extract(properties, '$.email') = ?) order by object_id",
            (object_type, *[_only_address(groups)] * 2),
        )
    ]
    rows = [pair for pair in rows if not tests or any(all(test(pair[0]) for test in group) for group in tests)]
    for order in reversed(asked.get("sorts") or []):
        name = order["propertyName"] if isinstance(order, dict) else str(order)
        is_falling = isinstance(order, dict) and order.get("direction") == "DESCENDING"
        rows.sort(key=lambda pair, name=name: _comparable(pair[0].get(name)), reverse=is_falling)
    page = rows[start : start + size]
    found: dict[str, Any] = {
        "total": len(rows),
        "results": [shown(row, asked.get("properties") or ()) for _, row in page],
    }
    if start + size < len(rows):
        found["paging"] = {"next": {"after": str(start + size)}}
    return found


def _only_address(groups: list[Any]) -> str | None:
    """Return the address when the search is for one address alone: the index then finds it."""
    if len(groups) != 1:
        return None
    for each in groups[0].get("filters") or []:
        if each.get("propertyName") == "email" and each.get("operator") == "EQ":
            return str(each.get("value", "")).strip().lower()
    return None


def _test(asked: dict[str, Any]) -> Callable[[Held], bool]:
    name, operator = asked.get("propertyName", ""), asked.get("operator", "")
    value, high = _comparable(asked.get("value")), _comparable(asked.get("highValue"))
    values = {_comparable(each) for each in asked.get("values") or ()}

    def test(held: Held) -> bool:
        has = held.get(name) not in (None, "")
        mine = _comparable(held.get(name))
        match operator:
            case "HAS_PROPERTY":
                return has
            case "NOT_HAS_PROPERTY":
                return not has
            case "EQ":
                return has and mine == value
            case "NEQ":
                return mine != value
            case "IN":
                return has and mine in values
            case "NOT_IN":
                return mine not in values
            case "LT":
                return has and mine < value
            case "LTE":
                return has and mine <= value
            case "GT":
                return has and mine > value
            case "GTE":
                return has and mine >= value
            case "BETWEEN":
                return has and value <= mine <= high
            case "CONTAINS_TOKEN":
                return has and mine[2].find(value[2].strip("*")) >= 0
            case _:
                raise Invalid(f"operator {operator!r} is not known")

    return test


def _comparable(value: Any) -> tuple[int, float, str]:
    """Return what two values compare by: moments (ISO or milliseconds) and numbers as numbers, the rest as text."""
    text = "" if value is None else str(value).strip().lower()
    try:
        return 1, float(text), ""
    except ValueError:
        pass
    if len(text) >= 10 and text[4:5] == "-":
        try:
            return 1, datetime.fromisoformat(text.upper()).timestamp() * 1000, ""
        except ValueError:
            pass
    return 2, 0.0, text
