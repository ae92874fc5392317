"""scikit-learn's checks and the promises of this library, over every public estimator."""

import importlib
import inspect
import pickle
import pkgutil

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch import NeuralNet
from torch import nn

import physio_ssl
from physio_ssl import (
    ChannelStatistics,
    HandcraftedFeatures,
    HeadClassifier,
    HeadRegressor,
    PerModality,
    SelectModality,
    SSLClassifier,
    SSLEncoder,
    SSLRegressor,
)
from physio_ssl.evaluation import LinearProbe, LinearProbeRegressor
from physio_ssl.networks import (
    ConvEncoder,
    ECGTransformer,
    MultimodalTransformer,
    ResNet1d,
    TokenNetwork,
)
from physio_ssl.preprocessing import (
    BandpassFilter,
    Clip,
    Detrend,
    HeartRateChannels,
    LowpassFilter,
    NormalScores,
    Resample,
    SlopeChannels,
    Standardize,
)
from physio_ssl.pretext import (
    Combined,
    FeaturePrediction,
    MaskedPrediction,
    MultiTaskRecognition,
    StatisticsPrediction,
    TransformRecognition,
)
from physio_ssl.training import PretrainingNet
from physio_ssl.transforms import (
    CircularShift,
    CropResize,
    GaussianNoise,
    MagnitudeWarp,
    Negation,
    Permutation,
    RandomApply,
    RandomScaling,
    Scaling,
    TimeMask,
    TimeReverse,
    TimeWarp,
)

# Sizes that suit the data of scikit-learn's checks: windows of 1 to 10 samples.
NETWORKS = {
    MultimodalTransformer: {"d_model": 8, "kernel_size": 1},
    ECGTransformer: {
        "d_model": 8,
        "dim_feedforward": 8,
        "kernel_sizes": (3, 1),
        "n_filters": (4,),
    },
    ConvEncoder: {"n_filters": (4, 8), "kernel_sizes": (2, 1), "pool_size": 1},
    ResNet1d: {"widths": (4, 8), "kernel_size": 3, "stem_kernel_size": 3},
}
TASKS = [
    TransformRecognition([GaussianNoise(), Negation()]),
    MultiTaskRecognition([GaussianNoise(), Negation()]),
    MaskedPrediction(mask_length=2),
    StatisticsPrediction(mask_length=2),
    FeaturePrediction(ChannelStatistics(), views=[GaussianNoise()]),
    Combined([StatisticsPrediction(mask_length=2), FeaturePrediction(ChannelStatistics())]),
]


def make_encoder(network, task, **kwargs):
    sizes = {f"module__{name}": value for name, value in NETWORKS.get(network, {}).items()}
    return SSLEncoder(network, task, max_epochs=1, random_state=0, **sizes, **kwargs)


class Linear(TokenNetwork):
    """A network that keeps the order of samples, by which scikit-learn's checks define classes."""

    def __init__(self, n_channels, n_times, size=8):
        super().__init__(n_channels, n_times)
        self.token_width = dict.fromkeys(n_times, size)
        self.layers = nn.ModuleDict(
            {name: nn.Linear(n_channels[name] * n_times[name], size) for name in n_times}
        )

    def tokens(self, **signals):
        return {name: self.layers[name](x.flatten(1))[:, None] for name, x in signals.items()}


# An instance of every public estimator, or several if they behave differently; scikit-learn's
# checks also use constant windows.
INSTANCES = [
    BandpassFilter(0.1, 0.4, sampling_rate=1),
    ChannelStatistics(),
    CircularShift(),
    Clip(-1, 1),
    CropResize(n_pieces=1),
    Detrend(),
    GaussianNoise(),
    HandcraftedFeatures(sampling_rate=64, missing=0.0),
    LinearProbe(),
    LinearProbeRegressor(),
    HeadClassifier(max_epochs=10, lr=1e-2, random_state=0),
    HeadRegressor(max_epochs=10, lr=1e-2, random_state=0),
    HeartRateChannels(sampling_rate=64),
    LowpassFilter(0.2, sampling_rate=1, order=1),
    MagnitudeWarp(),
    Negation(),
    NormalScores(constant="zero"),
    PerModality([("signal", Standardize(constant="zero"))]),
    Permutation(n_pieces=1),
    RandomApply(Negation()),
    RandomScaling(),
    Resample(2, 3),
    SSLClassifier(make_encoder(Linear, TASKS[0]), max_epochs=10, lr=1e-2, random_state=0),
    SSLRegressor(make_encoder(Linear, TASKS[0]), max_epochs=10, lr=1e-2, random_state=0),
    *(make_encoder(network, TASKS[0]) for network in NETWORKS),
    Scaling(),
    SelectModality("signal"),
    SlopeChannels(sampling_rate=64, smoothing=0.1, window=0.1),
    Standardize(constant="zero"),
    TimeMask(),
    TimeReverse(),
    TimeWarp(n_pieces=2, stretch=1.5, squeeze=0.5),
]
FAILED_BY_SKORCH = {
    "check_no_attributes_set_in_init": "skorch keeps its keyword arguments in __init__",
    "check_sample_weight_equivalence_on_dense_data": "a repeated window is in several batches",
    "check_sample_weight_equivalence_on_sparse_data": "sparse features are refused",
}


def expected_failed_checks(estimator):
    return FAILED_BY_SKORCH if isinstance(estimator, NeuralNet) else {}


def walk_modules():
    """Yield the names of all public modules."""
    for module in pkgutil.walk_packages(physio_ssl.__path__, "physio_ssl."):
        if not any(part.startswith("_") for part in module.name.split(".")):
            yield module.name


