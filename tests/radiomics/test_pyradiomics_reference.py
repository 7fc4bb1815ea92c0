"""Against what PyRadiomics 3.0.1 gives for the cases of tests/reference/radiomics/cases.py, stored beside them."""

from __future__ import annotations

import math

import pytest
from cases import TABLES
from comparison import disagreements, extract_ours, numbers, read_table

from ovfrad.errors import InputError

ALL = [(table, name) for table, listed in TABLES.items() for name in listed]


@pytest.fixture(scope="module")
def tables(reference):
    return {table: read_table(reference / f"{table}_3.0.1.csv") for table in TABLES}


@pytest.mark.parametrize("table", TABLES)
def test_every_case_has_its_column_and_no_other(tables, table):
    assert tables[table].keys() == TABLES[table].keys()


@pytest.mark.parametrize(("table", "name"), ALL)
def test_every_feature_equals_pyradiomics(tables, shared, table, name):
    column = tables[table][name]
    if "error" in column:
        with pytest.raises(InputError):
            extract_ours(TABLES[table][name], shared)
        return
    expected = numbers(column)
    found, said = extract_ours(TABLES[table][name], shared)
    assert disagreements(found, expected) == []
    assert list(found) == list(expected)
    assert said or not any(math.isnan(value) for value in found.values())
