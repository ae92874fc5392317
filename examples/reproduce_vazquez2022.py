"""The tables of Vazquez-Rodriguez et al. (2022) on your data.

    python examples/reproduce_vazquez2022.py --data DATA
    python examples/reproduce_vazquez2022.py --data DATA --quick    # minutes; no result

DATA holds the folders ASCERTAIN, DREAMER, PsPM and AMIGOS, or some of them with AMIGOS; PsPM holds
one folder for each of its sets, or their files. An ``ECGTransformer`` is pre-trained by masked
prediction on the ECG of all sets, and fine-tuned to high or low arousal or valence on AMIGOS.

- scores: the network pre-trained and from scratch, and the frozen network of Sarkar & Etemad,
  beside baselines without a network and the published numbers
- aggregation: the CLS token, or the mean, the maximum or the last of the others
- corpus: more or fewer people to pre-train on

Each is scored by the protocol of the paper, ten folds of shuffled windows, and by subject: ten
folds of people. As in the paper, AMIGOS is part of the pre-training, also the ECG of people who are
tested later; the rows "without AMIGOS" are of an encoder that has not seen them.

``--size published`` has the published network and training, as far as they are known, which need a
GPU (``--device cuda``). The output folder keeps encoders and studies: the same command continues
from there. For other data, give another folder.
"""

import copy
from functools import partial

import numpy as np
from paper_tables import (
    LEAK_FREE,
    SHUFFLED,
    find_folders,
    is_chosen,
    keep_encoder,
    keep_study,
    make_parser,
    open_output,
    show,
)
from published_protocols import shuffled_windows
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from study_wristband import name_subjects

from physio_ssl import (
    HeadClassifier,
    RatingLabels,
    SSLClassifier,
    SSLEncoder,
    concatenate_windows,
)
from physio_ssl.datasets import load_amigos, load_ascertain, load_dreamer, load_pspm
from physio_ssl.evaluation import leave_subjects_out, make_baselines
from physio_ssl.networks import ConvEncoder
from physio_ssl.preprocessing import ecg_preprocessor
from physio_ssl.pretext import MaskedPrediction, MultiTaskRecognition
from physio_ssl.published import vazquez2022

ALL, WITHOUT = "all sets", "without AMIGOS"
SEEN = f"{LEAK_FREE}, but pre-trained on their ECG"
PREPROCESSOR = ecg_preprocessor()
SIZES = {  # settings of encoder, classifier, and network of Sarkar & Etemad; number of people
    "published": {
        "encoder": vazquez2022.PRETRAINING,
        "training": {},
        "conv": {"max_epochs": 30, "batch_size": 128},
        "head": {"max_epochs": 200, "batch_size": 128},
    },
    "small": {
        "encoder": {
            **vazquez2022.PRETRAINING,
            "module__patch_size": 16,
            "pretext": MaskedPrediction(mask_prob=0.01, mask_length=64),
            "max_epochs": 10,
        },
        "training": {"max_epochs": 5, "min_steps": 400},
        "conv": {"max_epochs": 2, "pretext__n_views": 1},
        "head": {},
    },
    "quick": {
        "encoder": {
            **vazquez2022.PRETRAINING,
            "module__patch_size": 32,
            "module__d_model": 8,
            "module__dim_feedforward": 8,
            "module__n_filters": (4, 4),
            "max_epochs": 1,
        },
        "training": {"max_epochs": 1},
        "conv": {
            "module__n_filters": (4, 8),
            "module__kernel_sizes": (32, 8),
            "pretext__n_views": 1,
            "max_epochs": 1,
        },
        "head": {"max_epochs": 1, "min_steps": 0},
        "people": 4,
    },
}
HEAD = {  # of Sarkar & Etemad on AMIGOS
    "head__hidden_sizes": (512, 512, 512),
    "head__dropout": 0.4,
    "head__standardize": False,
    "head__batch_norm": False,
}
UNVERIFIED = "unverified; 10 folds of shuffled windows"
PUBLISHED = {
    "arousal": [
        ("pre-trained, accuracy", 0.88, np.nan, "second-hand; 10 folds of shuffled windows"),
        ("pre-trained, F1", np.nan, 0.87, UNVERIFIED),
        ("Sarkar & Etemad", 0.85, np.nan, "second-hand; 10 folds of shuffled windows"),
        ("from scratch", np.nan, np.nan, "below pre-trained; number not known to us"),
    ],
    "valence": [
        ("pre-trained", 0.83, 0.83, UNVERIFIED),
        ("from scratch", np.nan, np.nan, "below pre-trained; number not known to us"),
    ],
}


