"""make_baselines: the models that an encoder has to beat."""

from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline


def make_baselines(sampling_rate, random_state=None):
    """Return the baselines that any study of wearable signals needs.

    Parameters
    ----------
    sampling_rate : float or mapping from str to float
        Sampling rate of the windows, in Hz, of each modality. Heart rate and its variability
        need the pulse at its native rate, not at 4 Hz.
    random_state : int, RandomState instance or None, default=None
        Seed of the random forest; None leaves it to the study.

    Returns
    -------
    dict from str to estimator
        "majority class", and "hand-crafted, random forest": ``HandcraftedFeatures`` and 300 trees.
    """
    from ..features import HandcraftedFeatures  # imports neurokit2

    return {
        "majority class": DummyClassifier(),
        "hand-crafted, random forest": make_pipeline(
            HandcraftedFeatures(sampling_rate),
            SimpleImputer(),
            RandomForestClassifier(300, class_weight="balanced", random_state=random_state),
        ),
    }
