"""
How do I save an encoder, and what does the other lab need?
===========================================================

An encoder is of use to others if they can turn *their* recordings into *its* windows. So the file
holds the preprocessor, too, and it holds no code: opening it runs none.
"""

# %%
# Train, with the preprocessor
# ----------------------------

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from physio_ssl import Recording, SSLEncoder, load_encoder, save_encoder
from physio_ssl.datasets import simulate_wristband
from physio_ssl.preprocessing import wristband_preprocessor

preprocessor = wristband_preprocessor(duration=60, modalities=("bvp", "eda"))
people = simulate_wristband(6, signals=("bvp", "eda"), random_state=0)
windows = preprocessor.make_windows(people, step=30)
encoder = SSLEncoder(
    preprocessor=preprocessor, module__d_model=32, pretext__n_views=2, max_epochs=2, random_state=0
)
encoder.fit(windows.X, groups=[f"our-lab/{subject}" for subject in windows.groups])

# %%
# Save and load
# -------------
# The file holds numbers and plain settings. It also says whom the encoder has seen, so that a leak
# audit can find those people in a later study.

file = Path(tempfile.mkdtemp()) / "our-encoder.safetensors"
save_encoder(encoder, file)
print(f"{file.stat().st_size / 1000:.0f} kB")

loaded = load_encoder(file)
print(loaded.groups_seen_)
print(np.array_equal(loaded.transform(windows.X), encoder.transform(windows.X)))

# %%
# The numbers are equal to the last bit.
#
# The other lab
# -------------
# Their device records the pulse at 128 Hz. The preprocessor brings it to the encoder's rate: the
# windows have the shape that the encoder expects.

theirs = simulate_wristband(1, n_blocks=1, signals=("bvp", "eda"), random_state=5)[0]
slow = theirs.signals["bvp"][0, 0]
times = np.arange(0, len(slow) - 1, 0.5)
fast = Recording(
    {"bvp": np.interp(times, np.arange(len(slow)), slow), "eda": theirs.signals["eda"]},
    {"bvp": 128, "eda": 4},
    "their-lab/P1",
)
shared = loaded.preprocessor_.make_windows(fast, step=30)
same = loaded.preprocessor_.make_windows(theirs, step=30)
embedding, expected = (loaded.transform(part.X) for part in (shared, same))
print(shared.X, embedding.shape)

# %%
# Does the embedding depend on the device's rate? The points would lie on the line if not.

figure, ax = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
ax.axline((0, 0), slope=1, color="0.7")
ax.plot(expected.ravel(), embedding.ravel(), ".", markersize=3)
ax.set(
    xlabel="embedding, recorded at 64 Hz", ylabel="embedding, recorded at 128 Hz", aspect="equal"
)
plt.show()
print(f"correlation {np.corrcoef(expected.ravel(), embedding.ravel())[0, 1]:.4f}")

# %%
# It does not: what came in at 128 Hz is embedded as the same signal at 64 Hz. A signal that is too
# slow for the encoder is refused instead, as no resampling can bring back what was not recorded.