def load_pspm_sets(folder):
    """Return the recordings of the sets in a folder; files of two sets may have one name."""
    sets = sorted(path for path in folder.iterdir() if path.is_dir())
    if not sets:
        return {"PsPM": load_pspm(folder)}
    return {path.name: load_pspm(path) for path in sets}


def find_amigos(folder):
    inner = folder / "data_preprocessed"
    return inner if inner.is_dir() else folder


READERS = {
    "ASCERTAIN": lambda folder: {"ASCERTAIN": load_ascertain(folder, sampling_rate=256)},
    "DREAMER": lambda folder: {"DREAMER": load_dreamer(folder / "DREAMER.mat")},
    "PsPM": load_pspm_sets,
    "AMIGOS": lambda folder: {"AMIGOS": load_amigos(find_amigos(folder))},
}


def main():
    options = make_parser(__doc__, TABLES, SIZES).parse_args()
    folders = find_folders(options.data, READERS)
    if "AMIGOS" not in folders:
        raise SystemExit(f"{options.data} must hold AMIGOS, which has the labels.")
    open_output(options)
    size = SIZES[options.size]
    sets = {}
    for name, folder in folders.items():
        sets |= {key: choose(found, size) for key, found in READERS[name](folder).items()}
    encoders = Encoders(sets, options)
    for scale in PUBLISHED:
        if is_chosen(scale, options):
            task = Task(scale, sets["AMIGOS"], options)
            print(f"\n{task.name}: {task.windows}", flush=True)
            for table in options.tables:
                TABLES[table](task, encoders)


def choose(recordings, size):
    people = sorted({recording.subject for recording in recordings})[: size.get("people")]
    return [recording for recording in recordings if recording.subject in people]


class Encoders:
    """Encoders that are pre-trained when they are first needed."""

    def __init__(self, sets, options):
        self.options, self.size = options, SIZES[options.size]
        corpora = {name: PREPROCESSOR.make_windows(found) for name, found in sets.items()}
        self.windows = {ALL: concatenate_windows(corpora)}
        if len(corpora) > 1:
            del corpora["AMIGOS"]
            self.windows[WITHOUT] = concatenate_windows(corpora)
        else:
            print(f"AMIGOS is the only set, so there are no rows {WITHOUT!r}.")

    def get(self, corpus, kind="encoder", n_people=None):
        """Return the encoder, or that of Sarkar & Etemad ("conv"), of a corpus or some people."""
        windows, name = self.windows[corpus], f"{kind}, {corpus}"
        if n_people is not None:
            people = np.random.default_rng(self.options.seed).permutation(np.unique(windows.groups))
            windows = windows.select(np.isin(windows.groups, people[:n_people]))
            name += f", {n_people} people"
        settings = {"random_state": self.options.seed, "device": self.options.device}
        if kind == "conv":
            settings |= {"module": ConvEncoder, "pretext": MultiTaskRecognition}
        encoder = SSLEncoder(**settings, **self.size[kind])
        fit = partial(encoder.fit, windows.X, groups=windows.groups)
        return keep_encoder(name, self.options, fit)


