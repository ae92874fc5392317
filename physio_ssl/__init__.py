"""Self-supervised learning on wearable signals, behind the scikit-learn API."""

from importlib import import_module

__version__ = "0.1.0.dev0"

# Imported on first use, so that no one waits for torch or neurokit2 without need.
_PUBLIC_NAMES = {
    "ChannelStatistics": "features",
    "HandcraftedFeatures": "features",
    "HeadClassifier": "head_classifier",
    "HeadRegressor": "regressor",
    "PerModality": "compose",
    "RatingLabels": "windows",
    "Recording": "containers",
    "SSLClassifier": "classifier",
    "SSLEncoder": "encoder",
    "SSLRegressor": "regressor",
    "SelectModality": "compose",
    "SignalDict": "containers",
    "StageLabels": "windows",
    "Windows": "windows",
    "concatenate_windows": "windows",
    "corpus_weights": "windows",
    "describe": "quality",
    "fit_resumable": "persistence",
    "load_encoder": "persistence",
    "load_wu2023": "published.wu2023",
    "make_windows": "windows",
    "open_windows": "windows",
    "save_encoder": "persistence",
}
_PUBLIC_MODULES = {
    "datasets",
    "evaluation",
    "functional",
    "leakage",
    "networks",
    "plotting",
    "preprocessing",
    "pretext",
    "published",
    "quality",
    "transforms",
}

__all__ = sorted({*_PUBLIC_NAMES, *_PUBLIC_MODULES})


def __getattr__(name):
    if name in _PUBLIC_NAMES:
        return getattr(import_module(f".{_PUBLIC_NAMES[name]}", __name__), name)
    if name in _PUBLIC_MODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
