"""The demo: what `make demo` promises, on fewer windows."""

import json
import subprocess
import sys
from pathlib import Path

from physio_ssl.evaluation import StudyResults

DEMO = Path(__file__).parents[1] / "examples" / "demo_wristband.py"


def test_the_demo_prints_tables_and_writes_results_and_figures(tmp_path):
    command = [sys.executable, str(DEMO), "--output", str(tmp_path / "out put")]
    command += ["--epochs", "1", "--step", "60", "--corpus-step", "240", "--n-jobs", "1"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "pre-train: 100%" in run.stderr
    assert "sim14" in run.stdout
    results = json.loads((tmp_path / "out put" / "results.json").read_text())
    task = results["tasks"]["stress vs rest"]
    study = StudyResults.load(tmp_path / "out put" / "study_stress_vs_rest.json")
    assert len(study.subjects) == 14
    assert study.protocol["audit"]["ok"]
    assert list(task) == study.estimators
    assert list(task) == ["pre-trained encoder", *study.protocol["baselines"]]
    assert {"clock", "hand-crafted", "pre-trained encoder, untrained"} < set(task)
    assert "what the embedding adds" in run.stdout
    mean, low, high = task["pre-trained encoder"]["macro_f1"]
    assert 0 <= low <= mean <= high <= 1
    figures = {path.name for path in (tmp_path / "out put").glob("*.png")}
    assert figures == {"views.png", "pretraining.png", "scores_stress_vs_rest.png"}
