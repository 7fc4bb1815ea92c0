"""The methods paragraph on the network: what it saw, whether it was tuned, and how (METHODS D)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ovfrad.report.inputs import ReportInput
from ovfrad.report.references import Cited

_GIVES = {
    "scores": "the class scores of the tuned head",
    "features": "the 2,048 numbers of its average pooling",
    "aligned": "the 2,048 numbers of its average pooling, turned onto common axes",
}


def network_words(data: ReportInput, cite: Cited) -> str:
    """Sentences on the patch, the network and its features."""
    if data.source == "features":
        brought = [arm for arm in data.selection if arm != "table"]
        told = f"Deep features ({', '.join(brought)}) came with the feature table; the authors say how they were made."
        return told if brought else "No network was used."
    nets = {arm: w for arm, w in data.weights.items() if w.kind != "none"}
    if not nets:
        return "No network was used."
    deep, selection = data.settings["deep"], data.settings["selection"]
    kinds = {"random": "seeded random weights, never trained before", "file": "weights supplied by the authors"}
    arms = "; ".join(
        f"arm {arm}: {kinds[w.kind]} ({w.description}; SHA-256 {w.sha256[:12]})" for arm, w in nets.items()
    )
    tuned = [arm for arm in nets if deep["arms"].get(arm, {}).get("tuned")]
    frozen = [arm for arm in nets if arm not in tuned]
    words = [
        f"The {deep['plane']} slice of largest mask area, in a square box with a margin of "
        f"{100 * deep['margin']:.0f}%, was windowed, resized to {deep['size']} × {deep['size']} and given to a "
        f"ResNet-50 {cite('he2016')} ({arms})."
    ]
    if tuned:
        words.append(_tuned(deep["tune"], tuned))
    if frozen:
        which = "It was frozen" if not tuned else f"In arm {' and '.join(frozen)} it was frozen"
        words.append(f"{which}, and the 2,048 numbers of its average pooling were its features.")
    words.append(
        f"Deep features were reduced by principal components of the training rows to "
        f"{100 * selection['pca_variance']:g}% of their variance, at most {selection['pca_max']}."
    )
    return " ".join(words)


def _tuned(tune: Mapping[str, Any], arms: list[str]) -> str:
    """How the networks of these arms were tuned, and what the training rows got of them."""
    extent = "its last stage" if tune["stages"] == "last" else "all its layers"
    how = [
        f"AdamW, learning rates of {tune['head_rate']:g} for the head and {tune['backbone_rate']:g} for the rest, each "
        f"annealed by a cosine",
        f"only the head in the first {100 * tune['frozen_share']:.0f}% of {tune['epochs']} epochs",
        f"batches of {tune['batch']}",
        *(["classes weighted inversely to their frequency"] if tune["class_weights"] else []),
        *(["augmentation by small shifts, turns, scales and changes of intensity"] if tune["augment"] else []),
        *([f"stopping on {100 * tune['stop_share']:.0f}% of the patients"] if tune["stop_share"] else []),
    ]
    fate = (
        f"from networks tuned on other patients, in {tune['folds']} folds"
        if tune["training_features"] == "out_of_fold"
        else "from the network that had been tuned on them, which flatters them"
    )
    return (
        f"In arm {' and '.join(arms)} {extent} and a new head were tuned on the training patients, anew in every fold "
        f"({'; '.join(how)}); {_GIVES[tune['gives']]} were its features, for training rows {fate}."
    )
