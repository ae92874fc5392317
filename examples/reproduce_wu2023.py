"""The tables of Wu, Daoudi & Amad (2024, online 2023) on your data.

    python examples/reproduce_wu2023.py --data DATA --corpus CORPUS
    python examples/reproduce_wu2023.py --data DATA --corpus CORPUS --quick    # minutes; no result

DATA holds the folders WESAD, CASE and KEmoCon, or some of them. CORPUS holds Empatica E4 sessions
without labels: the authors' own corpus is not public. ``--weights`` takes a checkpoint that they
published, for the tables "scores" and "few labels".

- scores: networks supervised (S), frozen (F) and fine-tuned (T), by a protocol without leaks and by
  that of the authors' code, beside baselines without a network and the published numbers
- few labels: the same with a fraction of the labels
- modalities: single modalities, and one left out
- transforms: one signal transform left out of the pre-training
- network: batch norm in the transformer, and no TCN
- fusion: one model per modality and the mean of their probabilities, or one network of all
- corpus: more or fewer people to pre-train on

``--size published`` has the published network, training and windows, which need a GPU
(``--device cuda``). ``--size small``, the default, is that of ``study_wristband.py``. The output
folder keeps encoders and studies: the same command continues from there. For other data, give
another folder.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from paper_tables import (
    BEST_EPOCH,
    LEAK_FREE,
    find_folders,
    is_chosen,
    keep_encoder,
    keep_study,
    make_parser,
    open_output,
    show,
    tabulate_epochs,
)
from published_protocols import best_test_epoch
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import make_pipeline
from study_wristband import PREPROCESSOR, TRANSDUCTIVE, make_nets, name_subjects

from physio_ssl import (
    RatingLabels,
    SelectModality,
    SignalDict,
    SSLEncoder,
    StageLabels,
    Windows,
    datasets,
)
from physio_ssl.evaluation import label_efficiency, leave_subjects_out, make_baselines
from physio_ssl.published import wu2023
from physio_ssl.transforms import CropResize, GaussianNoise, MagnitudeWarp, Permutation, TimeWarp

MODALITIES = ("eda", "bvp", "temp")
TRANSFORMS = (GaussianNoise(), Permutation(), TimeWarp(), CropResize(), MagnitudeWarp())
READERS = {"WESAD": "load_wesad", "CASE": "load_case", "KEmoCon": "load_k_emocon"}
SETTINGS = {"WESAD": "wesad", "CASE": "case", "KEmoCon": "k_emocon"}  # names in wu2023
SCALES = {"CASE": (0.5, 9.5), "KEmoCon": (1, 5)}
VIDEOS = [f"video {number}" for number in range(1, 9)]
STAGES = {"CASE": {"stage": StageLabels(dict(zip(VIDEOS, VIDEOS, strict=True)))}}  # not between
TASKS = {
    "WESAD": {
        "2 classes": StageLabels({"baseline": 0, "amusement": 0, "stress": 1}),
        "3 classes": StageLabels({"baseline": 0, "stress": 1, "amusement": 2}),
    },
    **{  # classes of equal width, as the authors do not say
        name: {
            f"{scale}, {n} classes": RatingLabels.equal_width(scale, *ends, n_classes=n)
            for scale in ("valence", "arousal")
            for n in (2, 3)
        }
        for name, ends in SCALES.items()
    },
}
# as the authors of the data: 1 and 2 are low
TASKS["KEmoCon"] |= {
    f"{scale}, 2 classes": RatingLabels(scale, [2.5]) for scale in ("valence", "arousal")
}
SIZES = {  # seconds between windows, settings of the encoder and of classifiers, number of people
    "published": {
        "step": 0.25,
        "corpus_step": 1,
        "encoder": {**wu2023.PRETRAINING, "standardize": False, "max_epochs": 15},
        "fractions": (0.01, 0.05, 0.1, 0.5, 1),
    },
    "small": {
        "step": 15,
        "corpus_step": 15,
        "encoder": {"max_epochs": 1},
        "training": {"max_epochs": 10, "class_weight": "balanced"},
        "fractions": (0.05, 0.1, 0.5, 1),
    },
    "quick": {
        "step": 60,
        "corpus_step": 1800,
        "encoder": {"max_epochs": 1, "module__d_model": 8, "module__token_size": 12},
        "training": {"max_epochs": 2, "min_steps": 0},
        "fractions": (0.2, 1),
        "people": 3,
    },
}
SECOND_HAND = "second-hand; protocol of their code, F or T not stated"
UNKNOWN = [("Wu et al.", np.nan, np.nan, "number not known to us")]
PUBLISHED = {
    "WESAD, 2 classes": [
        ("Wu et al.", 0.9629, 0.9511, SECOND_HAND),
        ("Schmidt et al., wrist, forest", 0.8833, 0.8610, "second-hand; leave one subject out"),
    ],
    "WESAD, 3 classes": [
        ("Wu et al.", 0.8494, 0.8260, SECOND_HAND),
        ("Schmidt et al., wrist, forest", 0.7617, 0.6633, "second-hand; leave one subject out"),
    ],
    "KEmoCon, arousal, 2 classes": [
        *UNKNOWN,
        ("authors of the data, boosting", 0.602, 0.559, "their code; 4 folds in order"),
        ("authors of the data, boosting", 0.788, 0.774, "their code; 4 shuffled folds"),
    ],
    "KEmoCon, valence, 2 classes": [
        *UNKNOWN,
        ("authors of the data, boosting", 0.772, 0.722, "their code; 4 folds in order"),
        ("authors of the data, boosting", 0.852, 0.825, "their code; 4 shuffled folds"),
    ],
}


@dataclass
class Task:
    """The windows of one task, and how networks are trained on them."""

    name: str
    windows: Windows
    baselines: dict
    training: dict
    options: object

    def make_nets(self, encoder):
        """Return the networks S, F and T."""
        training = {**self.training, "device": self.options.device}
        tuning = {"encoder_lr": None} if self.options.size == "published" else {}
        return make_nets(encoder, training, **tuning)

    def run(self, table, study, models, **settings):
        """Return a study of models on the task's windows, from its file if there is one."""
        common = {"n_jobs": self.options.n_jobs, "random_state": self.options.seed}
        if study is not best_test_epoch:
            settings = {"folder": self.options.output / "folds", "baselines": False, **settings}
        run = partial(study, models, self.windows, transductive=TRANSDUCTIVE, **common, **settings)
        return keep_study(f"{self.name}, {table}".replace(",", ""), self.options, run)

    def compare(self, table, models):
        """Run and show models by the protocol without leaks."""
        study = self.run(table, leave_subjects_out, models, baselines=self.baselines)
        show(f"{self.name}, {table}", {LEAK_FREE: study}, self.options)


