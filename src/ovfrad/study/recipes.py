"""The two recipes: `sound` is the default of every setting, `paper` differs where the paper's step misleads.

Every difference is one named setting with what the paper says, what `sound` does, and why.

>>> [difference.setting for difference in DIFFERENCES][:2]
['radiomics.intensities', 'selection.spearman_rule']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ovfrad.study.settings import StudySettings


class Difference(NamedTuple):
    """One setting in which the recipes differ; `paper` is its value under `paper`."""

    setting: str
    paper: Any
    paper_says: str
    we_do: str
    why: str


DIFFERENCES = (
    Difference(
        "radiomics.intensities",
        "zscore",
        "images are z-scored before features are extracted",
        "features are extracted from Hounsfield units",
        "HU are calibrated: a z-score by image removes the bone density that the score is about, and with a bin of 25 "
        "units would leave a single grey level",
    ),
    Difference(
        "selection.spearman_rule",
        "order",
        "greedy elimination above |rho| 0.9, as the platform does it, in column order",
        "the feature with most partners goes first, ties by mean |rho| and name",
        "the result must not depend on the order of the columns",
    ),
    Difference(
        "selection.lasso_rule",
        "min",
        "LASSO penalty at the minimum of the 10-fold curve",
        "the largest penalty within one standard error of the minimum",
        "the minimum keeps features that the next sample does not confirm",
    ),
    Difference(
        "selection.prune_above",
        0.5,
        "features correlated above 0.5 with another one are dropped after the LASSO",
        "this step is left out",
        "the LASSO has already weighed correlated features against each other on the outcome",
    ),
    Difference(
        "deep.tune.training_features",
        "in_sample",
        "features of a tuned network are taken from the patients it was tuned on",
        "training features come from networks that did not see the patient",
        "a network makes the features of its own training patients look near perfect, and everything that is then "
        "chosen on them believes it (only in arms with tuned: true)",
    ),
    Difference(
        "deep.tune.gives",
        "features",
        "2048 features of the tuned network, reduced by PCA",
        "the class scores of the tuned head",
        "features of differently tuned networks do not share axes, class scores do (only in arms with tuned: true)",
    ),
    Difference(
        "models.class_weights",
        True,
        "class weights during training",
        "no weights; probabilities are recalibrated on cross-fitted training predictions",
        "weights multiply the rare class's probability and leave its ranking where it was",
    ),
    Difference(
        "models.recalibrate",
        False,
        "probabilities as the classifier gives them",
        "temperature and class offsets fitted on cross-fitted training predictions",
        "a probability should mean what it says",
    ),
    Difference(
        "models.headline.model",
        "best_of_nine",
        "the best of nine classifiers by cross-validation is the result",
        "the mean of five dense models, named before any result is seen",
        "the best of nine on one sample is partly the luckiest of nine",
    ),
)


def defaults(recipe: str) -> dict[str, Any]:
    """Settings that a recipe changes, as a nested mapping.

    >>> defaults("sound"), defaults("paper")["selection"]["lasso_rule"]
    ({}, 'min')
    """
    nested: dict[str, Any] = {}
    for difference in DIFFERENCES if recipe == "paper" else ():
        *sections, key = difference.setting.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = difference.paper
    return nested


def side_by_side(sound: StudySettings, paper: StudySettings) -> list[str]:
    """Lines that set the recipes side by side, as comments of YAML: what the paper says, what `sound` does, and why.

    Parameters
    ----------
    sound, paper : StudySettings
        One study file resolved under each; a setting that the file gives is the same in both, and said to be.
    """
    lines = ["# what differs"]
    for difference in DIFFERENCES:
        ours, theirs = (_value(settings, difference.setting) for settings in (sound, paper))
        told = f"sound {ours}, paper {theirs}" if ours != theirs else f"{ours} in both, as the study file says"
        lines += [f"# {difference.setting}: {told}", f"#   paper: {difference.paper_says}",
                  f"#   sound: {difference.we_do}", f"#   why: {difference.why}"]  # fmt: skip
    return lines


def _value(settings: StudySettings, name: str) -> Any:
    """Value of a setting by its dotted name."""
    found: Any = settings
    for part in name.split("."):
        found = getattr(found, part)
    return found
