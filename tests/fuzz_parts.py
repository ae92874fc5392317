"""Valid calls of every public estimator and function, and odd values for each argument."""

import inspect
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import physio_ssl as ps
from physio_ssl import (
    Recording,
    SignalDict,
    SSLEncoder,
    StageLabels,
    Windows,
    datasets,
    evaluation,
    functional,
    leakage,
    networks,
    plotting,
    preprocessing,
    pretext,
    quality,
    transforms,
)

ODD = {
    "None": None,
    "-1": -1,
    "0": 0,
    "0.5": 0.5,
    "nan": np.nan,
    "inf": np.inf,
    "1e-300": 1e-300,
    "2**70": 2**70,
    "1j": 1j,
    "True": True,
    "no text": "",
    "text": "x",
    "bytes": b"x",
    "[]": [],
    "{}": {},
    "[None]": [None],
    "['x', 1]": ["x", 1],
    "{'x': 1}": {"x": 1},
    "object": object(),
    "type": int,
    "function": len,
    "empty array": np.zeros(0),
    "scalar array": np.array(1.0),
    "4-D": np.zeros((2, 3, 4, 5)),
    "texts": np.array([["a", "b"]]),
    "objects": np.array([[None, {}]], dtype=object),
}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 1, 64))
Y = np.tile([0, 1], 4)
GROUPS = np.repeat(["S1", "S2", "S3", "S4"], 2)
SIGNALS = SignalDict(bvp=X, eda=RNG.normal(size=(8, 1, 16)))
INFO = pd.DataFrame({"subject": GROUPS, "label": Y, "recording": np.repeat([0, 1, 2, 3], 2)})
INFO["onset"] = np.tile([0.0, 8.0], 4)
WINDOWS = Windows(SIGNALS, INFO, 8, {"bvp": 8, "eda": 2})
OTHERS = Windows({k: x[::-1] ** 3 for k, x in SIGNALS.items()}, INFO, 8, {"bvp": 8, "eda": 2})
TABLE = Windows(X[:, 0, :3], INFO)
STAGES = {"onset": [0, 8], "duration": [8, 8], "description": ["a", "b"]}
RECORDINGS = [
    Recording({"bvp": RNG.normal(size=128), "eda": RNG.normal(size=32)}, WINDOWS.sampling_rate, s)
    for s in ("S1", "S2", "S3", "S4")
]
STAGED = Recording({"bvp": RNG.normal(size=128)}, {"bvp": 8}, "S1", STAGES)
FRAME = pd.DataFrame(
    {"bvp": RNG.normal(size=128)}, pd.date_range("2026", periods=128, freq="125ms")
)
RATED = {"time": np.arange(16.0), "arousal": np.arange(16.0)}
SMALL = {"module__d_model": 8, "max_epochs": 1, "random_state": 0}
MODEL = LogisticRegression()
NETWORK = networks.MultimodalTransformer({"a": 1}, {"a": 64}, d_model=8)
FLAT = make_pipeline(ps.ChannelStatistics(), MODEL)
PREPROCESSOR = {
    "steps": {"bvp": [preprocessing.Standardize()]},
    "output_sampling_rate": {"bvp": 8},
    "duration": 8,
}


def use(cls, X=X, y=Y, groups=None, **params):
    """Fit an estimator and apply it."""
    estimator = cls(**params)
    fitted = estimator.fit(X, y) if groups is None else estimator.fit(X, y, groups=groups)
    return (fitted.transform if hasattr(fitted, "transform") else fitted.predict)(X)


def use_preprocessor(make, recordings, step=4, **params):
    return make(**params).make_windows(recordings, step)


def train(module, X=X, **params):
    """Train an encoder with this network."""
    return SSLEncoder(module, max_epochs=1, **{f"module__{k}": v for k, v in params.items()}).fit(X)


def train_on(task, windows=None, **params):
    return SSLEncoder(pretext=task(**params), **SMALL).fit(X, windows=windows)


def assign(cls, recording, **params):
    return ps.make_windows(recording, 8, 4, labels=cls(**params))


