"""From raw tables to a served model and back, as a person goes: commands, exit codes, what is told."""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_the_whole_way(shell: Any) -> None:
    first = shell.json("run", "parcels")
    assert first["verdict"] == "promote"
    assert first["version"] == 1
    assert first["prediction"].startswith("recipes/parcels/example.json → delayed 0.")
    assert first["cached"] == 0
    assert Path(shell.root, first["report"]).read_text().startswith("<!doctype html>")

    again = shell.json("run", "parcels")
    assert again["executed"] == 0
    assert (again["verdict"], again["version"], again["endpoint"]) == ("promote", 1, first["endpoint"])

    answer = shell.json("predict", "parcels", "--input", "recipes/parcels/example.json")
    assert answer["model"]["version"] == "1"
    assert shell.json("endpoint", "list")[0]["status"] == "healthy"
    versions = shell.json("models")["parcels"]
    assert [v["aliases"] for v in versions] == [["champion"]]
    assert shell.json("report")["run"] == again["run"]
    with urllib.request.urlopen(first["endpoint"] + "/metadata") as metadata:
        assert json.load(metadata)["digest"] == versions[0]["digest"]

    stopped = shell.run("endpoint", "stop", "parcels")
    assert stopped.returncode == 0
    after = shell.json("run", "parcels")
    assert after["executed"] == 1  # only the endpoint is brought up again
    assert after["endpoint"].startswith("http://127.0.0.1:")  # its last port, unless somebody took it meanwhile


def test_a_second_version_replaces_the_first_and_gives_way_again(shell: Any) -> None:
    candidates = shell.root / "recipes" / "parcels" / "candidates.py"
    good = candidates.read_text()
    candidates.write_text(good.replace("n_estimators=40", "n_estimators=6"))
    shell.json("run", "parcels")
    candidates.write_text(good)
    second = shell.json("run", "parcels")
    assert second["verdict"] == "promote", second["headline"]
    assert second["version"] == 2
    assert "over champion parcels v1" in second["headline"]
    aliases = {v["version"]: v["aliases"] for v in shell.json("models", "parcels")["parcels"]}
    assert aliases == {1: ["previous"], 2: ["champion"]}

    back = shell.json("endpoint", "rollback", "parcels")
    assert back["version"] == 1
    versions = {v["version"]: v for v in shell.json("models", "parcels")["parcels"]}
    assert versions[1]["aliases"] == ["champion"]
    assert versions[2]["rolled_back"]
    assert shell.json("predict", "parcels", "--input", "recipes/parcels/example.json")["model"]["version"] == "1"
    # the evidence that promoted v2 is the evidence that turned out wrong
    undone = shell.run("run", "parcels")
    assert undone.returncode == 1
    assert "rolled back" in undone.stderr
    assert shell.json("endpoint", "list")[0]["version"] == "1"


def test_a_model_that_is_not_better_is_refused_and_the_champion_stays(shell: Any) -> None:
    shell.json("run", "parcels")
    candidates = shell.root / "recipes" / "parcels" / "candidates.py"
    candidates.write_text(candidates.read_text().replace("n_estimators=40", "n_estimators=39"))
    refused = shell.json("run", "parcels", code=3)
    assert refused["verdict"] == "reject"
    assert "not surely better" in refused["headline"]
    assert refused["version"] is None
    assert shell.json("endpoint", "list")[0]["version"] == "1"


def test_a_changed_policy_runs_the_gate_and_trains_nothing(shell: Any) -> None:
    """The cache knows what each task read of the settings; a person must not wait for what did not change."""
    shell.json("run", "parcels")
    shell.settings("beat_baseline_by = 0.01", "beat_baseline_by = 0.5")
    refused = shell.json("run", "parcels", code=3)
    assert refused["verdict"] == "reject"
    ran = {t["name"] for t in shell.last_run()["tasks"] if t["state"] == "SUCCEEDED" and not t["cached"]}
    assert ran == {"gate"}
    shell.settings('carrier = "category"', 'carrier = { type = "category", missing = "impute" }')
    shell.json("run", "parcels", code=3)
    ran = {t["name"] for t in shell.last_run()["tasks"] if t["state"] == "SUCCEEDED" and not t["cached"]}
    assert {"validate", "train"} <= ran


