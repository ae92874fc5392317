"""Recordings from the objects of other libraries, and back; methods of ``Recording``."""
