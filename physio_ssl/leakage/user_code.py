"""What the code that a model is given holds: functions, and classes of the user's own."""

import dis
import sys
from functools import partial
from types import CellType, CodeType, FunctionType, MethodType


def is_own(thing):
    """Whether a class or function is the user's own, not Python's or of an installed package."""
    package = (getattr(thing, "__module__", None) or "builtins").partition(".")[0]
    if package == "physio_ssl" or package in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(package), "__file__", None) or ""
    return "site-packages" not in file and "dist-packages" not in file


def is_code(value):
    """Whether a value is a function, or an object of a class of the user's own."""
    return isinstance(value, (FunctionType, MethodType, partial)) or is_own(type(value))


def read_class(kind):
    """Return the attributes and functions of the user's own classes among the bases."""
    held = {}
    for base in filter(is_own, kind.__mro__):
        for name, value in vars(base).items():
            value = getattr(value, "__func__", getattr(value, "fget", value))
            if isinstance(value, FunctionType) or not name.startswith("__"):
                held.setdefault(name, value)
    return held


def read_attributes(value):
    """Return what an object or a function was given: attributes, arguments, variables."""
    if isinstance(value, partial):
        return {"func": value.func, "args": value.args, **value.keywords}
    if isinstance(value, MethodType):
        return {"self": value.__self__, "func": value.__func__}
    if isinstance(value, FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        known = {name: cell.cell_contents for name, cell in cells if cell != CellType()}
        return {"defaults": value.__defaults__, **known, **vars(value)}
    own = read_class(type(value)) if is_own(type(value)) else {}
    return {**own, **getattr(value, "__dict__", {})}


def read_globals(function):
    """Return the global variables that a function of the user's own reads."""
    if not isinstance(function, FunctionType) or not is_own(function):
        return {}
    codes, names = [function.__code__], []
    for code in codes:  # which grows by the functions inside
        names += [i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"]
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    known = function.__globals__
    return {name: known[name] for name in dict.fromkeys(names) if name in known}
