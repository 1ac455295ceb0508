"""The version, alone in its module so that nothing else need be imported to print it."""

__version__ = "0.1.0"
