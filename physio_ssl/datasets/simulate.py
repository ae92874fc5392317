"""A simulated cohort with a wristband, for demonstrations and tests."""

import numpy as np
from joblib import Parallel, delayed
from scipy.signal import lfilter

from .._check import check_choice, check_count, check_generator, check_jobs, check_number
from ..containers import Recording
from .reading import choose_signals

SAMPLING_RATE = {"bvp": 64, "eda": 4, "temp": 4}  # Hz, those of an Empatica E4
TRANSITION = 15  # seconds before, between and after the stages, without annotation
EFFECTS = ("level", "shape", "both", None)
CONFOUNDS = ("order", "temperature", None)


def _wander(n_times, sampling_rate, time_constant, rng):
    """Return noise of unit variance that forgets its past within ``time_constant`` s."""
    memory = np.exp(-1 / (time_constant * sampling_rate))
    innovations = rng.normal(size=n_times) * np.sqrt(1 - memory**2)
    innovations[0] = rng.normal()
    return lfilter([1], [1, -memory], innovations)


def _follow(target, sampling_rate, time_constant):
    """Let a first-order system, at rest at first, approach ``target``."""
    memory = np.exp(-1 / (time_constant * sampling_rate))
    return lfilter([1 - memory], [1, -memory], target)


def _burst_envelope(n_times, sampling_rate, per_minute, rng):
    """Return an envelope, mostly 0, with bursts of 2-12 s that peak at about 1."""
    times = np.arange(n_times) / sampling_rate
    envelope = np.zeros(n_times)
    for _ in range(rng.poisson(per_minute * times[-1] / 60)):
        centre, width = rng.uniform(0, times[-1]), rng.uniform(2, 12) / 4
        peak = rng.uniform(0.3, 1)
        envelope += peak * np.exp(-0.5 * ((times - centre) / width) ** 2)
    return envelope


def _simulate_pulse(n_beats, rng):
    """Return NeuroKit2's pulse, one beat per second: its rate is constant."""
    from neurokit2 import ppg_simulate

    pulse = ppg_simulate(
        duration=n_beats,
        sampling_rate=SAMPLING_RATE["bvp"],
        heart_rate=60,
        frequency_modulation=0,
        ibi_randomness=rng.uniform(0.02, 0.08),
        motion_amplitude=0,
        powerline_amplitude=0,
        burst_amplitude=0,
        random_state=rng,
        random_state_distort=rng,
    )
    return pulse - pulse.mean()


def _draw_pulse(beats, mirrored, rng):
    """Return pulse waves, of which those that are drawn as mirrored run backwards in time.

    The small wave comes after the large one, or before it. Some beats come early, or late.
    """
    n_beats = int(beats[-1]) + 1
    centres = np.arange(n_beats) + 0.5
    side = np.where(rng.random(n_beats) < np.interp(centres, beats, mirrored), -1, 1)
    shift = 0.15 * side * (rng.random(n_beats) < 0.15)
    place = (beats + np.interp(beats, centres, shift)).clip(0, n_beats - 1e-9)
    side, phase = side[place.astype(int)], place % 1 - 0.5
    height, distance = rng.uniform(0.3, 0.5), rng.uniform(0.22, 0.28)
    small = height * np.exp(-0.5 * ((phase - side * distance) / 0.08) ** 2)
    wave = 2 * (np.exp(-0.5 * (phase / 0.1) ** 2) + small) - 0.7
    return wave + rng.uniform(0.1, 0.3) * _wander(len(wave), SAMPLING_RATE["bvp"], 0.05, rng)


def _draw_responses(per_minute, mirrored, rng):
    """Return skin conductance responses of height 1; those drawn as mirrored run backwards."""
    sampling_rate = SAMPLING_RATE["eda"]
    times = np.arange(0, 15, 1 / sampling_rate)
    response = np.exp(-times / 4) - np.exp(-times / 0.75)
    response /= response.max()
    begins = rng.random(len(mirrored)) < per_minute / 60 / sampling_rate
    backwards = rng.random(len(mirrored)) < mirrored
    forwards = np.convolve(begins & ~backwards, response, mode="same")
    return forwards + np.convolve(begins & backwards, response[::-1], mode="same")


