# Public tables for benchmarks/tables.py: Rscript benchmarks/tables.R FOLDER
# Needs the packages caret, mlbench, kernlab, multtest, ALL and bladderbatch (Debian: r-cran-caret r-cran-mlbench
# r-cran-kernlab r-bioc-multtest r-bioc-all r-bioc-bladderbatch). Nothing of them is kept in this project.
suppressMessages({library(caret); library(mlbench); library(kernlab); library(multtest); library(ALL)})
suppressMessages(library(bladderbatch))
folder <- commandArgs(trailingOnly = TRUE)[1]
keep <- function(name, x, outcome) {
  x <- as.data.frame(x)
  x <- x[, sapply(x, is.numeric), drop = FALSE]
  whole <- complete.cases(x) & !is.na(outcome)
  out <- cbind(outcome = as.integer(factor(outcome))[whole] - 1, x[whole, ])
  write.csv(out, file.path(folder, paste0(name, ".csv")), row.names = FALSE)
}
data(dhfr); keep("dhfr", dhfr[, -1], dhfr$Y)
data(mdrr); keep("mdrr", mdrrDescr, mdrrClass)
data(cox2); keep("cox2", cox2Descr, cox2Class)
data(BloodBrain); keep("bbb", bbbDescr, logBBB > median(logBBB))
data(segmentationData); keep("cells", segmentationData[, -(1:3)], segmentationData$Class)
data(tecator); keep("tecator", absorp, endpoints[, 3] > 17)
data(Sonar); keep("sonar", Sonar[, -61], Sonar$Class)
data(Ionosphere); keep("ionosphere", data.frame(lapply(Ionosphere[, -35], as.numeric)), Ionosphere$Class)
data(PimaIndiansDiabetes); keep("pima", PimaIndiansDiabetes[, -9], PimaIndiansDiabetes$diabetes)
data(Vehicle); keep("vehicle", Vehicle[, -19], Vehicle$Class)
data(Glass); keep("glass", Glass[, -10], Glass$Type)
data(musk); keep("musk", musk[, -167], musk$Class)
data(golub); keep("golub", t(golub[order(-apply(golub, 1, var))[1:1500], ]), golub.cl)

# Expression arrays, the thousand most variable probes: no table above was chosen on them (decision 8).
varied <- function(x) t(x[order(-apply(x, 1, var))[1:1000], ])
data(ALL); leukaemia <- varied(exprs(ALL)); about <- pData(ALL); b_cell <- grepl("^B", about$BT)
either <- function(values, levels) factor(values, levels)
keep("all_bcr", leukaemia[b_cell, ], either(about$mol.biol[b_cell], c("BCR/ABL", "NEG")))
keep("all_stage", leukaemia[b_cell, ], either(substr(about$BT[b_cell], 1, 2), c("B1", "B2", "B3")))
keep("all_relapse", leukaemia, about$relapse)
keep("all_mdr", leukaemia, about$mdr)
keep("all_kinet", leukaemia, about$kinet)
keep("all_age", leukaemia, about$age > median(about$age, na.rm = TRUE))
data(bladderdata)
keep("bladder", varied(exprs(bladderEset)), either(bladderEset$outcome, c("sTCC+CIS", "sTCC-CIS", "mTCC")))