class Encoders:
    """Encoders that are pre-trained on the corpus when they are first needed."""

    def __init__(self, options):
        self.options = options
        self.size = SIZES[options.size]
        self._corpus = None

    @property
    def corpus(self):
        """The windows of the corpus."""
        if self._corpus is None:
            recordings = datasets.load_empatica_corpus(self.options.corpus)
            windows = PREPROCESSOR.make_windows(recordings, self.size["corpus_step"])
            self._corpus = name_subjects(windows, self.options.corpus.name)
        return self._corpus

    def get(self, name="published network", modalities=MODALITIES, n_people=None, **settings):
        """Return an encoder of some modalities, trained on some people, with other settings."""
        if self.options.weights and name == "published network":
            return wu2023.load_wu2023(self.options.weights)
        pretrain = partial(self._pretrain, modalities, n_people, settings)
        return keep_encoder(name, self.options, pretrain)

    def _pretrain(self, modalities, n_people, settings):
        encoder = SSLEncoder(**self.size["encoder"], random_state=self.options.seed)
        encoder.set_params(device=self.options.device, **settings)
        windows = self.corpus
        if n_people is not None:
            windows = windows.select(np.isin(windows.groups, self.draw_people()[:n_people]))
        return encoder.fit(take(windows.X, modalities), groups=windows.groups)

    def draw_people(self):
        """Return the people of the corpus in random order."""
        rng = np.random.default_rng(self.options.seed)
        return rng.permutation(np.unique(self.corpus.groups))


def take(X, modalities):
    """Return windows of some modalities: an array if it is only one."""
    if len(modalities) == 1:
        return X[modalities[0]]
    return SignalDict({name: X[name] for name in modalities})


def main():
    options = parse_options()
    folders = find_folders(options.data, READERS)
    open_output(options)
    encoders = Encoders(options)
    for task in cut_tasks(folders, options):
        print(f"\n{task.name}: {task.windows}", flush=True)
        for table in options.tables:
            TABLES[table](task, encoders)


def parse_options():
    parser = make_parser(__doc__, TABLES, SIZES)
    parser.add_argument("--corpus", type=Path, help="folder of Empatica E4 sessions of others")
    parser.add_argument("--weights", type=Path, help="checkpoint published by Wu et al.")
    options = parser.parse_args()
    needs_no_corpus = {"scores", "few labels"}.issuperset(options.tables)
    if options.corpus is None and not (options.weights and needs_no_corpus):
        parser.error("give a --corpus to pre-train on, or --weights for scores and few labels")
    return options