def _simulate_bvp(arousal, duration, responsiveness, rng, mirrored=None):
    """Return the blood volume pulse, in arbitrary units."""
    sampling_rate = SAMPLING_RATE["bvp"]
    n_times = round(duration * sampling_rate)
    times = np.arange(n_times) / sampling_rate
    arousal = np.interp(times, np.arange(len(arousal)) / SAMPLING_RATE["eda"], arousal)

    resting_rate = np.clip(rng.normal(70, 8), 50, 95)  # beats per minute
    response = responsiveness * rng.normal(13, 6)  # beats per minute
    heart_rate = resting_rate + response * arousal
    heart_rate += rng.uniform(1.5, 4) * _wander(n_times, sampling_rate, 30, rng)
    breathing_rate = 0.25 + 0.03 * _wander(n_times, sampling_rate, 20, rng)  # Hz
    sinus_arrhythmia = rng.uniform(1, 6) * (1 - rng.uniform(-0.1, 0.4) * arousal)
    heart_rate += sinus_arrhythmia * np.sin(2 * np.pi * np.cumsum(breathing_rate) / sampling_rate)
    heart_rate = np.clip(heart_rate, 42, 160)

    beats = np.cumsum(heart_rate) / 60 / sampling_rate
    if mirrored is None:
        pulse = _simulate_pulse(int(beats[-1]) + 5, rng)
        pulse = np.interp(beats, np.arange(len(pulse)) / sampling_rate, pulse)
    else:
        slow_times = np.arange(len(mirrored)) / SAMPLING_RATE["eda"]
        pulse = _draw_pulse(beats, np.interp(times, slow_times, mirrored), rng)

    # vessels narrow under stress in most people
    vasoconstriction = responsiveness * rng.normal(0.4, 0.25)
    amplitude = rng.uniform(20, 60) * np.exp(
        -vasoconstriction * arousal + 0.15 * _wander(n_times, sampling_rate, 40, rng)
    )
    motion = _burst_envelope(n_times, sampling_rate, rng.uniform(0.2, 1.2), rng)
    motion *= rng.uniform(40, 160) * _wander(n_times, sampling_rate, 0.15, rng)
    return amplitude * pulse + motion + rng.normal(scale=1, size=n_times)


def _simulate_eda(arousal, duration, responsiveness, rng, mirrored=None):
    """Return the skin conductance, in microsiemens."""
    from neurokit2 import eda_simulate

    sampling_rate = SAMPLING_RATE["eda"]
    n_times = len(arousal)

    def responses(per_minute):  # of height 1 each
        eda = eda_simulate(
            duration=duration,
            length=n_times,
            sampling_rate=sampling_rate,
            noise=0,
            drift=0,
            scr_number=max(round(per_minute * duration / 60), 1),
            random_state=rng,
            random_state_distort=rng,
        )
        # NeuroKit2 may give the same time in some samples more than asked for
        grid = np.linspace(0, len(eda), n_times, endpoint=False)
        return np.interp(grid, np.arange(len(eda)), eda - 1)

    level = np.clip(rng.lognormal(np.log(2), 0.7), 0.3, 12)  # microsiemens
    resting_frequency = rng.uniform(1, 5)  # responses per minute
    stress_frequency = resting_frequency * np.exp(responsiveness * rng.normal(0.7, 0.4))
    weight = np.clip(arousal, 0, 1)
    if mirrored is None:
        phasic = (1 - weight) * responses(resting_frequency) + weight * responses(stress_frequency)
    else:
        per_minute = (1 - weight) * resting_frequency + weight * stress_frequency
        phasic = _draw_responses(2 + per_minute, mirrored, rng)
    phasic *= 0.08 * level * np.exp(0.5 * _wander(n_times, sampling_rate, 20, rng))

    response = responsiveness * rng.normal(0.4, 0.22)  # fraction of the level
    drift = rng.uniform(-0.3, 0.4) * np.linspace(0, 1, n_times)
    drift += 0.12 * _wander(n_times, sampling_rate, 150, rng)
    tonic = level * np.exp(response * _follow(arousal, sampling_rate, 15) + drift)

    eda = tonic + phasic
    for _ in range(rng.poisson(duration / 300)):  # the band shifts on the skin
        eda[rng.integers(n_times) :] *= rng.uniform(0.85, 1.15)
    for _ in range(rng.poisson(duration / 300)):  # an electrode loses contact
        start = rng.integers(n_times)
        eda[start : start + round(rng.uniform(1, 6) * sampling_rate)] *= 0.05
    return np.maximum(eda + rng.normal(scale=0.01, size=n_times), 0)


