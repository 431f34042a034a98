"""What stock MLflow makes of registry files; started as a program, since MLflow is heavy and full of side effects.

Input: {"fresh": path, "model": name, "databases": {state: [path, {which: digests}]}, "touched": path}. MLflow makes
``fresh``, reads each database through its public client, changes ``touched`` through it, and prints what it read.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


def fingerprint(client: MlflowClient, model: str, alias: str) -> dict[str, Any] | None:
    try:
        version = client.get_model_version_by_alias(model, alias)
    except MlflowException:
        return None
    return {"version": int(version.version), "digest": version.tags["seatrial.package_digest"]}


def champion_for(client: MlflowClient, model: str, digests: list[str]) -> dict[str, Any] | None:
    champion = fingerprint(client, model, "champion")
    if champion is None or champion["digest"] not in digests:
        return champion
    over = client.get_model_version_by_alias(model, "champion").tags["seatrial.promoted_over"]
    if over == "none":
        return None
    return {"version": int(over), "digest": client.get_model_version(model, over).tags["seatrial.package_digest"]}


def answers(path: str, model: str, digests: dict[str, list[str]]) -> dict[str, Any]:
    client = MlflowClient(f"sqlite:///{path}")
    versions = client.search_model_versions(f"name = '{model}'")
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    return {
        "champion": fingerprint(client, model, "champion"),
        "previous": fingerprint(client, model, "previous"),
        "champion_for": {which: champion_for(client, model, d) for which, d in digests.items()},
        "has_version": [
            bool(client.search_model_versions(f"name = '{model}' and tags.`seatrial.package_digest` = '{digest}'"))
            for digest in digests["all"]
        ],
        "versions": {
            int(v.version): {"tags": v.tags, "source": v.source, "run": v.run_id, "status": v.status} for v in versions
        },
        "runs": {
            run.info.run_name: {
                "id": run.info.run_id,
                "status": run.info.status,
                "start": run.info.start_time,
                "end": run.info.end_time,
                "artifacts": run.info.artifact_uri,
                "parameters": run.data.params,
                "metrics": {key: repr(value) for key, value in run.data.metrics.items()},
                "tags": run.data.tags,
                "history": {key: len(client.get_metric_history(run.info.run_id, key)) for key in run.data.metrics},
            }
            for run in runs
        },
    }


def main() -> None:
    order = json.load(sys.stdin)
    model = order["model"]
    MlflowClient(f"sqlite:///{order['fresh']}").search_registered_models()
    seen = {state: answers(path, model, digests) for state, (path, digests) in order["databases"].items()}
    client = MlflowClient(f"sqlite:///{order['touched']}")
    (run,) = client.search_runs(["1"], max_results=1)
    client.log_metric(run.info.run_id, "added_by_hand", 1.0)
    client.set_model_version_tag(model, "1", "reviewed_by", "somebody")
    client.delete_model_version(model, "2")
    client.set_registered_model_alias(model, "champion", "1")
    client.create_model_version(model, "file:///elsewhere")
    client.delete_experiment("1")
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
