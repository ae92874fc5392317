import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline

from physio_ssl import PerModality, SelectModality, SignalDict
from physio_ssl.preprocessing import BandpassFilter, Clip, Detrend, Resample, Standardize


class MeanAndSpread(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.n_channels_ = X.shape[1]
        return self

    def transform(self, X):
        return np.hstack([X.mean(axis=-1), X.std(axis=-1)])

    def get_feature_names_out(self, input_features=None):
        names = [f"{name}{n}" for name in ("mean", "std") for n in range(self.n_channels_)]
        return np.array(names, dtype=object)


class Channels(MeanAndSpread):
    def transform(self, X):
        return X[:2]


FEATURES = {name: MeanAndSpread() for name in ("acc", "eda", "bvp")}


def test_select_modality_gives_the_array(signals):
    assert SelectModality("acc").fit_transform(signals) is signals["acc"]
    assert SelectModality("eda").transform(signals) is signals["eda"]


def test_a_plain_array_is_the_modality_signal():
    for shape in ((5, 20), (5, 2, 20)):
        X = np.random.default_rng(0).normal(size=shape)
        np.testing.assert_array_equal(SelectModality("signal").fit_transform(X), X)
        transformed = PerModality({"signal": Detrend()}).fit_transform(X)
        np.testing.assert_array_equal(transformed, Detrend().fit_transform(X))


def test_an_unknown_modality_is_refused_with_the_known_ones(signals):
    for estimator in (SelectModality("ecg"), PerModality({"ecg": Detrend()})):
        with pytest.raises(ValueError, match="'ecg', only bvp, eda, acc"):
            estimator.fit(signals)
        with pytest.raises(ValueError, match="'ecg', only signal"):
            estimator.fit(np.zeros((3, 20)))


def test_select_modality_refuses_missing_samples():
    X = SignalDict(eda=[[1.0, np.nan]])
    with pytest.raises(ValueError, match="contains NaN"):
        SelectModality("eda").transform(X)


def test_per_modality_gives_each_transformer_its_modality(signals):
    transformed = PerModality({"bvp": Resample(64, 4), "acc": Standardize()}).fit_transform(signals)
    assert isinstance(transformed, SignalDict)
    np.testing.assert_array_equal(transformed["bvp"], Resample(64, 4).transform(signals["bvp"]))
    np.testing.assert_array_equal(transformed["acc"], Standardize().transform(signals["acc"]))


def test_per_modality_keeps_or_drops_the_others(signals):
    kept = PerModality({"acc": Detrend()}).fit_transform(signals)
    assert list(kept) == ["bvp", "eda", "acc"] and kept["bvp"] is signals["bvp"]
    dropped = PerModality({"acc": Detrend()}, remainder="drop").fit_transform(signals)
    assert list(dropped) == ["acc"]


def test_a_mapping_and_pairs_mean_the_same(signals):
    mapping = {"bvp": Detrend(), "eda": Standardize()}
    from_mapping = PerModality(mapping).fit_transform(signals)
    assert from_mapping == PerModality(list(mapping.items())).fit_transform(signals)


def test_features_are_concatenated_in_the_order_of_the_modalities(signals):
    features = PerModality(FEATURES).fit_transform(signals)
    one_by_one = [MeanAndSpread().transform(signals[name]) for name in ("bvp", "eda", "acc")]
    np.testing.assert_array_equal(features, np.hstack(one_by_one))


def test_the_order_of_features_is_that_of_fit(signals):
    per_modality = PerModality(FEATURES).fit(signals)
    other_order = SignalDict({name: signals[name] for name in reversed(list(signals))})
    np.testing.assert_array_equal(
        per_modality.transform(other_order), per_modality.transform(signals)
    )


def test_features_are_named_after_their_modality(signals):
    names = PerModality(FEATURES).fit(signals).get_feature_names_out()
    assert list(names[:3]) == ["bvp__mean0", "bvp__std0", "eda__mean0"]
    assert len(names) == 10


def test_features_can_become_a_data_frame(signals):
    per_modality = PerModality(FEATURES).set_output(transform="pandas")
    frame = per_modality.fit_transform(signals)
    assert list(frame.columns) == list(per_modality.get_feature_names_out())


def test_signals_have_no_feature_names(signals):
    assert not hasattr(PerModality({"bvp": Detrend()}), "get_feature_names_out")
    only_bvp = PerModality({"bvp": MeanAndSpread()})
    assert hasattr(only_bvp.fit(SignalDict(bvp=signals["bvp"])), "get_feature_names_out")
    assert not hasattr(only_bvp.fit(signals), "get_feature_names_out")


def test_features_and_signals_do_not_mix(signals):
    with pytest.raises(ValueError, match="features of eda"):
        PerModality({"eda": MeanAndSpread()}).fit_transform(signals)


def test_transformers_must_keep_the_windows(signals):
    with pytest.raises(ValueError, match="number of windows.* bvp: 12, eda: 2"):
        PerModality({"eda": Channels()}).fit_transform(signals)


@pytest.mark.parametrize("kind", [dict, list])
def test_parameters_of_transformers_can_be_read_and_set(kind):
    transformers = kind({"bvp": BandpassFilter(0.5, 8, 64), "eda": Detrend()}.items())
    per_modality = PerModality(transformers)
    per_modality.set_params(bvp__low=0.7, eda=Standardize(), remainder="drop")
    assert per_modality.get_params()["bvp__low"] == 0.7
    assert isinstance(dict(per_modality.transformers)["eda"], Standardize)
    assert isinstance(per_modality.transformers, kind)


def test_transformers_and_their_parameters_can_be_set_at_once():
    per_modality = PerModality({"bvp": Detrend()})
    per_modality.set_params(transformers={"eda": Clip(0, 1)}, eda__high=2)
    assert per_modality.get_params()["eda__high"] == 2


def test_clones_have_their_own_transformers():
    for kind in (dict, list):
        per_modality = PerModality(kind({"bvp": BandpassFilter(0.5, 8, 64)}.items()))
        clone(per_modality).set_params(bvp__low=0.7)
        assert per_modality.get_params()["bvp__low"] == 0.5


def test_fit_leaves_the_given_transformers_alone(signals):
    transformer = MeanAndSpread()
    fitted = PerModality({"acc": transformer}, remainder="drop").fit(signals)
    assert fitted.transformers_["acc"].n_channels_ == 3
    assert not hasattr(transformer, "n_channels_")


def test_a_grid_search_by_subject_reaches_the_filter(signals):
    pipeline = make_pipeline(
        PerModality({"bvp": BandpassFilter(0.5, 8, 64)}),
        PerModality(FEATURES),
        LogisticRegression(),
    )
    search = GridSearchCV(pipeline, {"permodality-1__bvp__low": [0.5, 0.7]}, cv=LeaveOneGroupOut())
    search.fit(signals, np.tile([0, 1], 6), groups=np.repeat([0, 1, 2], 4))
    assert search.best_params_["permodality-1__bvp__low"] in (0.5, 0.7)


def test_the_modalities_must_be_those_of_fit(signals):
    per_modality = PerModality({"bvp": Detrend()}).fit(signals)
    for names in (["bvp", "eda"], ["bvp", "eda", "acc", "ecg"]):
        with pytest.raises(ValueError, match=f"bvp, eda, acc, got {', '.join(names)}"):
            per_modality.transform({name: np.zeros((2, 1, 640)) for name in names})


def test_an_unknown_remainder_is_refused(signals):
    with pytest.raises(ValueError, match="remainder .* 'keep'"):
        PerModality({"bvp": Detrend()}, remainder="keep").fit(signals)


def test_a_modality_has_one_transformer(signals):
    with pytest.raises(ValueError, match="not unique"):
        PerModality([("bvp", Detrend()), ("bvp", Standardize())]).fit(signals)


def test_per_modality_must_be_fitted(signals):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        PerModality({"bvp": Detrend()}).transform(signals)