def cut_tasks(folders, options):
    """Yield the tasks of all data sets."""
    size = SIZES[options.size]
    for data_set, folder in folders.items():
        recordings = getattr(datasets, READERS[data_set])(folder, signals=MODALITIES)
        people = sorted({recording.subject for recording in recordings})[: size.get("people")]
        recordings = [recording for recording in recordings if recording.subject in people]
        training = size.get("training") or wu2023.CLASSIFICATION[SETTINGS[data_set]]
        for task, labels in TASKS[data_set].items():
            name = f"{data_set}, {task}"
            if is_chosen(name, options):
                labels = {"label": labels, **STAGES.get(data_set, {})}
                windows = PREPROCESSOR.make_windows(recordings, size["step"], labels=labels)
                windows = name_subjects(windows, data_set)
                baselines = make_baselines(windows, recordings)
                yield Task(name, windows, baselines, training, options)


def compare_uses(task, encoders):
    nets = task.make_nets(encoders.get())
    leak_free = task.run("scores", leave_subjects_out, nets, baselines=task.baselines)
    best = task.run("best epoch", best_test_epoch, nets)
    studies = {LEAK_FREE: leak_free, BEST_EPOCH: best}
    show(f"{task.name}, scores", studies, task.options, PUBLISHED.get(task.name, UNKNOWN))
    print("Accuracy, mean of batches, on each test person; only 'last epoch' is not chosen on them")
    print(tabulate_epochs(best).to_string(index=False, float_format="{:.3f}".format), flush=True)


def compare_few_labels(task, encoders):
    nets, size = task.make_nets(encoders.get()), encoders.size
    cheap = {name: model for name, model in task.baselines.items() if "forest" in name}
    how = {"fractions": size["fractions"], "baselines": cheap}
    study = task.run("few labels", label_efficiency, nets, **how)
    show(f"{task.name}, few labels", {LEAK_FREE: study}, task.options)


def compare_modalities(task, encoders):
    models = {}
    for left_out in MODALITIES:
        others = tuple(name for name in MODALITIES if name != left_out)
        for modalities in ((left_out,), others):
            name = " + ".join(modalities)
            nets = task.make_nets(encoders.get(name, modalities))
            X = take(task.windows.X, modalities)
            models |= {f"{use}, {name}": (net, X) for use, net in nets.items()}
    task.compare("modalities", models)


def compare_transforms(task, encoders):
    models = {}
    for left_out in TRANSFORMS:
        name = f"without {type(left_out).__name__}"
        others = [transform for transform in TRANSFORMS if transform is not left_out]
        nets = task.make_nets(encoders.get(name, pretext__transforms=others))
        models |= {f"{use}, {name}": nets[use] for use in ("F frozen", "T fine-tuned")}
    task.compare("transforms", models)


def compare_networks(task, encoders):
    changes = {"batch norm": {"module__norm": "batch"}, "no TCN": {"module__n_blocks": 0}}
    models = {}
    for name, change in changes.items():
        nets = task.make_nets(encoders.get(name, **change))
        models |= {f"{use}, {name}": net for use, net in nets.items()}
    task.compare("network", models)


def compare_fusion(task, encoders):
    single = {name: task.make_nets(encoders.get(name, (name,))) for name in MODALITIES}
    joint = task.make_nets(encoders.get())
    models = {f"{use}, one network of all": net for use, net in joint.items()}
    for use in joint:
        parts = [(name, make_pipeline(SelectModality(name), single[name][use])) for name in single]
        models[f"{use}, mean of probabilities"] = VotingClassifier(parts, voting="soft")
    task.compare("fusion", models)


def compare_corpora(task, encoders):
    n_all = len(encoders.draw_people())
    numbers = sorted({max(1, round(n_all * fraction)) for fraction in (1 / 8, 1 / 4, 1 / 2, 1)})
    models = {}
    for n_people in numbers:
        name = f"pre-trained on {n_people} of {n_all} people"
        nets = task.make_nets(encoders.get(name, n_people=n_people))
        models |= {f"{use}, {name}": nets[use] for use in ("F frozen", "T fine-tuned")}
    task.compare("corpus", models)


TABLES = {
    "scores": compare_uses,
    "few labels": compare_few_labels,
    "modalities": compare_modalities,
    "transforms": compare_transforms,
    "network": compare_networks,
    "fusion": compare_fusion,
    "corpus": compare_corpora,
}


if __name__ == "__main__":
    main()