def test_leakage_is_named_by_validation_and_by_the_gate(shell: Any) -> None:
    shell.settings("[columns]\n", '[columns]\ndelay_hours = "float"\n')
    refused = shell.json("run", "parcels", code=3)
    assert refused["verdict"] == "reject"
    assert "leakage in column 'delay_hours'" in refused["headline"]
    assert "blocker" in next(t for t in shell.last_run()["tasks"] if t["name"] == "validate")["summary"]
    assert shell.json("endpoint", "list") == []


def test_leakage_is_seen_in_the_values_too(shell: Any) -> None:
    shell.settings('unavailable_at_prediction = ["delay_hours"]\n', "")
    shell.settings("[columns]\n", '[columns]\ndelay_hours = "float"\n')
    assert "leakage in column 'delay_hours'" in shell.json("run", "parcels", code=3)["headline"]


def test_shuffled_labels_are_rejected(shell: Any, write_parcels: Callable[..., None]) -> None:
    write_parcels(shell.root / "data" / "parcels.csv", shuffled_labels=True)
    refused = shell.json("run", "parcels", code=3)
    assert refused["verdict"] == "reject"
    assert any("baseline" in reason for reason in refused["reasons"])


def test_two_hundred_rows_are_not_enough(shell: Any) -> None:
    refused = shell.json("run", "parcels", "--arguments", '{"limit_rows": 200}', code=3)
    assert refused["verdict"] == "not_enough_data"


def test_a_person_reads_lines_not_json(shell: Any) -> None:
    done = shell.run("run", "parcels")
    assert done.returncode == 0, done.stderr
    for line in ("✔ ingest", "✔ gate", "PROMOTE lightgbm", "endpoint   http://127.0.0.1:", "next "):
        assert line in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    listed = shell.run("models").stdout
    assert re.search(r"parcels\s+v1\s+champion", listed)


CASES: dict[str, tuple[Callable[[Path], Any], int, str]] = {
    "a missing column": (lambda r: edit(r / "data/parcels.csv", "weight", "mass", 1), 1, "weight"),
    "a wrong type": (lambda r: edit(r / "data/parcels.csv", "p000002,", "p000002,never,", 1), 1, "parcels"),
    "an empty table": (lambda r: (r / "data/parcels.csv").write_text(header(r)), 1, "parcels"),
    "duplicate keys": (lambda r: edit(r / "data/parcels.csv", "p000002,", "p000001,", 1), 1, "parcel_id"),
    "an all-null column": (lambda r: blank(r / "data/parcels.csv", "weight"), 1, "weight"),
    "a missing value that is refused": (lambda r: blank(r / "data/parcels.csv", "carrier", rows=3), 1, "carrier"),
    "a typo in model.toml": (lambda r: edit(r / "recipes/parcels/model.toml", "[gate]", "[gatte]", 1), 2, "gate"),
    "a broken query": (lambda r: edit(r / "recipes/parcels/dataset.sql", "FROM", "FORM", 1), 1, "dataset.sql"),
    "no candidates": (lambda r: (r / "recipes/parcels/candidates.py").unlink(), 1, "candidates"),
}


def edit(path: Path, old: str, new: str, count: int) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


def header(root: Path) -> str:
    return (root / "data/parcels.csv").read_text().splitlines()[0] + "\n"


def blank(path: Path, column: str, rows: int | None = None) -> None:
    names, *lines = path.read_text().splitlines()
    at = names.split(",").index(column)
    changed = [
        ",".join("" if i == at and (rows is None or n < rows) else v for i, v in enumerate(line.split(",")))
        for n, line in enumerate(lines)
    ]
    path.write_text("\n".join([names, *changed]) + "\n")


def test_bad_input_is_one_clear_error_and_nothing_is_lost(shell: Any) -> None:
    """Three lines that name the thing; what served before still serves; repaired, the same command goes through."""
    before = {p: p.read_bytes() for p in [*shell.root.glob("data/*"), *shell.root.glob("recipes/parcels/*.*")]}
    shell.json("run", "parcels")
    for case, (damage, code, named) in CASES.items():
        damage(shell.root)
        done = shell.run("run", "parcels")
        assert "Traceback" not in done.stderr + done.stdout, case
        assert (done.returncode, named in done.stderr) == (code, True), f"{case}: {done.stderr}"
        assert "✘" in done.stderr, case
        assert shell.json("endpoint", "list")[0]["status"] == "healthy", case
        for path, content in before.items():
            path.write_bytes(content)
    assert shell.json("run", "parcels")["executed"] == 0


