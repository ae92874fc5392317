"""Are the stage boundaries of Stress-Predict right? Its labels against tags, log and signals.

    python examples/check_stress_predict.py StressPredict
    python examples/check_stress_predict.py StressPredict --encoder wristband-small

Each subject has six boundaries: start and end of the Stroop test, of the interview and of
hyperventilation. The script compares those of the labels that ``load_stress_predict`` reads with
the tags, which are presses of the wristband's button, and with ``Processed_data/Time_logs.xlsx``,
which holds whole minutes on a clock of 12 hours. It then asks which of two times fits the signals
better: the average heart rate, skin conductance and, where the folder holds ACC.csv, movement of
the other people around this boundary. ``--encoder`` reports how a score changes without people.
"""

import argparse
import re
import warnings
import xml.etree.ElementTree as ElementTree
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from physio_ssl import StageLabels, load_encoder
from physio_ssl.datasets import load_stress_predict
from physio_ssl.evaluation import leave_subjects_out
from physio_ssl.preprocessing import HeartRateChannels

TASKS = ("stroop", "interview", "hyperventilation")
BOUNDARIES = [f"{task}, {side}" for task in TASKS for side in ("start", "end")]
COLUMNS = ("I", "J", "M", "N", "Q", "R")  # of the same boundaries in the log
HALF_DAY = 12 * 60 * 60  # s
SAME = 2  # s; labels are whole seconds
SECONDS = np.r_[-120:-15, 15:120]  # around a boundary; to press the button is a movement itself
REPORTED = ("S02", "S03", "S06", "S09", "S14", "S17", "S18", "S19", "S30")


def main():
    options = parse_options()
    log_path = options.time_logs or options.folder / "Processed_data" / "Time_logs.xlsx"
    moving = (options.folder / "Raw_data" / "S02" / "ACC.csv").exists()
    signals = ("bvp", "eda", "temp", *(["acc"] if moving else []))
    recordings = load_stress_predict(options.folder, signals=signals)
    table = compare_times(recordings, options.folder, read_log(log_path))
    add_matches(table, {recording.subject: make_traces(recording) for recording in recordings})
    pd.set_option("display.float_format", "{:.2f}".format)
    show_times(table)
    show_matches(table)
    if options.encoder is not None:
        show_scores(options.encoder, recordings, table)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of Stress-Predict")
    parser.add_argument("--time-logs", type=Path, help="Time_logs.xlsx, if it is elsewhere")
    parser.add_argument("--encoder", help="file, or name of an encoder of physio_ssl, to score")
    return parser.parse_args()


def read_log(path):
    """Return the six logged times of each subject, in seconds since midnight or noon."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as file:
        texts = ElementTree.fromstring(file.read("xl/sharedStrings.xml")).iter(f"{space}si")
        texts = ["".join(part.text or "" for part in text.iter(f"{space}t")) for text in texts]
        sheet = ElementTree.fromstring(file.read("xl/worksheets/sheet1.xml"))
    times = {}
    for row in sheet.iter(f"{space}row"):
        cells = {}
        for cell in row:
            value = cell.findtext(f"{space}v")
            if value is not None:
                column = cell.get("r").rstrip("0123456789")
                cells[column] = texts[int(value)] if cell.get("t") == "s" else float(value)
        if re.fullmatch(r"S\d\d", str(cells.get("A"))):  # rows above are headings
            days = np.array([cells[column] for column in COLUMNS])
            times[cells["A"]] = np.round(days * 24 * 60) * 60 % HALF_DAY
    return times


def compare_times(recordings, folder, log):
    """Return one row per subject and boundary; times are seconds since the recording's start."""
    rows = []
    for recording in recordings:
        subject, start = recording.subject, recording.start_time
        stages = pd.DataFrame(dict(recording.annotations)).set_index("description").loc[list(TASKS)]
        label = np.c_[stages["onset"], stages["onset"] + stages["duration"]].ravel()
        tags = np.loadtxt(folder / "Raw_data" / subject / f"tags_{subject}.csv") - start
        # some tags were entered on a clock of 12 hours: move them into the recording
        off = (tags < 0) | (tags > recording.duration)
        tags = np.where(off, tags % HALF_DAY, tags)
        nearest = np.abs(tags - label[:, np.newaxis]).argmin(axis=1)
        logged = log[subject] - start
        logged = logged + HALF_DAY * np.round((label - logged) / HALF_DAY)
        for i, boundary in enumerate(BOUNDARIES):
            rows.append(
                {
                    "subject": subject,
                    "boundary": boundary,
                    "label": label[i],
                    "tag": tags[nearest[i]],
                    "tag_moved": off[nearest[i]],
                    "log": logged[i],
                }
            )
    table = pd.DataFrame(rows)
    by_tag = (np.abs(table["tag"] - table["label"]) < SAME) & ~table["tag_moved"]
    by_log = np.abs(table["log"] - table["label"]) < SAME
    table["source"] = np.select([by_tag, by_log], ["tag", "log"], "neither")
    return table


