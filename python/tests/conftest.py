"""Packed models are made once for each case of a run."""

import pytest

from packing import CASES, export, pack, programs


@pytest.fixture(scope="session")
def packed_models(tmp_path_factory):
    """Folder of the packed model of a case by its name, and of its fp32 export."""
    if programs() is None:
        pytest.skip("btc and btc_pipeline are not built (BTC_BIN names their folder)")
    cases = {case.name: case for case in CASES}
    made = {}

    def get(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            packed = pack(cases[name], folder)
            made[name] = packed, export(packed, folder)
        return made[name]

    return get