class Task:
    """High or low ratings of one scale, divided at their mean over AMIGOS."""

    def __init__(self, scale, recordings, options):
        mean = np.nanmean([recording.annotations[scale][0] for recording in recordings])
        labels = RatingLabels(scale, bins=[float(mean)])
        self.name, self.scale, self.options = f"AMIGOS, {scale}", scale, options
        windows = PREPROCESSOR.make_windows(recordings, labels=labels)
        self.windows = name_subjects(windows, "AMIGOS")
        self.baselines = make_baselines(self.windows, recordings)

    def make_net(self, encoder, mode="fine_tuned"):
        training = {**vazquez2022.CLASSIFICATION, **SIZES[self.options.size]["training"]}
        return SSLClassifier(FrozenEstimator(encoder), mode, **training, device=self.options.device)

    def make_head(self, encoder):
        settings = {**HEAD, **SIZES[self.options.size]["head"], "device": self.options.device}
        return make_pipeline(FrozenEstimator(encoder), HeadClassifier(**settings))

    def compare(self, table, make_models, encoders, published=()):
        """Run and show the models that ``make_models(corpus)`` makes, by each protocol."""
        n_folds = min(10, len(np.unique(self.windows.groups)))
        by_subject = {"cv": GroupKFold(n_folds), "baselines": self.baselines}
        seen = "AMIGOS is part of the pre-training, as in the paper"
        protocols = {
            SHUFFLED: (shuffled_windows, ALL, {}),
            SEEN: (leave_subjects_out, ALL, {**by_subject, "pretrained_on_test_subjects": seen}),
            LEAK_FREE: (leave_subjects_out, WITHOUT, by_subject),
        }
        studies = {}
        for protocol, (study, corpus, settings) in protocols.items():
            if corpus in encoders.windows:
                run = partial(self._run, study, make_models, corpus, settings)
                name = f"{self.name}, {table}, {protocol}".replace(",", "")
                studies[protocol] = keep_study(name, self.options, run)
        show(f"{self.name}, {table}", studies, self.options, published)

    def _run(self, study, make_models, corpus, settings):
        return study(
            make_models(corpus),
            self.windows,
            transductive="each ECG is z-scored over all recordings of its person",
            n_jobs=self.options.n_jobs,
            random_state=self.options.seed,
            folder=self.options.output / "folds",
            **settings,
        )


def compare_training(task, encoders):
    def make_models(corpus):
        encoder, conv = encoders.get(corpus), encoders.get(corpus, "conv")
        return {
            "pre-trained": task.make_net(encoder),
            "from scratch": task.make_net(encoder, "supervised"),
            "Sarkar & Etemad": task.make_head(conv),
        }

    task.compare("scores", make_models, encoders, PUBLISHED[task.scale])


def compare_aggregations(task, encoders):
    def make_models(corpus):
        encoder = encoders.get(corpus)
        return {
            kind: task.make_net(embed_by(encoder, kind)) for kind in ("cls", "mean", "max", "last")
        }

    task.compare("aggregation", make_models, encoders)


def embed_by(encoder, kind):
    """Return a copy of an encoder with another embedding, which masked prediction never uses."""
    encoder = copy.deepcopy(encoder)
    encoder.module_.network.embedding = kind
    encoder.module__embedding = kind  # set_params would build a new network
    return encoder


def compare_corpora(task, encoders):
    def make_models(corpus):
        n_all, models = len(np.unique(encoders.windows[corpus].groups)), {}
        for n in sorted({max(1, round(n_all * part)) for part in (1 / 8, 1 / 4, 1 / 2, 1)}):
            models[f"pre-trained on {n} of {n_all} people"] = task.make_net(
                encoders.get(corpus, n_people=n)
            )
        return models

    task.compare("corpus", make_models, encoders)


TABLES = {
    "scores": compare_training,
    "aggregation": compare_aggregations,
    "corpus": compare_corpora,
}


if __name__ == "__main__":
    main()