def _simulate_temp(arousal, duration, responsiveness, rng, mirrored=None):
    """Return the skin temperature, in degrees Celsius."""
    sampling_rate = SAMPLING_RATE["temp"]
    n_times = len(arousal)
    response = responsiveness * rng.normal(-0.2, 0.3)  # degrees Celsius
    temp = rng.normal(33, 1) + response * _follow(arousal, sampling_rate, 60)
    temp += rng.uniform(-0.5, 0.8) * np.linspace(0, 1, n_times)
    temp += 0.2 * _wander(n_times, sampling_rate, 200, rng)
    temp += rng.normal(scale=0.01, size=n_times)
    return np.round(temp / 0.02) * 0.02  # the sensor's resolution


_SIMULATORS = {"bvp": _simulate_bvp, "eda": _simulate_eda, "temp": _simulate_temp}


def _simulate_subject(subject, n_blocks, stage_duration, signals, effect, confound, seed):
    """Simulate the recording of one subject."""
    # one generator each, so that a signal does not depend on which others are asked for
    rng, *rngs = [np.random.default_rng(child) for child in seed.spawn(1 + len(_SIMULATORS))]
    first = rng.integers(2) if confound != "order" else 0
    order = np.array([["rest", "stress"], ["stress", "rest"]])[first]
    stages = np.tile(order, n_blocks)
    onsets = TRANSITION + np.arange(len(stages)) * (stage_duration + TRANSITION)
    duration = onsets[-1] + stage_duration + TRANSITION

    sampling_rate = SAMPLING_RATE["eda"]
    times = np.arange(round(duration * sampling_rate)) / sampling_rate
    target = np.zeros(len(times))
    for stage, onset in zip(stages, onsets, strict=True):
        # some stressors leave a person cold, and some rests are none
        level = rng.uniform(0.6, 1.4) if stage == "stress" else rng.uniform(0, 0.25)
        target[(times >= onset) & (times < onset + stage_duration)] = level
    arousal = _follow(target, sampling_rate, rng.uniform(5, 15))
    arousal += 0.2 * _wander(len(times), sampling_rate, 45, rng)
    responsiveness = rng.lognormal(0, 0.4)

    level = arousal if effect in ("level", "both") else np.zeros(len(arousal))
    mirrored = arousal.clip(0.1, 0.9) if effect in ("shape", "both") else None
    samples = {
        name: simulate(level, duration, responsiveness, rng, mirrored).astype(np.float32)
        for (name, simulate), rng in zip(_SIMULATORS.items(), rngs, strict=True)
        if name in signals
    }
    if confound == "order":
        drift = np.linspace(0, 1, len(times), dtype=np.float32)
        samples |= {name: samples[name] * (1 + drift) for name in samples if name == "eda"}
        samples |= {name: samples[name] + drift for name in samples if name == "temp"}
    if confound == "temperature" and "temp" in samples:
        samples["temp"] += _follow(target > 0.5, sampling_rate, 20).astype(np.float32)
    durations = np.full(len(stages), float(stage_duration))
    annotations = {"onset": onsets, "duration": durations, "description": stages}
    return Recording(samples, {name: SAMPLING_RATE[name] for name in signals}, subject, annotations)


