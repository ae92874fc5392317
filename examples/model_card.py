"""What the recipes of the encoders that come with physio_ssl share: their folder and their card."""

import hashlib
import json
import os
import platform
from datetime import date
from importlib.metadata import version

import numpy as np
import pandas as pd
import torch

import physio_ssl
from physio_ssl import load_encoder


def check_output(folder, settings):
    """Make the output folder, or check that its content was made with the same settings."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "settings.json"
    if path.exists():
        begun = json.loads(path.read_text())
        names = [name for name in settings if settings[name] != begun.get(name)]
        if names:
            raise SystemExit(
                f"{folder} holds a training with other settings ({', '.join(names)}): use those "
                "settings, or another --output"
            )
    else:
        path.write_text(json.dumps(settings, indent=1))


def describe_run(encoder, settings, path, options):
    """Return the facts of a finished training of which any recipe tells in its card."""
    return {
        "parameters": sum(p.numel() for p in encoder.module_.network.parameters()),
        "settings": {name: show(value) for name, value in settings.items()},
        "seed": options.seed,
        "precision": options.precision,
        "n_threads": options.n_threads,
        "machine": describe_machine(options),
        "date": date.today().isoformat(),
        "versions": {
            "physio_ssl": physio_ssl.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "skorch", "scikit-learn", "numpy")},
        },
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def show(value):
    return value.__name__ if isinstance(value, type) else " ".join(repr(value).split())


def describe_machine(options):
    if torch.device(options.device).type == "cuda":
        return torch.cuda.get_device_name(options.device)
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores"


def join_card(folder, corpus_option, describe_use, describe_data, describe_results, limits):
    """Write the model card of a finished training, and return its path.

    The functions write the parts that differ between recipes, of name, facts and folder.
    """
    name = folder.resolve().name
    if not (folder / "training.json").exists():
        raise SystemExit(f"{folder} holds no finished training: give {corpus_option}")
    facts = json.loads((folder / "training.json").read_text())
    weights = folder / f"{name}.safetensors"
    parts = [
        describe_use(name),
        describe_data(facts),
        describe_preprocessor(load_encoder(weights).preprocessor_),
        describe_training(facts, pd.read_csv(folder / "metrics.csv"), weights.stat().st_size),
        describe_results(folder, facts["sha256"]),
        limits,
    ]
    card = folder / f"{name}.md"
    card.write_text("\n\n".join(part.strip() for part in parts) + "\n")
    return card


def tabulate(rows, *columns):
    """Return a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def describe_preprocessor(preprocessor):
    lowest = preprocessor.lowest_sampling_rate or preprocessor.input_sampling_rate
    rows = [
        (
            name,
            show_rate(lowest, name),
            show_rate(preprocessor.input_sampling_rate, name),
            ", ".join(map(repr, steps)) or "nothing",
            show_rate(preprocessor.output_sampling_rate, name),
        )
        for name, steps in preprocessor.steps.items()
    ]
    before, after = np.broadcast_to(preprocessor.context, 2)
    context = f", with {before:g} s before and {after:g} s after" if before or after else ""
    return f"""
## Preprocessing

Each signal is preprocessed over its whole recording, then cut into windows of
{preprocessor.duration:g} s{context}. `encoder.preprocessor_` does all of this.

{tabulate(rows, "modality", "recorded, at least", "resampled to", "steps", "output")}

Signals may have gaps, which are samples of NaN: windows that hold or touch a gap are dropped."""


def show_rate(rates, name):
    return "any" if rates is None else f"{rates[name]:g} Hz"


def describe_training(facts, metrics, n_bytes):
    last = metrics.iloc[-1]
    losses = [
        (name.replace("_", " "), f"{value:.3f}")
        for name, value in last.items()
        if name.startswith(("train_", "valid_")) and pd.notna(value)
    ]
    settings = [(f"`{name}`", f"`{value}`") for name, value in facts["settings"].items()]
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return f"""
## Network and training

{facts["parameters"]:,} parameters; a file of {n_bytes / 1e6:.2f} MB.

{tabulate(settings, "setting", "value")}

Windows every {facts["step"]:g} s; seed {facts["seed"]}; {facts["precision"]};
{len(metrics)} epochs in {metrics["seconds"].sum() / 60:.1f} min on {facts["machine"]}, with
{facts["n_threads"]} thread(s). The training ended on {facts["date"]}, with {versions}.

After the last epoch, on training and held-out people (`metrics.csv` has all epochs):

{tabulate(losses, "metric", "value")}"""


def show_interval(values, form=".3f"):
    """Return a value with its interval as text."""
    if values is None or values[0] is None:
        return "not estimable"
    mean, low, high = (format(value, form) for value in values)
    return f"{mean} [{low}, {high}]"
