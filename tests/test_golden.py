"""Outputs of seeded code are the numbers of earlier versions; golden_values says how to renew."""

import json

import numpy as np
import pytest
from golden_values import FILE, GOLDEN

KNOWN = json.loads(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("compute", GOLDEN, ids=lambda compute: compute.__name__)
def test_numbers_stay_the_same(compute):
    found = {f"{compute.__name__}: {name}": x for name, x in compute().items()}
    assert set(found) == {name for name in KNOWN if name.startswith(f"{compute.__name__}: ")}
    for name, values in found.items():
        known = np.array(KNOWN[name], dtype=float)
        np.testing.assert_allclose(np.ravel(values), known, rtol=1e-4, atol=1e-4, err_msg=name)


def test_the_numbers_are_few():
    assert FILE.stat().st_size < 30_000
