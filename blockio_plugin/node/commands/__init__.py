"""The sub-commands of ``trinity blockio``."""