def is_public_estimator(thing, module):
    return (
        inspect.isclass(thing)
        and issubclass(thing, BaseEstimator)
        and hasattr(thing, "fit")
        and thing.__module__ == module
        and not thing.__name__.startswith("_")
    )


def instance_id(estimator):
    return f"{type(estimator).__name__}{INSTANCES.index(estimator)}"


every_instance = pytest.mark.parametrize("estimator", INSTANCES, ids=instance_id)
transformers = [estimator for estimator in INSTANCES if hasattr(estimator, "transform")]
every_transformer = pytest.mark.parametrize("estimator", transformers, ids=instance_id)


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(12, 1, 64))


@pytest.fixture
def y():
    return np.tile([0, 1], 6)


def test_every_public_estimator_has_an_instance_here():
    tested = {type(estimator).__name__ for estimator in INSTANCES}
    public = {
        thing.__name__
        for module in walk_modules()
        for thing in vars(importlib.import_module(module)).values()
        if is_public_estimator(thing, module) and thing is not PretrainingNet
    }
    assert public <= tested


@parametrize_with_checks(INSTANCES, expected_failed_checks=expected_failed_checks)
def test_estimators_pass_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_scikit_learn_runs_its_checks_rather_than_skipping_them():
    for estimator in INSTANCES:
        assert get_tags(estimator).input_tags.two_d_array
        assert not get_tags(estimator).no_validation


@every_instance
def test_a_clone_has_the_parameters_and_is_not_fitted(estimator, X, y):
    fitted = clone(estimator).fit(X[:, 0], y)
    assert fitted.n_features_in_ == 64
    assert repr(clone(fitted)) == repr(estimator)
    assert not hasattr(clone(fitted), "n_features_in_")


@every_transformer
def test_a_pickled_transformer_gives_the_same(estimator, X, y):
    fitted = clone(estimator).fit(X, y)
    if get_tags(estimator).non_deterministic:
        fitted.set_params(random_state=0)
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.transform(X), fitted.transform(X))


@every_transformer
def test_the_input_is_left_alone(estimator, X, y):
    for windows in (X, X[:, 0]):
        before = windows.copy()
        clone(estimator).fit_transform(windows, y)
        np.testing.assert_array_equal(windows, before)


@every_transformer
def test_float32_windows_stay_float32(estimator, X, y):
    if "float32" not in get_tags(estimator).transformer_tags.preserves_dtype:
        pytest.skip("the tags do not promise it")
    assert clone(estimator).fit_transform(X.astype(np.float32), y).dtype == np.float32


@every_transformer
def test_windows_and_dimensions_are_kept(estimator, X, y):
    fitted = clone(estimator).fit(X, y)
    transformed = fitted.transform(X)
    assert len(transformed) == 12 and len(fitted.transform(X[:1])) == 1
    assert transformed.ndim in (2, 3)
    # two dimensions stay two, unless one channel became several, which need an axis
    several = transformed.ndim == 3 and transformed.shape[1] > 1
    assert clone(estimator).fit_transform(X[:, 0], y).ndim == (3 if several else 2)


@every_transformer
def test_two_dimensions_count_as_one_channel(estimator, X, y):
    if get_tags(estimator).non_deterministic:
        estimator = clone(estimator).set_params(random_state=0)
    from_three = clone(estimator).fit_transform(X, y)
    from_two = clone(estimator).fit_transform(X[:, 0], y)
    np.testing.assert_allclose(from_two, from_three.reshape(from_two.shape), atol=1e-6)


@every_transformer
def test_windows_are_treated_independently(estimator, X, y):
    if get_tags(estimator).non_deterministic:
        pytest.skip("its draws depend on a window's place in the batch")
    fitted = clone(estimator).fit(X, y)
    one_by_one = np.concatenate([fitted.transform(X[n : n + 1]) for n in range(12)])
    np.testing.assert_allclose(fitted.transform(X), one_by_one, atol=1e-6)


@every_instance
def test_estimators_work_in_cross_validation_by_subject(estimator, X, y):
    groups = np.repeat(["S1", "S2", "S3"], 4)
    takes_features = (HeadClassifier, HeadRegressor, LinearProbe, LinearProbeRegressor)
    X = X[:, 0] if isinstance(estimator, takes_features) else X
    if hasattr(estimator, "transform"):
        flatten = FunctionTransformer(lambda X: X.reshape(len(X), -1))
        estimator = make_pipeline(estimator, flatten, LogisticRegression())
    scores = cross_val_score(
        estimator, X, y, groups=groups, cv=LeaveOneGroupOut(), error_score="raise"
    )
    assert len(scores) == 3


def test_estimators_of_one_array_refuse_several_modalities(signals):
    several = (ChannelStatistics, HandcraftedFeatures, PerModality, SSLEncoder, SelectModality)
    for estimator in (e for e in transformers if not isinstance(e, several)):
        with pytest.raises(TypeError, match="one modality, got several"):
            clone(estimator).fit(signals)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_every_pretext_task_trains_every_network(task, X):
    for network in NETWORKS:
        if network is ConvEncoder and isinstance(task, MaskedPrediction):
            continue  # its tokens are no pieces of the window
        encoder = make_encoder(network, task)
        embedding = encoder.fit_transform(X)
        np.testing.assert_array_equal(clone(encoder).fit_transform(X), embedding)
        restored = pickle.loads(pickle.dumps(encoder))
        np.testing.assert_array_equal(restored.transform(X), embedding)


def test_no_instance_is_given_twice():
    settings = [f"{type(e).__name__}{e.get_params()}" for e in INSTANCES]  # repr leaves out some
    assert len(set(settings)) == len(settings)