def make_traces(recording):
    """Return heart rate, skin conductance and movement, smoothed, once a second."""

    def each_second(name, n_channels=1):
        rate = int(recording.sampling_rate[name])
        x = np.asarray(recording.signals[name], dtype=float).reshape(n_channels, -1)
        return x[:, : x.shape[1] // rate * rate].reshape(n_channels, -1, rate)

    bvp = recording.signals["bvp"][np.newaxis].astype(float)
    rate = int(recording.sampling_rate["bvp"])
    heart_rate = HeartRateChannels(rate).fit_transform(bvp.reshape(1, 1, -1))[0, 1]
    heart_rate = heart_rate[: heart_rate.size // rate * rate].reshape(-1, rate).mean(axis=1)
    traces = {
        "heart rate": gaussian_filter1d(heart_rate, 4),
        "skin conductance": gaussian_filter1d(
            np.log(each_second("eda")[0].mean(axis=-1).clip(0.01)), 4
        ),
    }
    if "acc" in recording.signals:
        movement = each_second("acc", 3).std(axis=-1).sum(axis=0)
        traces["movement"] = gaussian_filter1d(np.log(movement + 0.01), 4)  # g
    return traces


def cut(trace, time):
    """Return the z-scores of a trace around a time, or NaN where the recording does not reach."""
    seconds = round(time) + SECONDS
    if seconds[0] < 0 or seconds[-1] >= len(trace):
        return np.full(len(SECONDS), np.nan)
    part = trace[seconds]
    return (part - part.mean()) / part.std()


def add_matches(table, traces):
    """Add the correlation with the other people's average at the time of label, tag and log."""
    for name in next(iter(traces.values())):
        for _, rows in table.groupby("boundary"):
            shapes = {
                row.subject: cut(traces[row.subject][name], row.label)
                for row in rows.itertuples()
                if row.source == "tag"
            }
            for row in rows.itertuples():
                others = [shape for subject, shape in shapes.items() if subject != row.subject]
                template, trace = np.nanmean(others, axis=0), traces[row.subject][name]
                shifts = np.arange(-200, 201, 2)
                matches = [np.mean(cut(trace, row.label + s) * template) for s in shifts]
                table.loc[row.Index, f"best shift, {name}"] = shifts[np.nanargmax(matches)]
                for time in ("label", "tag", "log"):
                    match = np.mean(cut(trace, getattr(row, time)) * template)
                    table.loc[row.Index, f"{name} at {time}"] = match


def show_times(table):
    print("\nBoundaries by their source\n")
    print(table.groupby("subject")["source"].value_counts().unstack(fill_value=0).T.to_string())
    tagged = table[table["source"] == "tag"]
    error = (tagged["log"] - tagged["label"]).abs()
    print(f"\nThe log is off {len(error)} tags by a median of {error.median():.0f} s, ", end="")
    print(f"by more than 90 s in {(error > 90).sum()}.")
    unusual = table[(table["source"] != "tag") | ((table["log"] - table["label"]).abs() > 90)]
    unusual = unusual.assign(**{x: unusual[x] - unusual["label"] for x in ("tag", "log")})
    apart = (table["tag"] - table["label"]).abs().where(table["source"] != "tag").sum()
    print(f"Labels that are no tags lie {apart:.0f} s from the nearest tags, in all.")
    print("\nLabels that are no tags, or 90 s off the log; tag and log are relative to them.\n")
    print(unusual[["subject", "boundary", "label", "tag", "tag_moved", "log"]].to_string())
    print("\nCorrelation of their signals with the average of the other people\n")
    print(unusual.filter(like=" at ").to_string())


def show_matches(table):
    """Print how well signals locate a tag, and whether they fit the tag or the log."""
    tagged = table[table["source"] == "tag"]
    print("\nMedian distance of the best match within 200 s from the tag, in s\n")
    distance = tagged.filter(like="best shift").abs().groupby(tagged["boundary"]).median()
    print(distance.loc[BOUNDARIES].to_string())
    apart = tagged[(tagged["log"] - tagged["tag"]).abs() >= 20]
    print("\nTags that signals fit better than a log that is 20 s or more off\n")
    for column in apart.filter(like=" at tag"):
        wins = apart[column] > apart[column.replace("tag", "log")]
        print(f"{column.removesuffix(' at tag')}: {wins.sum()} of {len(wins)}")


def show_scores(encoder, recordings, table):
    """Print scores on windows every 30 s of all people, and without those with doubtful labels."""
    stress = {"rest": 0, **dict.fromkeys(TASKS, 1)}
    encoder = load_encoder(encoder)
    windows = encoder.preprocessor_.make_windows(recordings, 30, labels=StageLabels(stress))
    windows = replace(windows, X=encoder.transform(windows.X))
    doubtful = sorted(table.loc[table["source"] != "tag", "subject"].unique())
    model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000)
    models = {"logistic regression": make_pipeline(StandardScaler(), model)}
    print(f"\n{windows}: mean score over people; trained with or without those left out\n")
    everyone = score_people(models, windows)
    print(everyone.loc[doubtful].to_string(float_format="{:.3f}".format), "\n")
    rows = {"no one": everyone.mean()}
    for left_out in (doubtful, sorted(set(REPORTED) & set(everyone.index))):
        names = " ".join(left_out)
        without = windows.select(~np.isin(windows.groups, left_out))
        rows[f"{names}, trained with"] = everyone.drop(left_out).mean()
        rows[f"{names}, trained without"] = score_people(models, without).mean()
    print(pd.DataFrame(rows).T.to_string(float_format="{:.3f}".format))


def score_people(models, windows):
    study = leave_subjects_out(models, windows, transductive=True, baselines=False)
    return pd.DataFrame(study.records).set_index("subject")[["macro_f1", "auroc"]]


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        main()
