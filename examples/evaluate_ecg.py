"""What ecg-small knows: atrial fibrillation with few labels, and mental arithmetic.

    python examples/evaluate_ecg.py ecg-small seed1/seed1.safetensors seed2/seed2.safetensors
        --cinc2017 training2017.zip --eegmat eegmat --output ecg-small

The encoders are one recipe with several seeds; the first is the one that ships. The baselines,
windows, held-out recordings and draws of labels are those of ``study_ecg.py``. Every score is
written to the output folder as it is made; if the script is stopped, the same command continues. It
ends with ``results.json`` there, for the card that ``pretrain_ecg.py`` writes.
"""

import argparse
import hashlib
import json
from datetime import date
from functools import cache, partial
from pathlib import Path

import numpy as np
import study_ecg as study
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from physio_ssl import SSLClassifier, StageLabels, load_encoder
from physio_ssl.datasets import load_cinc2017, load_eegmat
from physio_ssl.evaluation import LinearProbe
from physio_ssl.quality import drop_poor_ecg

NAME, HEART = "ecg-small", study.HEART
UNTRAINED, JOINED = f"{NAME}, untrained", f"{HEART} + {NAME}"
SCRATCH, TUNED = "the same network from scratch", f"{NAME}, fine-tuned"
CHEAP = "hand-crafted + channel statistics"


