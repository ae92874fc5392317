"""What the scripts that repeat a paper share: options, files that are kept, printed tables."""

import argparse
import json
from pathlib import Path

import pandas as pd

from physio_ssl import load_encoder, save_encoder
from physio_ssl.evaluation import StudyResults

METRICS = ["accuracy", "macro_f1"]
LEAK_FREE = "by subject, last epoch"
BEST_EPOCH = "by subject, best test epoch"
SHUFFLED = "10 folds of shuffled windows"
PUBLISHED = "published"
WHAT_IT_IS = {
    LEAK_FREE: "the people tested are not in the training; no choice looks at them",
    BEST_EPOCH: "as the code of Wu et al.: the epoch is the best one on each test person",
    SHUFFLED: "as Vazquez-Rodriguez et al.: the same people are on both sides",
}
_NOT_SETTINGS = {"output", "tables", "tasks", "n_jobs", "device"}


def make_parser(doc, tables, sizes):
    """Return a parser with the options of all papers."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with one per data set")
    parser.add_argument("--output", type=Path, default=Path("reproduction"))
    parser.add_argument("--tables", nargs="+", default=list(tables), choices=list(tables))
    parser.add_argument("--tasks", nargs="+", help="only tasks whose name holds one of these")
    parser.add_argument("--size", default="small", choices=list(sizes), help="of all trainings")
    parser.add_argument(
        "--quick", dest="size", action="store_const", const="quick", help="as --size quick"
    )
    parser.add_argument("--device", default="cpu", help="of all trainings, such as cuda")
    parser.add_argument("--n-jobs", type=int, default=1, help="folds at a time")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def open_output(options):
    """Make the output folder, or check that its content was made with the same settings."""
    settings = {
        name: str(value.resolve()) if isinstance(value, Path) else value
        for name, value in vars(options).items()
        if name not in _NOT_SETTINGS
    }
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "settings.json"
    if path.exists() and json.loads(path.read_text()) != settings:
        raise SystemExit(f"{options.output} holds results of other settings: give another --output")
    path.write_text(json.dumps(settings, indent=1))


def find_folders(data, names):
    """Return the folders of the data sets that are there, and say which are not."""
    folders = {name: data / name for name in names if (data / name).is_dir()}
    missing = [name for name in names if name not in folders]
    if missing:
        print(f"Not in {data}, so left out: {', '.join(missing)}.")
    if not folders:
        raise SystemExit(f"{data} must hold at least one of the folders {', '.join(names)}.")
    return folders


def is_chosen(task, options):
    return not options.tasks or any(part in task for part in options.tasks)


def keep_encoder(name, options, pretrain):
    """Return an encoder from its file, or from ``pretrain``, and write the file."""
    path = options.output / "encoders" / f"{name}.safetensors"
    if not path.exists():
        print(f"Pre-training: {name}", flush=True)
        path.parent.mkdir(exist_ok=True)
        save_encoder(pretrain(), path)
    return load_encoder(path)


def keep_study(name, options, run):
    """Return a study from its file, or from ``run``, and write the file."""
    path = options.output / f"{name.replace(' ', '_')}.json"
    if not path.exists():
        run().save(path)
    return StudyResults.load(path)


def show(title, studies, options, published=()):
    """Print the scores of studies, by protocol, beside the published ones; write them as CSV.

    ``published`` holds rows of model, accuracy, macro-F1 and how firm they are.
    """
    rows = [row for protocol, study in studies.items() for row in tabulate(study, protocol)]
    for model, accuracy, macro_f1, firmness in published:
        scores = {"accuracy": accuracy, "macro_f1": macro_f1}
        rows.append({"protocol": PUBLISHED, "model": f"{model} ({firmness})", **scores})
    table = pd.DataFrame(rows)
    path = options.output / f"{title.replace(' ', '_').replace(',', '')}.csv"
    table.to_csv(path, index=False)
    shown = table.drop(columns=[f"{metric}_{end}" for metric in METRICS for end in ("low", "high")])
    print(f"\n{title} (size {options.size!r}, seed {options.seed})\n")
    print(shown.to_string(index=False, float_format="{:.3f}".format, na_rep=""))
    for protocol in dict.fromkeys(table["protocol"]):
        if protocol in WHAT_IT_IS:
            print(f"{protocol}: {WHAT_IT_IS[protocol]}")
    print(flush=True)


def tabulate(study, protocol):
    """Return a row per model and condition, with means and intervals over the folds' subjects."""
    rows = {}
    for row in study.summary(METRICS).to_dict("records"):
        named = {name: row[name] for name in study.conditions}
        key = row["estimator"], *named.values()
        new = {"protocol": protocol, "model": row["estimator"], **named}
        scores = {"": row["mean"], "_low": row["low"], "_high": row["high"]}
        scores = {f"{row['metric']}{end}": score for end, score in scores.items()}
        rows.setdefault(key, new).update(scores)
    return list(rows.values())


def tabulate_epochs(study):
    """Return the mean accuracy on test subjects after each epoch, a row per model."""
    rows = []
    for name in study.estimators:
        records = [record for record in study.records if record["estimator"] == name]
        curve = pd.DataFrame([record["accuracy_by_epoch"] for record in records]).mean()
        best = sum(record["accuracy"] for record in records) / len(records)
        last = {"best epoch of each person": best, "last epoch": curve.iloc[-1]}
        rows.append({"model": name, **last, "best epoch of all": curve.max()})
    return pd.DataFrame(rows)
