"""SSLEncoder: trains, embeds, repeats itself, and fits into scikit-learn."""

import pickle
import tracemalloc
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit

from physio_ssl import SignalDict, SSLEncoder
from physio_ssl.networks import MultimodalTransformer
from physio_ssl.pretext import TransformRecognition
from physio_ssl.training import measure_scale
from physio_ssl.transforms import GaussianNoise, Negation


def make_windows(n_windows=24, seed=0):
    rng = np.random.default_rng(seed)
    return SignalDict(
        bvp=rng.normal(0, 30, (n_windows, 1, 160)),
        eda=rng.normal(5, 1, (n_windows, 1, 40)),
        acc=rng.normal(0, 1, (n_windows, 3, 80)),
    )


def make_encoder(**kwargs):
    small = {"module__d_model": 16, "max_epochs": 2, "batch_size": 8, "random_state": 0}
    return SSLEncoder(**{**small, **kwargs})


X = make_windows()
Y, GROUPS = np.tile([0, 1], 12), np.repeat([0, 1, 2], 8)


def test_training_lowers_the_loss():
    encoder = make_encoder(max_epochs=8, lr=5e-3, module__dropout=0.0).fit(X)
    losses = encoder.history_[:, "train_loss"]
    assert losses[-1] < losses[0] - 0.3


def test_history_holds_the_accuracy_of_each_modality():
    history = make_encoder().fit(X).history_
    for name in X:
        assert len(history[:, f"train_accuracy_{name}"]) == 2
        assert 0 <= history[-1, f"train_accuracy_{name}"] <= 1


def test_each_seed_starts_from_other_weights():
    first, second = (make_encoder(max_epochs=0, random_state=i).fit_transform(X) for i in (0, 1))
    assert not np.allclose(first, second, atol=1e-3)


def test_the_same_seed_gives_the_same_bits_whatever_the_labels():
    embedding = make_encoder().fit_transform(X)
    assert embedding.shape == (24, 48)
    assert embedding.dtype == np.float32
    assert_array_equal(make_encoder().fit(X, Y).transform(X), embedding)
    assert not np.allclose(make_encoder(random_state=1).fit_transform(X), embedding)


def test_half_the_precision_gives_nearly_the_same():
    settings = {"module__dropout": 0.0, "max_epochs": 1, "lr": 1e-4}
    exact, rough = (
        make_encoder(precision=precision, **settings).fit(X)
        for precision in ("float32", "bfloat16")
    )
    embedding = rough.transform(X)
    assert embedding.dtype == np.float32
    assert_allclose(embedding, exact.transform(X), atol=0.02)
    assert not np.array_equal(embedding, exact.transform(X))
    assert {p.dtype for p in rough.module_.parameters()} == {torch.float32}


class _Embedding(LogisticRegression):
    """Scores by a number that shows every bit of the embedding."""

    def score(self, X, y):
        return float(np.frombuffer(X.tobytes(), np.uint8).sum(dtype=float))


def test_the_number_of_jobs_changes_no_bit():
    model = make_pipeline(make_encoder(), _Embedding())
    kwargs = {"groups": GROUPS, "cv": LeaveOneGroupOut()}
    alone = cross_val_score(model, X, Y, n_jobs=1, **kwargs)
    assert_array_equal(cross_val_score(model, X, Y, n_jobs=2, **kwargs), alone)


def test_global_random_states_and_threads_are_left_alone():
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    np_before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_encoder(n_threads=1).fit(X).transform(X)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert_array_equal(np.random.get_state()[1], np_before)  # noqa: NPY002


def test_windows_are_embedded_independently_of_their_batch():
    encoder, many = make_encoder(module__d_model=128).fit(X), make_windows(50)
    together = encoder.transform(many)
    for rows in (slice(5, 6), slice(30, 41), slice(None, None, -1)):
        assert_array_equal(encoder.transform(many[rows]), together[rows])


