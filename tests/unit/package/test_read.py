"""Opening a package: damage is refused by name, and what opens answers right."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seatrial.errors import DataError, PackageError
from seatrial.package import manifest as manifests
from seatrial.package.build import Built
from seatrial.package.manifest import LIMITS, MANIFEST, Manifest, canonical
from seatrial.package.read import Package
from tests.unit.package.example import table

ROW: dict[str, Any] = {"month": 1, "carrier": "UA", "wind_gust": 3.5, "origin": "JFK", "seats": 100}


@pytest.mark.parametrize("name", sorted(LIMITS))
@pytest.mark.parametrize("where", [0, 0.5, 1])
def test_one_changed_byte_is_refused_by_the_files_name(folder: Path, name: str, where: float) -> None:
    content = bytearray((folder / name).read_bytes())
    content[int(where * (len(content) - 1))] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(PackageError, match=f"{name} is not what manifest.json says"):
        Package.open(folder)


@pytest.mark.parametrize("position", [0, 5, 40, 200, -2])
def test_one_changed_byte_in_the_manifest_is_refused(folder: Path, position: int) -> None:
    content = bytearray((folder / MANIFEST).read_bytes())
    content[position] ^= 1
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(PackageError, match=r"manifest\.json"):
        Package.open(folder)


def test_a_manifest_written_otherwise_is_refused(folder: Path) -> None:
    """Two spellings of one manifest would give one package two digests."""
    (folder / MANIFEST).write_bytes((folder / MANIFEST).read_bytes() + b"\n")
    with pytest.raises(PackageError, match=r"manifest\.json is not written as this program writes it"):
        Package.open(folder)


@pytest.mark.parametrize("name", ["extra.py", ".hidden", "code"])
def test_a_file_too_many_is_refused(folder: Path, name: str) -> None:
    (folder / name).mkdir() if name == "code" else (folder / name).write_text("x")
    with pytest.raises(PackageError, match=f"{name} does not belong here"):
        Package.open(folder)


@pytest.mark.parametrize("name", [*sorted(LIMITS), MANIFEST])
def test_a_missing_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(PackageError, match=f"{name} is missing"):
        Package.open(folder)


@pytest.mark.parametrize("name", [*sorted(LIMITS), MANIFEST])
def test_a_link_is_refused_even_to_the_right_content(folder: Path, name: str, tmp_path: Path) -> None:
    """What it points to can change after the check."""
    shutil.move(folder / name, tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(PackageError, match=f"{name} is a link"):
        Package.open(folder)


def test_a_pipe_does_not_hang_the_server(folder: Path) -> None:
    (folder / "golden.json").unlink()
    os.mkfifo(folder / "golden.json")
    with pytest.raises(PackageError, match=r"golden\.json is not a regular file"):
        Package.open(folder)


def test_a_file_beyond_its_limit_is_refused_unread(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(manifests.LIMITS, "golden.json", 100)
    with pytest.raises(PackageError, match=r"golden\.json is larger than 100 bytes"):
        Package.open(folder)


def test_a_path_out_of_the_folder_is_refused(folder: Path) -> None:
    forged = (folder / MANIFEST).read_text().replace("golden.json", "../golden.json")
    (folder / MANIFEST).write_text(forged)
    with pytest.raises(PackageError, match=r"manifest\.json is not a manifest"):
        Package.open(folder)


def test_no_package_is_an_answerable_error(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="there is no model package"):
        Package.open(tmp_path / "nowhere")
    with pytest.raises(PackageError, match=r"manifest\.json is missing"):
        Package.open(tmp_path)


def test_a_forged_package_is_complete_but_not_the_one_asked_for(folder: Path, built: Built) -> None:
    """Digests inside a folder prove nothing against somebody who can write the folder; the registry's digest does."""
    forge(folder, "profile.json", b'{"forged": true}')
    assert Package.open(folder).profile == {"forged": True}
    with pytest.raises(PackageError, match="not " + built.package.digest):
        Package.open(folder, digest=built.package.digest)


def forge(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    files = {n: (folder / n).read_bytes() for n in LIMITS}
    (folder / MANIFEST).write_bytes(Manifest.of(files).to_bytes())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("signature.json", b"{}"),
        ("signature.json", b"not json"),
        ("golden.json", canonical({"tolerance": 1e-6, "rows": [{}], "expected": []})),
        ("metrics.json", b'{"rows": 1}'),
        ("lineage.json", b"[]"),
        ("profile.json", b"[]"),
        ("profile.json", b"[" * 100_000),
    ],
)
def test_content_that_breaks_its_contract_is_refused_by_name(folder: Path, name: str, content: bytes) -> None:
    forge(folder, name, content)
    with pytest.raises(PackageError, match=f"{name} breaks its contract"):
        Package.open(folder)


def test_a_graph_that_does_not_fit_the_signature_is_refused(folder: Path) -> None:
    """A package of another model under this signature would answer nonsense with confidence."""
    text = (folder / "signature.json").read_text().replace('"type": "int"', '"type": "category"')
    forge(folder, "signature.json", text.encode())
    with pytest.raises(PackageError, match=r"model\.onnx does not fit signature\.json"):
        Package.open(folder).predict_rows([])


def test_prediction_is_the_same_for_one_row_and_for_many(built: Built) -> None:
    package = Package.open(built.package.path)
    packed = package.signature.pack(table(300, 11))
    together = package.predict(packed)
    alone = np.concatenate([package.predict(packed.take(slice(i, i + 1))) for i in range(300)])
    assert together.dtype == np.float32 and together.shape == (300,)
    np.testing.assert_allclose(alone, together, atol=3e-7)


def test_two_threads_answer_within_the_tolerance(built: Built) -> None:
    package = Package.open(built.package.path, threads=2)
    packed = package.signature.pack(table(300, 11))
    np.testing.assert_allclose(package.predict(packed), built.package.predict(packed), atol=package.golden.tolerance)


def test_no_rows_give_no_predictions(built: Built) -> None:
    assert built.package.predict_rows([]).shape == (0,)


def test_a_category_never_seen_and_a_row_of_nulls_are_answered(built: Built) -> None:
    rows = [{**ROW, "carrier": "??", "origin": "??"}, {**ROW, "wind_gust": None, "origin": None, "seats": None}]
    answers = built.package.predict_rows(rows)
    assert ((answers >= 0) & (answers <= 1)).all()


def test_bad_rows_are_refused_with_every_problem(built: Built) -> None:
    with pytest.raises(DataError) as caught:
        built.package.predict_rows([{**ROW, "month": "1"}, {**ROW, "colour": "red"}])
    assert "row 0, column 'month': is text" in caught.value.what
    assert "row 1, column 'colour': is not a column" in caught.value.what


def test_the_golden_sample_is_answered_exactly_here(built: Built) -> None:
    replay = Package.open(built.package.path).replay_golden()
    assert replay.passed and replay.max_abs == 0


def test_opening_does_not_load_the_runtime() -> None:
    """The registry and the CLI open packages to read their metrics; onnxruntime costs them nothing."""
    import subprocess
    import sys

    heavy = {"onnx", "onnxruntime", "sklearn", "pyarrow", "pandas"}
    code = f"import seatrial.package.read, sys; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_size_is_that_of_the_files(built: Built) -> None:
    assert built.package.size_bytes == sum(f.stat().st_size for f in built.package.path.iterdir())