def build_head(head=networks.ClassificationHead, **params):
    """Build a head, and train it."""
    head = ps.HeadClassifier(
        min_steps=1, max_epochs=1, **{f"head__{k}": v for k, v in params.items()}
    )
    return head.fit(X[:, 0], Y)


def resume(encoder, X, folder, groups=None, sampling_weight=None):
    """Train a copy, as ``fit_resumable`` trains the encoder that it gets."""
    weights = {"groups": groups, "sampling_weight": sampling_weight}
    return ps.fit_resumable(clone(encoder, safe=False), X, folder, **weights)


def draw(plot, **kwargs):
    """Draw a figure, and close it."""
    try:
        return plot(**kwargs)
    finally:
        plt.close("all")


def display(plot, **kwargs):
    return partial(draw, plot), kwargs


def estimator(cls, **params):
    return partial(use, cls), {"X": X, **params}


def list_arguments(function, kwargs):
    """Return the names of the arguments to replace: those given, and those with a default."""
    cls = function.args[0] if isinstance(function, partial) else function
    found = inspect.signature(cls).parameters.values()
    named = [p.name for p in found if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    return list(dict.fromkeys([*kwargs, *named]))


QUICK = {"baselines": False, "added_value": False}
STUDY = {"models": MODEL, "windows": TABLE, **QUICK}
BEATS = {
    "y": Y,
    "probability": np.stack([1 - Y * 0.5, Y * 0.5], axis=1),
    "onset": INFO["onset"].to_numpy(),
    "subject": GROUPS,
}
ECG = RNG.normal(size=(4, 1, 1280))
TIMES = np.arange(1280) / 128
HEARTBEATS = np.exp(-(((TIMES % 0.8 - 0.4) / 0.02) ** 2)) + 0.01 * ECG[0]
ECG_RECORDING = Recording({"ecg": HEARTBEATS}, {"ecg": 128}, "S1")
RESULTS = evaluation.leave_subjects_out({"a": MODEL, "b": DummyClassifier()}, TABLE, **QUICK)
ELSEWHERE = replace(TABLE, info=INFO.assign(subject="T" + INFO["subject"]))
AGAIN = evaluation.leave_subjects_out({"a": MODEL, "b": DummyClassifier()}, ELSEWHERE, **QUICK)
EFFICIENCY = evaluation.label_efficiency(MODEL, TABLE, n_subjects=(1, 2), n_repeats=1, **QUICK)
ENCODER = SSLEncoder(pretext=pretext.MaskedPrediction(mask_length=4), **SMALL).fit(X)
CASES = {
    "HandcraftedFeatures": estimator(ps.HandcraftedFeatures, sampling_rate=8, missing=0.0),
    "ChannelStatistics": estimator(ps.ChannelStatistics),
    "HeadClassifier": estimator(
        ps.HeadClassifier, X=X[:, 0], y=Y, groups=GROUPS, min_steps=1, max_epochs=1
    ),
    "HeadRegressor": estimator(
        ps.HeadRegressor, X=X[:, 0], y=X[:, 0, 0], groups=GROUPS, min_steps=1, max_epochs=1
    ),
    "SSLClassifier": estimator(
        ps.SSLClassifier, encoder=SSLEncoder(**SMALL), y=Y, groups=GROUPS, min_steps=1, max_epochs=1
    ),
    "SSLRegressor": estimator(
        ps.SSLRegressor,
        encoder=SSLEncoder(**SMALL),
        y=X[:, 0, 0],
        groups=GROUPS,
        min_steps=1,
        max_epochs=1,
    ),
    "SSLEncoder": estimator(SSLEncoder, groups=GROUPS, **SMALL),
    "PerModality": estimator(
        ps.PerModality, X=SIGNALS, transformers={"bvp": preprocessing.Standardize()}
    ),
    "SelectModality": estimator(ps.SelectModality, X=SIGNALS, name="bvp"),
    "LinearProbe": estimator(evaluation.LinearProbe, X=X[:, 0], y=Y, groups=GROUPS),
    "LinearProbeRegressor": estimator(
        evaluation.LinearProbeRegressor, X=X[:, 0], y=X[:, 0, 0], groups=GROUPS
    ),
    "BandpassFilter": estimator(preprocessing.BandpassFilter, low=0.5, high=2.0, sampling_rate=8),
    "LowpassFilter": estimator(preprocessing.LowpassFilter, high=2.0, sampling_rate=8),
    "Clip": estimator(preprocessing.Clip, low=-1, high=1),
    "Detrend": estimator(preprocessing.Detrend),
    "HeartRateChannels": estimator(preprocessing.HeartRateChannels, sampling_rate=32),
    "NormalScores": estimator(preprocessing.NormalScores),
    "Resample": estimator(preprocessing.Resample, sampling_rate=8, new_sampling_rate=4),
    "SlopeChannels": estimator(
        preprocessing.SlopeChannels, sampling_rate=8, smoothing=1.0, window=2.0
    ),
    "Standardize": estimator(preprocessing.Standardize),
    **{
        name: estimator(getattr(transforms, name), **kwargs)
        for name, kwargs in {
            "CropResize": {"random_state": 0},
            "GaussianNoise": {"random_state": 0},
            "MagnitudeWarp": {"random_state": 0},
            "Permutation": {"random_state": 0},
            "TimeWarp": {"random_state": 0},
            "CircularShift": {"random_state": 0},
            "RandomScaling": {"random_state": 0},
            "TimeMask": {"random_state": 0},
            "RandomApply": {"signal_transform": transforms.Negation(), "random_state": 0},
            "Negation": {},
            "Scaling": {},
            "TimeReverse": {},
        }.items()
    },
    **{
        name: (getattr(transforms, name), {"X": X, "rng": np.random.default_rng(0)})
        for name in (
            "crop_resize",
            "gaussian_noise",
            "magnitude_warp",
            "negation",
            "permutation",
            "scaling",
            "time_reverse",
            "time_warp",
            "circular_shift",
            "random_scaling",
            "time_mask",
        )
    },
    "bandpass": (functional.bandpass, {"X": X, "low": 0.5, "high": 2.0, "sampling_rate": 8}),
    "lowpass": (functional.lowpass, {"X": X, "high": 2.0, "sampling_rate": 8}),
    "clip": (functional.clip, {"X": X, "low": -1, "high": 1}),
    "detrend": (functional.detrend, {"X": X}),
    "normal_scores": (functional.normal_scores, {"X": X}),
    "resample": (functional.resample, {"X": X, "sampling_rate": 8, "new_sampling_rate": 4}),
    "standardize": (functional.standardize, {"X": X}),
    "SignalDict": (lambda signals: SignalDict(signals), {"signals": {"bvp": X}}),
    "Windows": (Windows, {"X": X, "info": INFO}),
    "Recording": (
        Recording,
        {"signals": {"bvp": X[:1]}, "sampling_rate": {"bvp": 8}, "subject": "S1"},
    ),
    "Recording.from_dataframe": (Recording.from_dataframe, {"df": FRAME, "subject": "S1"}),
    "Recording.to_dataframe": (STAGED.to_dataframe, {}),
    "Recording.from_mne": (Recording.from_mne, {"raw": STAGED.to_mne()}),
    "Recording.to_mne": (STAGED.to_mne, {}),
    "make_windows": (ps.make_windows, {"recordings": RECORDINGS, "duration": 8}),
    "StageLabels": (
        partial(assign, StageLabels),
        {"recording": STAGED, "classes": {"a": 0, "b": 1}},
    ),
    "RatingLabels": (
        partial(assign, ps.RatingLabels),
        {
            "recording": Recording({"bvp": np.arange(128.0)}, {"bvp": 8}, "S1", RATED),
            "scale": "arousal",
        },
    ),
    "concatenate_windows": (ps.concatenate_windows, {"corpora": {"a": WINDOWS}}),
    "corpus_weights": (ps.corpus_weights, {"corpus": ["a", "b"]}),
    "Preprocessor": (
        partial(use_preprocessor, preprocessing.Preprocessor),
        {"recordings": RECORDINGS, **PREPROCESSOR},
    ),
    "wristband_preprocessor": (
        partial(use_preprocessor, preprocessing.wristband_preprocessor),
        {"recordings": RECORDINGS, "duration": 8, "modalities": ("bvp",)},
    ),
    "ecg_preprocessor": (
        partial(use_preprocessor, preprocessing.ecg_preprocessor),
        {
            "recordings": [ECG_RECORDING],
            "duration": 2,
        },
    ),
    "drop_poor_ecg": (
        quality.drop_poor_ecg,
        {"windows": ps.make_windows(ECG_RECORDING, 4), "recordings": [ECG_RECORDING]},
    ),
    "find_poor_ecg": (quality.find_poor_ecg, {"X": ECG, "sampling_rate": 128}),
    "find_poor_ppg": (quality.find_poor_ppg, {"X": ECG, "sampling_rate": 128}),
    "find_poor_eda": (quality.find_poor_eda, {"X": X, "sampling_rate": 8, "temp": X}),
    "describe": (ps.describe, {"recordings": RECORDINGS}),
    "measure_quality": (quality.measure_quality, {"recording": RECORDINGS[0]}),
    "add_quality": (quality.add_quality, {"windows": WINDOWS, "recordings": RECORDINGS}),
    "drop_poor": (
        quality.drop_poor,
        {"windows": quality.add_quality(WINDOWS, RECORDINGS), "least": {"bvp": 0.0}},
    ),
    "MaskedPrediction": (partial(train_on, pretext.MaskedPrediction), {"mask_length": 4}),
    "StatisticsPrediction": (partial(train_on, pretext.StatisticsPrediction), {"mask_length": 4}),
    "RecordingContrast": (partial(train_on, pretext.RecordingContrast), {"windows": WINDOWS}),
    "FeaturePrediction": (
        partial(train_on, pretext.FeaturePrediction),
        {"transformer": ps.ChannelStatistics()},
    ),
    "Combined": (
        partial(train_on, pretext.Combined),
        {"tasks": [pretext.StatisticsPrediction(mask_length=4)]},
    ),
    "TransformRecognition": (partial(train_on, pretext.TransformRecognition), {}),
    "MultiTaskRecognition": (partial(train_on, pretext.MultiTaskRecognition), {}),
    "MultimodalTransformer": (partial(train, networks.MultimodalTransformer), {"d_model": 8}),
    "ECGTransformer": (
        partial(train, networks.ECGTransformer),
        {"d_model": 8, "dim_feedforward": 8, "kernel_sizes": (3, 1), "n_filters": (4,)},
    ),
    "ResNet1d": (partial(train, networks.ResNet1d), {"widths": (4, 8)}),
    "ConvEncoder": (
        partial(train, networks.ConvEncoder),
        {"n_filters": (4, 8), "kernel_sizes": (2, 1), "pool_size": 1},
    ),
    "ClassificationHead": (
        build_head,
        {"hidden_sizes": (8, 4), "dropout": 0.1, "standardize": True},
    ),
    "simulate_wristband": (
        datasets.simulate_wristband,
        {"n_subjects": 1, "n_blocks": 1, "stage_duration": 20.0, "random_state": 0},
    ),
    "audit_leakage": (leakage.audit_leakage, {"windows": TABLE, "models": MODEL}),
    "leave_subjects_out": (evaluation.leave_subjects_out, STUDY),
    "label_efficiency": (
        evaluation.label_efficiency,
        {**STUDY, "n_subjects": (1, "all"), "n_repeats": 1},
    ),
    "leave_datasets_out": (
        evaluation.leave_datasets_out,
        {"models": FLAT, "datasets": {"a": WINDOWS, "b": OTHERS}, **QUICK},
    ),
    "make_baselines": (evaluation.make_baselines, {"windows": WINDOWS, "recordings": RECORDINGS}),
    "position_matched_auroc": (
        evaluation.position_matched_auroc,
        {**BEATS, "n_resamples": 20},
    ),
    "audit_confounds": (
        evaluation.audit_confounds,
        {"windows": TABLE, "n_resamples": 20},
    ),
    "check_network": (
        networks.check_network,
        {"network": networks.MultimodalTransformer({"a": 1}, {"a": 64}, d_model=8)},
    ),
    "check_pretext": (pretext.check_pretext, {"pretext": pretext.MaskedPrediction()}),
    "save_encoder": (ps.save_encoder, {"encoder": ENCODER, "path": "x.safetensors"}),
    "load_encoder": (ps.load_encoder, {"path": "wristband-small"}),
    "load_wu2023": (ps.load_wu2023, {"path": "no file"}),
    "open_windows": (ps.open_windows, {"folder": "no folder"}),
    "fit_resumable": (
        resume,
        {"encoder": SSLEncoder(**SMALL), "X": X, "folder": "checkpoints"},
    ),
    "reconstruct_masked": (
        evaluation.reconstruct_masked,
        {"encoder": ENCODER, "X": X},
    ),
    "pool_studies": (
        evaluation.pool_studies,
        {"studies": {"x": RESULTS, "y": AGAIN}, "estimator": "a", "other": "b", "n_resamples": 20},
    ),
    "SubjectScoresDisplay": display(plotting.SubjectScoresDisplay.from_results, results=RESULTS),
    "SubjectConfusionDisplay": display(
        plotting.SubjectConfusionDisplay.from_results, results=RESULTS, estimator="a"
    ),
    "LabelEfficiencyDisplay": display(
        plotting.LabelEfficiencyDisplay.from_results, results=EFFICIENCY
    ),
    "PretrainingCurveDisplay": display(
        plotting.PretrainingCurveDisplay.from_encoder, encoder=ENCODER
    ),
    "EmbeddingDisplay": display(
        plotting.EmbeddingDisplay.from_estimator, encoder=ENCODER, X=X, y=Y, groups=GROUPS
    ),
    "RecordingDisplay": display(
        plotting.RecordingDisplay.from_recording, recording=RECORDINGS[0], signals=["bvp"]
    ),
    "ConfoundsDisplay": display(
        plotting.ConfoundsDisplay.from_report,
        report=evaluation.audit_confounds(TABLE, n_resamples=20),
    ),
    **{
        name: (getattr(datasets, name), {"path": "no folder"})
        for name in datasets.__all__
        if name.startswith("load_")
        and name not in ("load_ascertain", "load_csv", "load_example_wristband")
    },
    "Cache": (datasets.Cache, {"folder": "cache"}),
    "get_data_home": (datasets.get_data_home, {"data_home": "data"}),
    "load_csv": (
        datasets.load_csv,
        {"path": "no folder", "time": "time", "signals": {"eda": "eda"}},
    ),
    "load_ascertain": (datasets.load_ascertain, {"path": "no folder", "sampling_rate": 256}),
}
# What nobody calls: it has no arguments to try.
NO_CASE = {
    "TokenNetwork": "an abstract base class: check_network tries its children",
    "Pretext": "an abstract base class: check_pretext tries its children",
    "Description": "made by describe",
    "ConfoundReport": "made by audit_confounds",
    "Reconstruction": "made by reconstruct_masked",
    "StudyResults": "made by studies",
    "Leak": "made by audit_leakage",
    "LeakageReport": "made by audit_leakage",
    "LeakageError": "raised by audit_leakage",
    "LeakKind": "an Enum",
    "load_example_wristband": "it has no arguments",
    "vazquez2022": "a module",
    "wu2023": "a module",
    **{name: "it downloads" for name in datasets.__all__ if name.startswith("fetch_")},
}
# Calls of these train a network or run a study: fewer of their arguments are tried each time.
SLOW = (
    "SSLClassifier",
    "SSLRegressor",
    "SSLEncoder",
    "audit_confounds",
    "fit_resumable",
    "label_efficiency",
    "leave_datasets_out",
    "leave_subjects_out",
    "MultiTaskRecognition",
    "simulate_wristband",
    "EmbeddingDisplay",
)