def main():
    options = parse_options()
    encoders = [load_encoder(path) for path in options.encoders]
    options.output.mkdir(parents=True, exist_ok=True)
    rhythms = compare_on_rhythms(encoders, options)
    arithmetic = compare_on_arithmetic(encoders, options)
    path = options.output / f"{options.output.resolve().name}.safetensors"
    results = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "date": date.today().isoformat(),
        "protocol": "Windows of 10 s. Probes are LinearProbe, three seeds of the encoder. 95 % "
        "intervals are over recordings, draws of labels and seeds, or over people.",
        "tables": [*list_rhythms(rhythms), list_arithmetic(*arithmetic)],
    }
    (options.output / "results.json").write_text(json.dumps(results, indent=1))


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("encoders", nargs="+", help="names or files, the one that ships first")
    parser.add_argument("--cinc2017", type=Path, required=True, help="training2017.zip")
    parser.add_argument("--eegmat", type=Path, required=True, help="folder of EEGMAT")
    parser.add_argument("--output", type=Path, default=Path(NAME))
    parser.add_argument(
        "--precision", default="float32", help="or bfloat16, on processors that have it"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-networks", action="store_true", help="leave out what takes longest")
    return parser.parse_args()


def cut_both(recordings, step, classes, encoder):
    """Return windows for the baselines, as in the study, and the same ones for the encoder."""
    windows = study.cut(recordings, step, classes)
    own = encoder.preprocessor_.make_windows(recordings, step, labels=StageLabels(classes))
    own = drop_poor_ecg(own, recordings)
    if not own.info.equals(windows.info):
        raise SystemExit("the windows of encoder and baselines must be the same")
    return windows, own


def compare_on_rhythms(encoders, options):
    """Return the table of atrial fibrillation vs normal rhythm, on held-out recordings."""
    recordings = load_cinc2017(options.cinc2017)
    corpus, own = cut_both(recordings, 5, study.RHYTHMS, encoders[0])
    held_out = study.hold_out(corpus, options.seed)
    for encoder in encoders:
        if not {f"cinc2017/{name}" for name in held_out}.isdisjoint(encoder.groups_seen_):
            raise SystemExit("an encoder was pre-trained on recordings that are held out")
    is_rhythm = corpus.y <= 1
    windows, X = corpus.select(is_rhythm), own.select(is_rhythm).X
    is_test = np.isin(windows.groups, held_out)
    test, train = windows.select(is_test), windows.select(~is_test)
    print(f"AF vs normal: train on {train}, test on {test}", flush=True)
    models = make_probes(encoders, windows, X, options)
    if not options.no_networks:
        models |= make_networks(encoders, X, options)
    scores = {}
    for name, seeds in models.items():
        for fraction, n_draws in study.DRAWS.items():
            # with all labels, draws are the same and only the seeds differ
            for draw in range(len(seeds) if fraction == 1 else n_draws):
                path = options.output / f"{name}, {fraction:.0%}, draw {draw}.json"
                if not path.exists():
                    rng = np.random.default_rng([options.seed, draw])
                    drawn = study.draw_recordings(train, fraction, rng)
                    rows = np.flatnonzero(~is_test)[drawn]
                    model, make_input = seeds[draw % len(seeds)]
                    score = study.fit_and_score(model, make_input(), windows, rows, is_test)
                    path.write_text(json.dumps(score.tolist()))
                scores.setdefault((fraction, name), []).append(json.loads(path.read_text()))
    table = study.summarise(scores, test, scratch=SCRATCH)
    table.to_csv(options.output / "rhythms.csv")
    print(table.round(3).to_string(), flush=True)
    return table


def make_probes(encoders, windows, X, options):
    """Return lists of pairs, one per seed: a classifier, and a function that gives its input."""
    hearts = study.describe_hearts(windows)
    baselines = study.make_baselines(windows, random_state=options.seed)
    tables = {name: model for name, model in baselines.items() if isinstance(model, tuple)}
    forest, _ = tables["hand-crafted, forest"]
    tables |= {HEART: (LinearProbe(), hearts), f"{HEART}, forest": (forest, hearts)}
    probes = {
        name: [(model, partial(np.asarray, table))] for name, (model, table) in tables.items()
    }

    @cache  # each network embeds each window once
    def embed(seed, trained=True):
        encoder = encoders[seed] if trained else encoders[0].untrained(seed)
        return encoder.transform(X)

    def join(name, seed):
        return np.hstack([np.asarray(tables[name][1]), embed(seed)])

    seeds, width = range(len(encoders)), len(encoders[0].get_feature_names_out())
    probes[UNTRAINED] = [
        (LinearProbe(), partial(embed, seed, False)) for seed in range(study.N_SEEDS)
    ]
    probes[NAME] = [(LinearProbe(), partial(embed, seed)) for seed in seeds]
    for name in (HEART, CHEAP):
        n_columns = np.shape(tables[name][1])[1]
        probes[f"{name} + {NAME}"] = [
            (LinearProbe((n_columns, width)), partial(join, name, seed)) for seed in seeds
        ]
    return probes


def make_networks(encoders, X, options):
    """Return the networks that are trained with labels, in the form of ``make_probes``."""
    return {
        name: [
            (
                SSLClassifier(
                    FrozenEstimator(encoder),
                    mode=mode,
                    class_weight="balanced",
                    max_epochs=5,
                    min_steps=400,
                    callbacks__lr_schedule__warmup=0.1,
                    precision=options.precision,
                    random_state=options.seed + number,
                ),
                lambda: X,
            )
            for number, encoder in enumerate(encoders)
        ]
        for name, mode in ((SCRATCH, "supervised"), (TUNED, "fine_tuned"))
    }


def compare_on_arithmetic(encoders, options):
    """Return the study of rest or mental arithmetic, and the names of the heart's tables."""
    recordings = load_eegmat(options.eegmat)
    windows, own = map(
        study.choose_complete, cut_both(recordings, study.DURATION, study.ARITHMETIC, encoders[0])
    )
    print(f"\nrest vs mental arithmetic: {windows}", flush=True)
    models = {
        NAME: [
            (make_pipeline(FrozenEstimator(encoder), LinearProbe()), own.X) for encoder in encoders
        ]
    }
    results, tables = study.score_arithmetic(models, windows, options)
    results.save(options.output / "eegmat.json")
    for metric in ("balanced_accuracy", "auroc"):
        print(results.summary(metric).to_string())
        print(results.compare(NAME, tables, metric=metric).to_string())
        print(results.added_value(NAME, over=[*tables, CHEAP], metric=metric).to_string())
    print(results.position_matched().to_string(), flush=True)
    return results, tables


def list_rhythms(table):
    """Return the card's tables: AUROC, and gains on heart rhythm and training from scratch."""
    captions = {
        "auroc": "Atrial fibrillation or normal rhythm, 450 held-out recordings, AUROC by window:",
        "over_rhythm": f"Gain on {HEART}, in the same draws of labels:",
        "over_scratch": f"Gain on {SCRATCH}:",
    }
    columns = ("model", *(f"{fraction:.0%} of the labels" for fraction in study.DRAWS))
    return [
        {
            "caption": caption,
            "columns": columns,
            "rows": {
                name: [get_interval(table.loc[(fraction, name)], kind) for fraction in study.DRAWS]
                for name in table.index.get_level_values("model").unique()
                if kind == "auroc" or name in (NAME, JOINED, TUNED)
            },
        }
        for kind, caption in captions.items()
        if kind in table
    ]


def get_interval(row, kind):
    """Return a value with its interval, or None."""
    values = [row[kind], row[f"{kind}_low"], row[f"{kind}_high"]]
    return None if np.isnan(values[0]) else values


def list_arithmetic(results, tables):
    """Return the card's table of mental arithmetic."""
    columns = {}
    for metric in ("balanced_accuracy", "auroc"):
        found = results.summary(metric).set_index("estimator")
        columns[metric] = {
            name: found.loc[name, ["mean", "low", "high"]].tolist() for name in found.index
        }
    names = [NAME, UNTRAINED, *tables, CHEAP, "clock"]
    return {
        "caption": "EEGMAT, rest vs mental arithmetic, leave-one-subject-out, mean over 21 people:",
        "columns": ("model", "balanced accuracy", "AUROC within person"),
        "rows": {name: [columns[metric][name] for metric in columns] for name in names},
    }


if __name__ == "__main__":
    main()