def test_a_category_never_seen_is_a_warning_and_is_served(shell: Any) -> None:
    text = (shell.root / "data/parcels.csv").read_text().splitlines()
    text[-3:] = [line.rsplit(",", 1)[0] + ",newcomer" for line in text[-3:]]
    (shell.root / "data/parcels.csv").write_text("\n".join(text) + "\n")
    done = shell.json("run", "parcels")
    assert done["verdict"] == "promote"
    (shell.root / "row.json").write_text('[{"distance": 1, "weight": null, "hour": 3, "carrier": "nobody"}]')
    assert len(shell.json("predict", "parcels", "--input", "row.json")["predictions"]) == 1


def test_a_corrupted_registered_package_is_refused_by_name(shell: Any) -> None:
    shell.json("run", "parcels")
    shell.run("endpoint", "stop", "parcels")
    package = next((shell.state / "registry" / "packages").glob("*/signature.json"))
    package.write_text(package.read_text().replace("carrier", "career"))
    done = shell.run("serve", "parcels", "--port", "0")
    assert done.returncode == 1
    assert "signature.json" in done.stderr


def test_a_full_disk_is_said_and_nothing_half_written_stays(shell: Any) -> None:
    """A file-size limit is how a full disk looks to one process; the message and the clean-up are the same."""
    import resource

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    with shell.start("run", "parcels", preexec_fn=small_files) as process:
        out, err = process.communicate(timeout=shell.patience_s)
    assert process.returncode == 1, (out, err)
    assert "Traceback" not in err
    assert list((shell.state / "work").iterdir()) == []
    assert shell.json("run", "parcels")["verdict"] == "promote"


def test_wrong_usage_is_exit_code_two(shell: Any) -> None:
    for arguments in (("run", "nobody"), ("run", "parcels", "--arguments", "{"), ("run",), ("endpoint", "stop")):
        assert shell.run(*arguments).returncode == 2


def test_decisions_are_made_where_versions_wait_for_them(shell: Any) -> None:
    decision = ("models", "parcels", "--approve", "1", "--note", "Ada: looked at it")
    for arguments, said in (
        (decision, "on this machine no version waits for approval"),
        (decision[:-2], "says who made it and why"),
        ((*decision, "--reject", "1"), "a decision is one version's"),
        (("models", *decision[2:]), "a decision is one version's"),
    ):
        refused = shell.run(*arguments)
        assert (refused.returncode, said in refused.stderr) == (2, True), refused.stderr
    assert "seatrial run parcels" in shell.run("models").stdout


def test_a_strangers_pipeline_needs_no_project(shell: Any, tmp_path: Path) -> None:
    from seatrial.document.compile import compile_pipeline

    (tmp_path / "p.py").write_text(
        """
from kfp import dsl

@dsl.container_component
def hello(n: int, out: dsl.OutputPath(int)):
    return dsl.ContainerSpec(image="i", command=["sh", "-c", 'mkdir -p "$(dirname $1)"; echo $(($0 + 1)) > $1', n, out])

@dsl.pipeline(name="strangers")
def p(n: int) -> int:
    return hello(n=n).outputs["out"]
"""
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "p.yaml").write_text(compile_pipeline(tmp_path / "p.py", root=tmp_path, image="i"))
    stranger = type(shell)(elsewhere)
    assert stranger.json("run", "p.yaml", "--arguments", '{"n": 41}')["outputs"] == {"Output": 42}
    assert stranger.run("run", "p.yaml").returncode == 1  # n is missing, and the message says so
    assert "'n' (NUMBER_INTEGER) is missing" in stranger.run("run", "p.yaml").stderr


def test_a_run_stays_told_when_its_results_are_gone(shell: Any) -> None:
    first = shell.json("run", "parcels")
    shutil.rmtree(shell.state / "cache")
    told = shell.run("report", first["run"])
    assert told.returncode == 2
    assert "no longer in the cache" in told.stderr
    folder = shell.state / "runs" / first["run"]
    assert (folder / "report.html").is_file()
    assert json.loads((folder / "decision.json").read_text())["verdict"] == "promote"
