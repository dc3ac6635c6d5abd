"""Fixtures: one stage for all cases of a run; npm's packages are kept in the build directory."""
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import packages  # noqa: E402
from play import Stage  # noqa: E402

PLACE_OF_PACKAGES = os.environ.get("NB_COMPATIBILITY", HERE.parents[2] / "build" / "compatibility")


@pytest.fixture(scope="session")
def stage():
    try:
        node_modules = packages.install(pathlib.Path(PLACE_OF_PACKAGES))
    except packages.NotToBeHad as error:
        pytest.skip(str(error))
    with Stage(node_modules) as stage:
        yield stage
        assert stage.broker.alive() and not stage.broker.complaints(), "\n".join(stage.broker.stderr[-40:])