def test_units_matter_only_where_channels_are_not_standardized():
    volts = SignalDict({name: 1000 * array + 7 for name, array in X.items()})
    for standardize in (True, False):
        # Without training, which would turn rounding errors into differences.
        untrained = make_encoder(max_epochs=0, standardize=standardize)
        ours, theirs = untrained.fit_transform(X), clone(untrained).fit_transform(volts)
        assert np.allclose(ours, theirs, atol=1e-3) == standardize


def test_the_scale_is_measured_in_blocks_of_few_bytes(monkeypatch):
    X = np.random.default_rng(0).normal(5, 2, size=(200, 2, 2000)).astype(np.float32)
    expected = X.std(axis=(0, 2), dtype=np.float64)
    assert_allclose(measure_scale(SignalDict(ecg=X))["ecg"][1][:, 0], expected, rtol=1e-12)
    monkeypatch.setattr("physio_ssl.training.models._BYTES_AT_ONCE", 2**18)
    tracemalloc.start()
    _, scale = measure_scale(SignalDict(ecg=X))["ecg"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_allclose(scale[:, 0], expected, rtol=1e-12)
    assert peak < 2**20  # all at once take 6.4 MB
    monkeypatch.setattr("physio_ssl.training.models._BYTES_AT_ONCE", 1)
    measure_scale(SignalDict(ecg=X[:3]))  # one window is never too much


def test_names_hold_the_modality_also_in_pandas_output():
    frame = make_encoder().set_output(transform="pandas").fit_transform(X)
    assert list(frame.columns[[0, 1, -1]]) == ["bvp_0", "bvp_1", "acc_15"]


def test_one_array_is_one_modality():
    encoder = make_encoder()
    assert_array_equal(
        encoder.fit_transform(X["bvp"]), make_encoder().fit_transform(X["bvp"][:, 0])
    )
    assert encoder.get_feature_names_out()[0] == "sslencoder0"


def test_grid_search_reaches_network_pretext_and_classifier():
    model = make_pipeline(make_encoder(max_epochs=1), LogisticRegression())
    grid = {
        "sslencoder__module__d_model": [8, 16],
        "sslencoder__pretext__n_views": [1, None],
        "logisticregression__C": [0.1, 1.0],
    }
    search = GridSearchCV(model, grid, cv=LeaveOneGroupOut(), n_jobs=2, error_score="raise")
    search.fit(X, Y, groups=GROUPS)
    best = search.best_estimator_["sslencoder"]
    assert (
        best.module_.network.token_width["bvp"]
        == search.best_params_["sslencoder__module__d_model"]
    )
    assert best.pretext_.n_views == search.best_params_["sslencoder__pretext__n_views"]


def test_a_frozen_encoder_is_not_trained_again():
    encoder = make_encoder().fit(X)
    weights = {name: p.clone() for name, p in encoder.module_.named_parameters()}
    model = make_pipeline(FrozenEstimator(encoder), LogisticRegression())
    scores = cross_val_score(model, X, Y, groups=GROUPS, cv=LeaveOneGroupOut(), n_jobs=2)
    assert len(scores) == 3
    assert all(torch.equal(weights[n], p) for n, p in encoder.module_.named_parameters())


def test_a_network_that_is_given_is_copied_not_trained():
    shapes = [{name: array.shape[i] for name, array in X.items()} for i in (1, 2)]
    network = MultimodalTransformer(*shapes, d_model=16)
    encoder = make_encoder(module=network)
    first = encoder.fit_transform(X)
    assert encoder.module_.network is not network
    assert_array_equal(encoder.fit_transform(X), first)
    with pytest.raises(ValueError, match="embeds bvp, eda, acc, .* hold bvp"):
        encoder.fit(SignalDict(bvp=X["bvp"]))


def test_pickle_and_clone():
    encoder = make_encoder(pretext__n_views=1).fit(X)
    again = pickle.loads(pickle.dumps(encoder))
    assert_array_equal(again.transform(X), encoder.transform(X))
    copy = clone(encoder)
    assert not hasattr(copy, "n_times_")
    assert copy.get_params()["pretext__n_views"] == 1


@pytest.mark.parametrize(
    "pretext",
    [TransformRecognition, TransformRecognition(transforms=[Negation()], n_views=1)],
)
def test_a_pretext_is_a_class_or_an_object(pretext):
    encoder = make_encoder(pretext=pretext, pretext__head_size=12).fit(X)
    assert encoder.pretext_.head_size == 12
    assert encoder.module_.heads["bvp"][0].out_features == 12
    if not isinstance(pretext, type):
        assert pretext.head_size == 64


@pytest.mark.parametrize("batch_size, sizes", [(-1, [17]), (100, [17]), (8, [5, 6, 6])])
def test_any_batch_size_gives_batches_of_several_windows(batch_size, sizes):
    encoder = make_encoder(pretext__n_views=1, batch_size=batch_size, max_epochs=1).fit(X[:17])
    assert sorted(encoder.history_[0, "batches", :, "train_batch_size"]) == sizes


def test_held_out_subjects_give_a_validation_loss():
    encoder = make_encoder(train_split=ValidSplit(GroupKFold(3)))
    encoder.fit(X, groups=GROUPS)
    assert len(encoder.history_[:, ("valid_loss", "valid_accuracy_eda")]) == 2
    assert sum(encoder.history_[0, "batches", :, "train_batch_size"]) == 16


def test_the_learning_rate_falls_in_a_line_and_is_put_back():
    rates = []

    class Watch(Callback):
        def on_batch_end(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    encoder = make_encoder(callbacks=[Watch()], lr=0.6).fit(X)
    assert_allclose(rates, [0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    assert encoder.optimizer_.param_groups[0]["lr"] == 0.6


def test_the_learning_rate_can_be_kept():
    encoder = make_encoder(callbacks__lr_schedule=None).fit(X)
    assert not np.allclose(encoder.transform(X), make_encoder().fit_transform(X))


def test_partial_fit_trains_on_other_views():
    encoder = make_encoder().fit(X)
    before = encoder.transform(X)
    encoder.partial_fit(X)
    assert len(encoder.history_) == 4
    assert not np.allclose(before, encoder.transform(X))
    still = make_encoder(max_epochs=1, lr=0.0, module__dropout=0.0).fit(X).partial_fit(X)
    assert len(set(still.history_[:, "train_loss"])) == 2


def test_parameters_of_a_fitted_encoder_count_from_the_next_fit():
    encoder = make_encoder().fit(X)
    before = encoder.transform(X)
    encoder.set_params(module__d_model=8, pretext__n_views=1)
    assert_array_equal(encoder.transform(X), before)
    assert encoder.fit_transform(X).shape == (24, 24)


def test_a_progress_bar_is_shown_on_request(capsys):
    make_encoder(verbose=1).fit(X)
    shown = capsys.readouterr().err
    assert "pre-train: 100%" in shown
    assert "accuracy_bvp=" in shown
    make_encoder().fit(X)
    assert capsys.readouterr().err == ""


def test_it_embeds_and_has_no_predictions():
    for encoder in (make_encoder(), make_encoder().fit(X)):
        assert not any(hasattr(encoder, name) for name in ("predict", "predict_proba", "score"))


def changed(name, array):
    return SignalDict({**X, name: array})


@pytest.mark.parametrize(
    "bad, match",
    [
        (changed("eda", np.full((24, 1, 40), np.nan)), "Input eda contains NaN"),
        (changed("eda", np.full((24, 1, 40), np.inf)), "Input eda contains infinity"),
        (
            changed("eda", np.full((24, 1, 40), 33.3)),
            "'eda' is constant at 33.3",
        ),
        (changed("eda", np.zeros((24, 1, 40), complex)), "'eda' must hold real numbers"),
        (changed("eda", X["eda"][..., :20]), "31 samples, got .*'eda': 20"),
        (X[:0], "0 sample"),
    ],
)
def test_fit_refuses(bad, match):
    with pytest.raises(ValueError, match=match):
        make_encoder().fit(bad)


@pytest.mark.parametrize(
    "bad, match",
    [
        (
            SignalDict(bvp=X["bvp"], eda=X["eda"]),
            "got bvp, eda",
        ),
        (changed("ecg", X["eda"]), "got bvp, eda, acc, ecg"),
        (X["bvp"], "got signal"),
        (
            changed("eda", X["bvp"]),
            r"'eda' .* \(1, 40\), .* got \(1, 160\)",
        ),
        (changed("acc", X["acc"][:, :2]), r"\(3, 80\), .* got \(2, 80\)"),
        (changed("eda", np.full((24, 1, 40), np.nan)), "NaN"),
    ],
)
def test_transform_refuses(bad, match):
    encoder = make_encoder(max_epochs=1).fit(X)
    with pytest.raises(ValueError, match=match):
        encoder.transform(bad)


@pytest.mark.parametrize(
    "settings, match",
    [
        ({"n_threads": 0}, "n_threads .* got 0"),
        ({"n_threads": 1.5}, "n_threads .* got 1.5"),
        ({"n_threads": "two"}, "n_threads .* got 'two'"),
        ({"precision": "float16"}, "'float32' or 'bfloat16', got 'float16'"),
        ({"module__d_modell": 3}, "d_modell"),
        ({"pretext__n_views": 1}, "at least 2 windows, got 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, match):
    with pytest.raises((TypeError, ValueError), match=match):
        make_encoder(**settings).fit(X[:1])
    with pytest.raises(ValueError, match="max_epochs"):
        make_encoder().fit(X, epochs=3)


def test_no_epochs_give_an_untrained_encoder():
    encoder = make_encoder(max_epochs=0).fit(X)
    assert encoder.transform(X).shape == (24, 48)
    assert encoder.history_ == []


def test_nothing_is_warned_about():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transforms = [GaussianNoise(), Negation()]
        make_encoder(pretext__transforms=transforms).fit(X).transform(X)


def test_it_remembers_whom_it_has_seen_only_where_it_was_always_told():
    assert make_encoder().fit(X).groups_seen_ is None
    encoder = make_encoder().fit(X, groups=GROUPS)
    assert_array_equal(encoder.groups_seen_, [0, 1, 2])
    assert_array_equal(encoder.partial_fit(X, groups=GROUPS + 2).groups_seen_, [0, 1, 2, 3, 4])
    assert encoder.partial_fit(X).groups_seen_ is None
    assert encoder.partial_fit(X, groups=GROUPS).groups_seen_ is None
    assert_array_equal(encoder.fit(X, groups=GROUPS).groups_seen_, [0, 1, 2])


class Drawn(Callback):
    """Notes the windows of each epoch, by their first sample."""

    def on_train_begin(self, net, **kwargs):
        self.train_, self.valid_ = [], []

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        seen = batch[0]["eda"][:, 0, 0].numpy()
        rows = [int(np.abs(X["eda"][:, 0, 0] - sample).argmin()) for sample in seen]
        (self.train_ if training else self.valid_).extend(rows)


def drawn_by(**kwargs):
    """Return what an encoder draws in ten epochs."""
    fit = {name: kwargs.pop(name) for name in ("sampling_weight", "groups") if name in kwargs}
    settings = {"max_epochs": 10, "pretext__n_views": 1, "callbacks": [("drawn", Drawn())]}
    encoder = make_encoder(**{**settings, **kwargs}).fit(X, **fit)
    return dict(encoder.callbacks_)["drawn"]


def test_windows_are_drawn_by_their_weights():
    weight = np.where(np.arange(24) < 12, 3.0, 1.0)
    rows = np.array(drawn_by(sampling_weight=weight).train_)
    assert len(rows) == 10 * len(X)
    assert np.mean(rows < 12) == pytest.approx(0.75, abs=0.06)
    assert len(set(rows)) == len(X)
    assert len(set(rows[: len(X)])) < len(X)  # with replacement


def test_only_the_ratio_of_weights_matters():
    weight = np.arange(1.0, 25.0)
    for scale in (1e-300, 1e300):
        assert drawn_by(sampling_weight=scale * weight).train_ == (
            drawn_by(sampling_weight=weight).train_
        )


def test_without_weights_each_window_is_seen_once_per_epoch():
    rows = np.reshape(drawn_by().train_, (10, len(X)))
    assert_array_equal(np.sort(rows), np.tile(np.arange(len(X)), (10, 1)))


def test_each_epoch_has_its_own_order():
    epochs = np.reshape(drawn_by().train_, (10, len(X)))
    assert len(np.unique(epochs, axis=0)) == 10


def test_held_out_windows_keep_their_order():
    split = ValidSplit([(np.arange(8, 24), np.arange(8))])
    assert drawn_by(train_split=split).valid_ == 10 * list(range(8))


def test_other_seeds_show_other_views(monkeypatch):
    states, make_views = [], TransformRecognition.make_views

    def note(self, signals, rng):
        states.append(rng.bit_generator.state["state"]["state"])
        return make_views(self, signals, rng)

    monkeypatch.setattr(TransformRecognition, "make_views", note)
    for seed in (0, 0, 1):
        make_encoder(random_state=seed, max_epochs=1, batch_size=-1).fit(X)
    assert states[0] == states[1] != states[2]


def test_held_out_windows_are_not_drawn():
    weight = np.isin(np.arange(24), [3, 4, 10, 12, 20, 21])
    split = ValidSplit([(np.arange(8, 24), np.arange(8))])
    drawn = drawn_by(sampling_weight=weight, train_split=split)
    assert len(drawn.train_) == 10 * 16
    assert set(drawn.train_) == {10, 12, 20, 21}
    assert sorted(drawn.valid_) == sorted(10 * list(range(8)))  # all, once per epoch


def test_weighted_draws_repeat_themselves_by_seed():
    def embed(seed, weight):
        encoder = make_encoder(random_state=seed).fit(X, sampling_weight=weight)
        return encoder.partial_fit(X, sampling_weight=weight[::-1]).transform(X)

    weight = np.arange(24.0)
    assert_array_equal(embed(0, weight), embed(0, list(weight)))
    assert not np.allclose(embed(0, weight), embed(0, weight[::-1]))


def test_weights_reach_an_encoder_in_a_pipeline():
    weight = np.arange(24.0)
    model = make_pipeline(make_encoder(), LogisticRegression())
    model.fit(X, Y, sslencoder__sampling_weight=weight)
    alone = make_encoder().fit(X, sampling_weight=weight)
    assert_array_equal(model[0].transform(X), alone.transform(X))


@pytest.mark.parametrize(
    "weight, match",
    [
        (np.ones(23), r"24 windows, got \(23,\)"),
        (np.ones((24, 1)), r"got \(24, 1\)"),
        (np.zeros(24), "from 0.0 to 0.0"),
        (np.arange(24) - 1, "non-negative .* from -1.0 to 22.0"),
        (np.full(24, np.nan), "sampling_weight contains NaN"),
        (np.full(24, np.inf), "sampling_weight contains infinity"),
        (["a"] * 24, "could not convert"),
    ],
)
def test_bad_weights_are_refused(weight, match):
    encoder = make_encoder(max_epochs=0).fit(X)
    with pytest.raises(ValueError, match=match):
        encoder.fit(X, sampling_weight=weight)
    with pytest.raises(NotFittedError):  # no new, untrained encoder is left
        encoder.transform(X)
    with pytest.raises(ValueError, match=match):
        make_encoder(max_epochs=0).fit(X).partial_fit(X, sampling_weight=weight)


def test_weights_that_leave_nothing_to_train_on_are_refused():
    encoder = make_encoder(train_split=ValidSplit([(np.arange(16), np.arange(16, 24))]))
    with pytest.raises(ValueError, match="train_split leaves 16 windows"):
        encoder.fit(X, sampling_weight=np.arange(24) >= 16)
    with pytest.raises(NotFittedError):  # it fails after the network was built
        encoder.transform(X)


def test_weights_are_not_lost_in_a_split_of_the_users_own():
    encoder = make_encoder(train_split=lambda dataset, **params: (list(dataset.X), None))
    with pytest.raises(ValueError, match="torch Subset, .* got a list"):
        encoder.fit(X, sampling_weight=np.ones(24))
