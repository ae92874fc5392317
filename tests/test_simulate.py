"""Tests of the simulated cohort."""

import numpy as np
import pytest
from scipy.stats import skew
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from physio_ssl.containers import SignalDict
from physio_ssl.datasets.simulate import simulate_wristband
from physio_ssl.features import HandcraftedFeatures

RATES = {"bvp": 64, "eda": 4, "temp": 4}


@pytest.fixture(scope="module")
def cohort():
    """Return twelve recordings of about 14 minutes."""
    return simulate_wristband(random_state=0)


def windows_of(recordings, duration=60, step=30):
    """Return standardised windows, stages and subjects."""
    windows, y, groups = {name: [] for name in RATES}, [], []
    for recording in recordings:
        stages = recording.annotations
        for onset, length, stage in zip(*stages.values(), strict=True):
            for start in np.arange(onset, onset + length - duration + 1, step):
                for name, signal in recording.signals.items():
                    signal = (signal[0] - signal.mean()) / signal.std()
                    first = round(start * RATES[name])
                    windows[name].append(signal[:, first : first + duration * RATES[name]])
                y.append(stage)
                groups.append(recording.subject)
    return SignalDict(windows), np.array(y), np.array(groups)


def same(recording, other):
    """Whether two recordings agree to the bit."""
    return recording.signals == other.signals and all(
        np.array_equal(column, other.annotations[name])
        for name, column in recording.annotations.items()
    )


def test_a_seed_gives_the_same_recordings_with_any_number_of_jobs():
    first = simulate_wristband(2, n_blocks=1, random_state=3)
    for n_jobs in (None, 2):
        second = simulate_wristband(2, n_blocks=1, random_state=3, n_jobs=n_jobs)
        assert all(map(same, first, second))
    assert not same(first[0], simulate_wristband(1, n_blocks=1, random_state=4)[0])


def test_without_a_seed_every_cohort_is_another():
    first, *_ = simulate_wristband(1, n_blocks=1, signals=("temp",))
    second, *_ = simulate_wristband(1, n_blocks=1, signals=("temp",))
    assert not same(first, second)


def test_more_subjects_leave_the_first_as_they_were():
    few = simulate_wristband(2, n_blocks=1, random_state=3)
    many = simulate_wristband(3, n_blocks=1, random_state=3)
    assert all(map(same, few, many))


def test_a_signal_does_not_depend_on_the_others():
    for name in ["bvp", "eda", "temp"]:
        together, *_ = simulate_wristband(1, n_blocks=1, random_state=3)
        alone, *_ = simulate_wristband(1, n_blocks=1, signals=(name,), random_state=3)
        np.testing.assert_array_equal(alone.signals[name], together.signals[name])


def test_the_global_random_state_is_left_alone():
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    simulate_wristband(1, n_blocks=1, random_state=3)
    assert np.random.random() == expected  # noqa: NPY002


def test_the_simulators_print_nothing(capsys):
    simulate_wristband(2, n_blocks=1, random_state=3)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_signals_are_float32_at_the_rates_of_a_wristband(cohort):
    for recording in cohort:
        assert dict(recording.sampling_rate) == RATES
        for name, signal in recording.signals.items():
            assert signal.dtype == np.float32
            assert signal.shape == (1, 1, round(recording.duration * RATES[name]))
            assert np.isfinite(signal).all()


def test_subjects_are_numbered(cohort):
    assert [recording.subject for recording in cohort][::11] == ["sim01", "sim12"]


def test_stages_alternate_with_transitions_between():
    recording, *_ = simulate_wristband(1, n_blocks=2, stage_duration=40, random_state=0)
    stages = recording.annotations
    assert sorted(stages["description"]) == ["rest", "rest", "stress", "stress"]
    assert (stages["description"][1:] != stages["description"][:-1]).all()
    np.testing.assert_array_equal(stages["onset"], [15, 70, 125, 180])
    np.testing.assert_array_equal(stages["duration"], 40)
    assert recording.duration == 235


def test_the_first_stage_differs_between_subjects(cohort):
    first = {recording.annotations["description"][0] for recording in cohort}
    assert first == {"rest", "stress"}


def test_levels_are_those_of_skin(cohort):
    for recording in cohort:
        assert 28 < recording.signals["temp"].min() < recording.signals["temp"].max() < 38
        assert 0 <= recording.signals["eda"].min() < recording.signals["eda"].max() < 60


