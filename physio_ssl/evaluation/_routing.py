"""Hand the subjects of windows to whatever asks for them in ``fit``."""

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter


def route_groups(model, groups, prefix=""):
    """Return the arguments of ``fit`` that hand the subjects to whatever asks for them."""
    if hasattr(model, "refit") and hasattr(model, "estimator"):  # a search
        inner = model.estimator
        # One's own search may split by subject; ours is given its splits.
        own = {} if isinstance(model.cv, list) else {f"{prefix}groups": groups}
        return {**own, **_route_to_steps(inner, groups, prefix)}
    return {
        **({f"{prefix}groups": groups} if has_fit_parameter(model, "groups") else {}),
        **_route_to_steps(model, groups, prefix),
    }


def _route_to_steps(model, groups, prefix):
    routed = {}
    if isinstance(model, Pipeline):
        for name, step in model.steps:
            if step not in (None, "passthrough"):
                routed |= route_groups(step, groups, f"{prefix}{name}__")
    return routed