def simulate_wristband(
    n_subjects=12,
    n_blocks=3,
    stage_duration=120.0,
    signals=None,
    random_state=None,
    n_jobs=None,
    *,
    effect="level",
    confound=None,
):
    """Simulate a cohort that wears a wristband through rest and stress.

    Each subject goes through alternating blocks of rest and stress. A hidden arousal follows the
    stages within seconds, wanders without cause, and differs from block to block. ``effect`` says
    what arousal changes:

    - "level": heart rate, sinus arrhythmia, pulse amplitude, the level and responses of skin
      conductance, and skin temperature, as features see them;
    - "shape": the direction of time, and nothing else. At rest, the small wave of most pulses
      comes after the large one, some beats come early, and skin conductance responses rise fast
      and fall slowly. Under stress most of this runs backwards: the small wave comes first, some
      beats come late, responses rise slowly and fall fast. Mean, standard deviation, quantiles,
      heart rate and its variability, number and height of responses are the same forwards and
      backwards, so features of these kinds are blind to it by construction;
    - "both", or None for nothing at all.

    Subjects differ in all of these at rest, in gain and wave shape, and in how much and in which
    direction each responds. Drifts, bursts of motion (``bvp``), steps and lost contact (``eda``)
    come in any stage. ``confound`` adds what stress did not cause.

    This is no model of physiology: pulse and skin conductance responses are NeuroKit2's (Makowski
    et al. 2021, Behavior Research Methods 53) or, with "shape", sums of Gaussians and of
    exponentials. The remainder was set so that the stages can be separated in most subjects, but
    not in all. Leave-one-subject-out, logistic regression on ``HandcraftedFeatures`` of windows of
    60 s, standardised per recording, reaches a balanced accuracy of 0.72 to 0.87 with "level",
    depending on the seed. "shape" was made so that features fail. Scores show that code runs; they
    say nothing about people, nor which method is better on real signals.

    Parameters
    ----------
    n_subjects : int, default=12
        Number of subjects, named ``sim01``, ``sim02``, ... The first do not depend on how many
        follow.
    n_blocks : int, default=3
        Number of blocks of rest, and of stress, per subject. Which comes first is drawn.
    stage_duration : float, default=120
        Duration of a block, in s; 15 s before, between and after blocks have no annotation.
    signals : sequence of str, default=None
        Signals to simulate: ``bvp`` at 64 Hz (arbitrary unit), ``eda`` at 4 Hz (microsiemens) and
        ``temp`` at 4 Hz (degrees Celsius); None for all.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the cohort: the same integer gives the same recordings, whatever ``n_jobs`` is.
    n_jobs : int, default=None
        Number of subjects to simulate at a time, as in joblib.
    effect : {"level", "shape", "both", None}, default="level"
        What stress changes.
    confound : {"order", "temperature", None}, default=None
        What else tells the stages. "order": rest always comes first, and under the band
        conductance doubles and skin warms by 1 degree Celsius from start to end, so that time
        tells the stages, most of all with ``n_blocks=1``. "temperature": the room is 1 degree
        Celsius warmer during stress, which the sensor follows within a minute.

    Returns
    -------
    list of Recording
        One per subject, with float32 signals and the annotations ``rest`` and ``stress``.

    Raises
    ------
    TypeError, ValueError
        If a number is not positive, a stage lasts less than 10 s, or a signal, effect or confound
        is unknown.

    See Also
    --------
    load_example_wristband : Ten minutes of a real recording.

    Examples
    --------
    >>> from physio_ssl.datasets.simulate import simulate_wristband
    >>> simulate_wristband(n_subjects=2, random_state=0)[0]
    Recording(sim01: 825 s, bvp 1 x 64 Hz, eda 1 x 4 Hz, temp 1 x 4 Hz)
    """
    check_count(n_subjects, "n_subjects")
    check_count(n_blocks, "n_blocks")
    check_number(stage_duration, "stage_duration", 10, 1e6, "at least 10 s and at most 1e6 s")
    signals = choose_signals(signals, _SIMULATORS)
    check_choice("effect", effect, EFFECTS)
    check_choice("confound", confound, CONFOUNDS)
    entropy = check_generator(random_state).integers(2**32, size=n_subjects)
    seeds = [np.random.SeedSequence(int(seed)) for seed in entropy]
    check_jobs(n_jobs)
    how = (signals, effect, confound)
    return Parallel(n_jobs=n_jobs)(
        delayed(_simulate_subject)(f"sim{number:02d}", n_blocks, stage_duration, *how, seed)
        for number, seed in enumerate(seeds, start=1)
    )