def test_subjects_differ_at_rest(cohort):
    X, y, groups = windows_of(cohort)
    features = HandcraftedFeatures(RATES).set_output(transform="pandas").fit_transform(X)
    at_rest = features[y == "rest"].groupby(groups[y == "rest"]).median()
    assert at_rest["bvp_heart_rate"].between(45, 110).all()
    assert at_rest["bvp_heart_rate"].std() > 4
    assert np.std([np.median(recording.signals["temp"]) for recording in cohort]) > 0.3


def test_subjects_respond_by_different_amounts_and_directions(cohort):
    X, y, groups = windows_of(cohort)
    features = HandcraftedFeatures(RATES).set_output(transform="pandas").fit_transform(X)
    slope = features["temp_slope"].groupby([groups, y]).mean().unstack()
    response = slope["stress"] - slope["rest"]
    assert response.mean() < 0
    assert response.max() > 0


def test_the_stages_can_be_separated_in_most_subjects_but_not_all(cohort):
    X, y, groups = windows_of(cohort)
    model = make_pipeline(
        HandcraftedFeatures(RATES),
        SimpleImputer(),
        StandardScaler(),
        LogisticRegression(max_iter=1000),
    )
    scores = cross_val_score(
        model, X, y, groups=groups, cv=LeaveOneGroupOut(), scoring="balanced_accuracy"
    )
    assert 0.72 < scores.mean() < 0.88
    assert scores.min() < 0.7
    assert scores.max() > 0.85


def test_numbers_that_are_no_positive_integers_are_refused():
    for name in ["n_subjects", "n_blocks"]:
        with pytest.raises(ValueError, match=f"{name} must be .* got 0"):
            simulate_wristband(**{name: 0})
        with pytest.raises(TypeError, match=f"{name} must be an integer .* got 1.5"):
            simulate_wristband(**{name: 1.5})


def test_short_stages_are_refused():
    with pytest.raises(ValueError, match="stage_duration must be at least 10 s .* got 5"):
        simulate_wristband(stage_duration=5)


def score_stages(X, y, groups):
    """Return the mean AUROC over held-out subjects of a logistic regression on features."""
    model = make_pipeline(
        HandcraftedFeatures(RATES), SimpleImputer(), StandardScaler(), LogisticRegression(C=0.1)
    )
    cv = LeaveOneGroupOut()
    return cross_val_score(model, X, y, groups=groups, cv=cv, scoring="roc_auc").mean()


def test_features_do_not_see_an_effect_on_shape():
    people = simulate_wristband(10, n_blocks=2, effect="shape", random_state=0)
    assert 0.3 < score_stages(*windows_of(people, duration=30)) < 0.62


def test_an_effect_on_shape_turns_the_skin_conductance_responses_around():
    """Changes of a signal that rises fast and falls slowly are skewed to the right."""
    people = simulate_wristband(12, n_blocks=1, signals=("eda",), effect="shape", random_state=0)
    skewness = {"rest": [], "stress": []}
    for recording in people:
        change = np.diff(recording.signals["eda"][0, 0])
        change = change.clip(*np.quantile(change, [0.01, 0.99]))  # steps and lost contact
        for onset, length, stage in zip(*recording.annotations.values(), strict=True):
            part = change[int(onset * 4) : int((onset + length) * 4)]
            skewness[stage].append(skew(part))
    assert np.mean(skewness["rest"]) > 0.1
    assert np.mean(skewness["stress"]) < -0.1


def test_order_puts_rest_first():
    people = simulate_wristband(6, n_blocks=1, confound="order", random_state=0)
    assert {recording.annotations["description"][0] for recording in people} == {"rest"}


def test_the_temperature_of_the_room_is_all_that_a_confound_adds():
    plain, warm = (
        simulate_wristband(1, n_blocks=1, effect=None, confound=confound, random_state=3)[0]
        for confound in (None, "temperature")
    )
    added = warm.signals["temp"] - plain.signals["temp"]
    onset, length, stage = (column for column in warm.annotations.values())
    ends = {name: int((onset[stage == name][0] + length[0]) * 4) - 1 for name in stage}
    assert added[0, 0, ends["stress"]] == pytest.approx(1, abs=0.01)
    assert added[0, 0, ends["rest"]] == pytest.approx(0, abs=0.01)
    for name in ("bvp", "eda"):
        np.testing.assert_array_equal(plain.signals[name], warm.signals[name])


def test_unknown_effects_and_confounds_are_refused():
    for name in ("effect", "confound"):
        with pytest.raises(ValueError, match=f"{name} must be .* got 'weather'"):
            simulate_wristband(1, **{name: "weather"})


def test_unknown_signals_are_refused():
    for signals in ["bvp", (), ("bvp", "ecg")]:
        with pytest.raises(ValueError, match="signals must be .* bvp, eda, temp, got"):
            simulate_wristband(signals=signals)
