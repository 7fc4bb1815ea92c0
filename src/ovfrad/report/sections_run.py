"""Sections of the run: honesty checks, departures from the paper, software and settings (METHODS G, H4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ovfrad.report.blocks import Block, Section, absent, table, text, why_absent
from ovfrad.report.inputs import ReportInput
from ovfrad.report.sections_detail import recipes, sizes
from ovfrad.report.table_results import plain_table
from ovfrad.report.words import cohort_name, duration


def honesty(data: ReportInput) -> Section:
    """Audit and ledger."""
    results = data.results or {}
    audit = results.get("audit") or {}
    rows = [{k: r.get(k) for k in ("check", "status", "value", "limit", "text")} for r in audit.get("rows", [])]
    none = "The honesty checks are absent: they were not run."
    blocks = [
        table(
            plain_table(rows, 3), "audit", f"Honesty checks: {str(audit.get('status', '')).upper()}.", otherwise=none
        ),
        table(
            plain_table([_named(row) for row in results.get("ledger") or []]),
            "ledger",
            "Optimism ledger: the same model looked at in ways of decreasing optimism.",
            otherwise=why_absent(data, "ledger", "The optimism ledger is absent: it was left out of this run."),
        ),
        *recipes(data),
        *sizes(data),
    ]
    left_out = (data.settings.get("honesty") or {}).get("leave_out") if isinstance(data.settings, Mapping) else None
    if left_out:
        blocks.append(absent(f"Left out at the user's wish: {', '.join(left_out)}."))
    return Section("honesty", "Honesty checks", blocks)


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the ledger with its cohort in words."""
    return {key: cohort_name(value) if key == "cohort" else value for key, value in row.items()}


def differences(data: ReportInput) -> Section:
    """What the paper says, what we do, why."""
    frame = data.recipe_differences
    if frame is not None:
        names = {"setting": "Setting", "paper_says": "Paper says", "we_do": "We do", "why": "Why"}
        names |= {"paper": "Paper says", "sound": "We do"}
        frame = plain_table(frame.rename(columns=names))
    blocks = [
        text(
            "The method is that of Liu J et al., JMIR Med Inform 2025;13:e75665. Recipe sound departs from it only in "
            "these settings; recipe paper follows it step by step."
        ),
        table(
            frame,
            "recipe_differences",
            "Paper says, we do, why.",
            otherwise="The recipes were not compared in this run.",
        ),
    ]
    return Section("differences", "The paper and this run", blocks)


def run_facts(data: ReportInput) -> Section:
    """Software, hashes, warnings, settings, and what this version does not do."""
    told = {key: value for key, value in data.run.items() if key != "harmonisation"}  # in the section of the selection
    facts = [{"Fact": key, "Value": value} for key, value in flat(told)]
    blocks = [
        table(
            pd.DataFrame(facts), "run_facts", "Software, hashes and times.", otherwise="No facts of the run were kept."
        )
    ]
    if data.warnings:
        blocks.append(Block("list", title="Warnings of the run", items=list(data.warnings)))
    if data.settings:
        dump = json.dumps(data.settings, indent=2, default=str, ensure_ascii=False)
        blocks.append(Block("code", title="The resolved study file", text=dump, folded=True))
    if data.not_yet:
        blocks.append(Block("list", title="What this version does not do", items=list(data.not_yet)))
    return Section("run", "How it was run", blocks)


def flat(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as rows.

    >>> flat({"version": "0.1.0", "seconds": 190, "software": {"numpy": "2.3"}})
    [('version', '0.1.0'), ('time', '3 min 10 s'), ('software, numpy', '2.3')]
    """
    rows: list[tuple[str, str]] = []
    for key, value in facts.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            rows += flat(value, f"{name}, ")
        elif key == "seconds":
            rows.append((f"{prefix}time", duration(value)))
        elif isinstance(value, (list, tuple)):
            rows += [(name, ", ".join(map(str, value)))] if value else []
        elif value is not None:
            rows.append((name, str(value)))
    return rows
