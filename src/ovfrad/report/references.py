"""Bibliography of the methods paragraph: works that a setting or a number of a run rests on."""

from __future__ import annotations

from dataclasses import dataclass, field

REFERENCES = {
    "liu2025": "Liu J, Zhang L, Yuan Y, et al. Deep learning radiomics model based on computed tomography image for "
    "predicting the classification of osteoporotic vertebral fractures. JMIR Med Inform 2025;13:e75665.",
    "griethuysen2017": "van Griethuysen JJM, Fedorov A, Parmar C, et al. Computational radiomics system to decode the "
    "radiographic phenotype. Cancer Res 2017;77(21):e104-e107.",
    "ibsi2020": "Zwanenburg A, Vallières M, Abdalah MA, et al. The Image Biomarker Standardization Initiative. "
    "Radiology "
    "2020;295(2):328-338.",
    "he2016": "He K, Zhang X, Ren S, Sun J. Deep residual learning for image recognition. CVPR 2016:770-778.",
    "chawla2002": "Chawla NV, Bowyer KW, Hall LO, Kegelmeyer WP. SMOTE: synthetic minority over-sampling technique. "
    "J Artif Intell Res 2002;16:321-357.",
    "johnson2007": "Johnson WE, Li C, Rabinovic A. Adjusting batch effects in microarray expression data using "
    "empirical "
    "Bayes methods. Biostatistics 2007;8(1):118-127.",
    "fortin2018": "Fortin JP, Cullen N, Sheline YI, et al. Harmonization of cortical thickness measurements across "
    "scanners and sites. NeuroImage 2018;167:104-120.",
    "mcgraw1996": "McGraw KO, Wong SP. Forming inferences about some intraclass correlation coefficients. Psychol "
    "Methods "
    "1996;1(1):30-46.",
    "tibshirani1996": "Tibshirani R. Regression shrinkage and selection via the lasso. J R Stat Soc B "
    "1996;58(1):267-288.",
    "pedregosa2011": "Pedregosa F, Varoquaux G, Gramfort A, et al. Scikit-learn: machine learning in Python. J Mach "
    "Learn "
    "Res 2011;12:2825-2830.",
    "chen2016": "Chen T, Guestrin C. XGBoost: a scalable tree boosting system. KDD 2016:785-794.",
    "ke2017": "Ke G, Meng Q, Finley T, et al. LightGBM: a highly efficient gradient boosting decision tree. NeurIPS "
    "2017;30:3146-3154.",
    "delong1988": "DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated receiver "
    "operating characteristic curves. Biometrics 1988;44(3):837-845.",
    "obuchowski1997": "Obuchowski NA. Nonparametric analysis of clustered ROC curve data. Biometrics "
    "1997;53(2):567-578.",
    "newcombe2006": "Newcombe RG. Confidence intervals for an effect size measure based on the Mann-Whitney statistic, "
    "part 2. Stat Med 2006;25(4):559-573.",
    "wilson1927": "Wilson EB. Probable inference, the law of succession, and statistical inference. J Am Stat Assoc "
    "1927;22(158):209-212.",
    "holm1979": "Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6(2):65-70.",
    "vickers2006": "Vickers AJ, Elkin EB. Decision curve analysis: a novel method for evaluating prediction models. "
    "Med "
    "Decis Making 2006;26(6):565-574.",
    "vovk2005": "Vovk V, Gammerman A, Shafer G. Algorithmic learning in a random world. Springer, 2005.",
    "lundberg2017": "Lundberg SM, Lee SI. A unified approach to interpreting model predictions. NeurIPS "
    "2017;30:4765-4774.",
    "lundberg2020": "Lundberg SM, Erion G, Chen H, et al. From local explanations to global understanding with "
    "explainable AI for trees. Nat Mach Intell 2020;2:56-67.",
    "mccullagh1980": "McCullagh P. Regression models for ordinal data. J R Stat Soc B 1980;42(2):109-142.",
    "brant1990": "Brant R. Assessing proportionality in the proportional odds model for ordinal logistic regression. "
    "Biometrics 1990;46(4):1171-1178.",
}
"""Key of a work to its entry."""


@dataclass
class Cited:
    """References in the order in which they are first cited."""

    keys: list[str] = field(default_factory=list)

    def __call__(self, *names: str) -> str:
        """Return numbers in brackets.

        >>> cite = Cited()
        >>> cite("liu2025"), cite("he2016", "liu2025")
        ('[1]', '[2,1]')
        """
        self.keys += [name for name in names if name not in self.keys]
        return "[" + ",".join(str(self.keys.index(name) + 1) for name in names) + "]"

    @property
    def listed(self) -> list[str]:
        """Bibliography, numbered."""
        return [f"{place}. {REFERENCES[key]}" for place, key in enumerate(self.keys, start=1)]
