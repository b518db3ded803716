"""Packages, which pyproject.toml cannot say: all that are found, and models/ as virtperf.models."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["virtperf", "virtperf.*"]), "virtperf.models"])
