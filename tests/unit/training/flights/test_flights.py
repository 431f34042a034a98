"""The worked example on the real tables: what its SQL promises, and that its features and candidates do what they say.

The tables are in the ``train`` extra. Candidates learn from a few thousand rows here, so that nothing takes long; what
they reach on all of them is in docs/data.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from seatrial.data import ingest, sources, split, validate
from seatrial.data.dataset import PARTS, opened
from seatrial.data.leakage import measure
from seatrial.monitoring.profile import profile
from seatrial.project import Model, load

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def flights() -> Model:
    return load(ROOT).model("flights")


@pytest.fixture(scope="module")
def ingested(flights: Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[ingest.Ingested, Path]:
    out = tmp_path_factory.mktemp("flights") / "dataset.parquet"
    return ingest.ingest(flights, sources.resolve(flights, ROOT), out), out


def test_no_flight_is_lost_or_doubled(ingested: tuple[ingest.Ingested, Path]) -> None:
    """Weather hours repeat when summer time ends; a join on local hours would double the flights of that hour."""
    result, _ = ingested
    assert result.summary() == "336,776 flights ⋈ weather ⋈ planes → 327,346 rows"
    assert result.left_out_summary() == "left out 9,430: 8,255 cancelled, 1,175 diverted"
    assert result.joined == result.sources["flights"]
    assert result.ignored == ()


def test_real_data_has_no_error_and_no_blocker(flights: Model, ingested: tuple[ingest.Ingested, Path]) -> None:
    findings = validate.validate(flights, ingested[1])
    assert (findings.errors, findings.blockers) == ((), ())
    assert {(f.kind, f.column) for f in findings.warnings} == {
        ("unseen", "dest"),
        ("missing", "plane_age"),
        ("missing", "seats"),
        ("missing", "wind_gust"),
        ("missing", "pressure"),
        ("drift", "temp"),
        ("drift", "dewp"),
        ("drift", "pressure"),
    }


def test_dep_delay_as_a_feature_is_leakage_even_when_nobody_declared_it(
    flights: Model, ingested: tuple[ingest.Ingested, Path]
) -> None:
    kind = type(flights.columns["distance"])
    columns = {**flights.columns, "dep_delay": kind(type="int", missing="impute")}
    careless = flights.model_copy(update={"columns": columns, "unavailable_at_prediction": ()})
    (blocker,) = validate.validate(careless, ingested[1]).blockers
    assert (blocker.kind, blocker.column) == ("leakage", "dep_delay")
    assert "ROC AUC 0.899" in blocker.message


def test_honest_columns_are_far_from_the_limit(flights: Model, ingested: tuple[ingest.Ingested, Path]) -> None:
    with opened(flights, ingested[1]) as data:
        measured = {name: value for name, (value, _) in measure(data).items()}
    assert measured.keys() == flights.columns.keys()
    assert max(measured.values()) < 0.65


def test_storm_of_1048_mph_would_be_named_if_a_flight_met_it(flights: Model, tmp_path: Path) -> None:
    """The value is in the source, in an hour after which nothing departs; here the first flights meet it."""
    text = (flights.folder / "dataset.sql").read_text()
    hours = "(CASE WHEN f.month = 2 AND f.day = 12 AND f.hour = 5 THEN 2 ELSE 1 END) * INTERVAL 1 HOUR"
    moved = text.replace("INTERVAL 1 HOUR", hours)
    assert moved != text
    (tmp_path / "dataset.sql").write_text(moved)
    model = flights.model_copy(update={"folder": tmp_path})
    ingest.ingest(model, sources.resolve(flights, ROOT), tmp_path / "dataset.parquet")
    (error,) = validate.validate(model, tmp_path / "dataset.parquet").errors
    assert (error.kind, error.column) == ("range", "wind_speed")
    assert error.message.startswith("1048.36 at 2013-02-12 05:")
    assert "outside [0, 120] mph" in error.message


def test_holdout_is_the_frozen_one(flights: Model, ingested: tuple[ingest.Ingested, Path], tmp_path: Path) -> None:
    train, validation, holdout = (tmp_path / f"{name}.parquet" for name in PARTS)
    parts = split.split(flights, ingested[1], train=train, validation=validation, holdout=holdout)
    assert parts.frozen
    assert {name: part.rows for name, part in parts.named().items()} == {
        "train": 217_727,
        "validation": 55_628,
        "holdout": 53_991,
    }
    assert profile(flights, train).label_rate == pytest.approx(0.2561, abs=1e-4)


def test_example_is_two_flights_that_a_caller_could_send(flights: Model) -> None:
    instances = json.loads((flights.folder / "example.json").read_text())["instances"]
    assert len(instances) == 2
    for row in instances:
        assert row.keys() == flights.columns.keys()
        for name, column in flights.columns.items():
            value = row[name]
            assert value is not None or column.missing == "impute"
            if value is not None and column.range:
                assert column.range[0] <= value <= column.range[1]
            assert value is None or isinstance(value, (int, float) if column.numeric else str)


@pytest.fixture(scope="module")
def training(flights: Model, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """3,000 flights, through the exported feature graph."""
    from seatrial.package.build import Labelled
    from seatrial.package.candidate import TrainingData
    from seatrial.package.features import Features
    from seatrial.package.signature import Signature
    from training.flights.features import features

    folder = tmp_path_factory.mktemp("sample")
    table = folder / "dataset.parquet"
    ingest.ingest(flights, sources.resolve(flights, ROOT), table, limit_rows=3000)
    paths = [folder / f"{name}.parquet" for name in PARTS]
    split.split(flights, table, train=paths[0], validation=paths[1], holdout=paths[2], trial=True)
    part = {name: Labelled.of(pq.read_table(path), flights) for name, path in zip(PARTS, paths, strict=True)}
    graph = Features.fit(features(flights), Signature.of(flights), part["train"].packed)
    steps: list[tuple[int, int, str]] = []
    return (
        steps,
        graph,
        part,
        TrainingData(
            x=graph.apply(part["train"].packed),
            y=part["train"].y,
            x_validation=graph.apply(part["validation"].packed),
            y_validation=part["validation"].y,
            feature_names=graph.names,
            seed=7,
            threads=1,
            progress=lambda done, total, text: steps.append((done, total, text)),
        ),
    )


def test_exported_features_equal_scikit_learns_and_mark_what_is_missing(flights: Model, training: Any) -> None:
    import pandas as pd

    from training.flights.features import TELLING, features

    _, graph, part, data = training
    numbers = pd.DataFrame(part["train"].packed.numeric, columns=list(flights.numeric))
    texts = pd.DataFrame(part["train"].packed.text, columns=list(flights.categories), dtype=object)
    frame = pd.concat([numbers, texts], axis=1)
    transformer = features(flights).fit(frame)
    exact = np.asarray(transformer.transform(frame))
    assert np.abs(exact - data.x).max() < 1e-5
    assert np.isfinite(data.x).all()
    for name in TELLING:
        column = data.x[:, graph.names.index(f"known__{name}")]
        assert (column == ~np.isnan(part["train"].packed.numeric[:, flights.numeric.index(name)])).all()


def test_destination_never_seen_gives_zeros(flights: Model, training: Any) -> None:
    _, graph, part, _ = training
    packed = part["holdout"].packed
    text = packed.text.copy()
    text[:, flights.categories.index("dest")] = "LEX"
    features = graph.apply(packed._replace(text=text))
    assert not features[:, [i for i, name in enumerate(graph.names) if name.startswith("dest__")]].any()


@pytest.mark.parametrize("name", ["logistic", "lightgbm", "forest", "network"])
def test_candidate_learns_and_is_the_same_each_time(training: Any, name: str) -> None:
    from seatrial.package.graph import merge, to_bytes
    from training.flights.candidates import baseline, candidates

    steps, graph, _, data = training
    candidate = {c.name: c for c in (baseline(), *candidates())}[name]
    steps.clear()
    fitted = candidate.fit(data)
    probability = fitted.probability(data.x)
    assert probability[data.y == 1].mean() > probability[data.y == 0].mean() + 0.02
    assert steps[-1][0] <= steps[-1][1]
    if name == "lightgbm":
        assert [text.split(":")[0] for _, _, text in steps[:2]] == ["trial 1 of 8", "trial 2 of 8"]
    again = candidate.fit(data)
    assert dict(fitted.parameters) == dict(again.parameters)
    assert to_bytes(merge(graph.model, fitted.to_onnx())) == to_bytes(merge(graph.model, again.to_onnx()))
