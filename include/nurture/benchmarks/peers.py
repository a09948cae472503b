"""Peers: the same records through splink 5 (DuckDB), for the ratio.

It is given our normalised columns without role mailboxes, and company, domain, switchboard and postal code as one fact;
without that its precision is far lower. What it lacks and we must have is the guard of shared keys, readings across
scripts, stable ids and undo.
"""

import contextlib
import io
import logging
from typing import Any

import sqlalchemy as sa

from nurture import db
from nurture.benchmarks import judging
from nurture.benchmarks.measuring import Bench
from nurture.problem import Problem

AT_LEAST = 0.99  # a pair of this probability is joined
INSTALL = "install what benchmarks compare with: `uv sync --group bench`"


def splink(bench: Bench, conn: sa.Connection, truth: dict[judging.Key, judging.True_]) -> dict[str, Any]:
    """Return precision, recall and F1 of splink's clusters on the records in the database; the phase is measured."""
    try:
        import pandas as pd
        import splink.comparison_library as cl  # pyright: ignore[reportMissingImports]
        from splink import (  # pyright: ignore[reportMissingImports]
            DuckDBAPI,
            Linker,
            SettingsCreator,
            block_on,
        )
    except ImportError as error:
        raise Problem(f"splink is not here; {INSTALL}") from error
    found = db.run(conn, db.statements("benchmarks").normalised)
    table = pd.DataFrame(found.all(), columns=list(found.keys()))
    table["employer"] = table["domain"].fillna(table["company"])
    blocking: list[Any] = [
        block_on("email"), block_on("mobile"), block_on("name", "employer"), block_on("name", "company"),
        block_on("last_name", "phone"), block_on("first_name", "employer"),
    ]  # fmt: skip
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            cl.JaroWinklerAtThresholds("name", [0.92, 0.8]), cl.ExactMatch("mobile"),
            cl.LevenshteinAtThresholds("email", [1, 2]), cl.ExactMatch("employer"),
        ],
        blocking_rules_to_generate_predictions=blocking,
        retain_matching_columns=False,
    )  # fmt: skip
    with bench.phase("splink", len(table)), contextlib.redirect_stdout(io.StringIO()):
        api = DuckDBAPI()
        linker = Linker(api.register(table), settings, log_level=logging.ERROR)
        linker.training.estimate_probability_two_random_records_match([block_on("email"), block_on("mobile")], 0.8)
        linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=bench.seed)
        for rule in (block_on("email"), block_on("mobile"), block_on("name", "employer")):
            linker.training.estimate_parameters_using_expectation_maximisation(rule)
        pairs = linker.inference.predict(threshold_match_probability=AT_LEAST)
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, AT_LEAST).as_pandas_dataframe()
    key_of = dict(zip(table["unique_id"], zip(table["source"], table["source_key"], strict=True), strict=True))
    labels = {
        key_of[record]: cluster
        for record, cluster in zip(clusters["unique_id"], clusters["cluster_id"], strict=True)
    }  # fmt: skip
    precision, recall = judging.pairwise(
        (truth[key].person, labels.get(key, ("none", *key))) for key in truth
    )  # fmt: skip
    return {
        "precision": round(precision, 6), "recall": round(recall, 4),
        "f1": round(judging.f1(precision, recall), 4),
    }  # fmt: skip
