# Reference of tests/selection/test_combat.py: ComBat of Bioconductor's sva, its iteration run to convergence.
# Run in this folder: Rscript combat_sva.R
suppressMessages(library(sva))
it <- get("it.sol", asNamespace("sva"))
formals(it)$conv <- 1e-14  # 1e-4 as shipped, which leaves the third decimal open
assignInNamespace("it.sol", it, ns = "sva")
set.seed(20250211)
batch <- rep(c("A", "B", "C"), c(9, 7, 8))[sample(24)]
covariates <- data.frame(age = round(rnorm(24, 70, 9)), female = rbinom(24, 1, 0.6))
scale <- c(A = 1, B = 1.7, C = 0.6); shift <- c(A = 0, B = 1.5, C = -0.8)
data <- t(sapply(1:20, function(j)
  j + 0.03 * rnorm(1) * covariates$age + rnorm(1) * covariates$female +
    (shift[batch] * runif(1, 0.5, 1.5) + scale[batch] * rnorm(24) * runif(1, 0.7, 1.4))))
rownames(data) <- sprintf("f%02d", 1:20)
data <- signif(data, 8)
rows <- data.frame(batch = batch, covariates, t(data))
write.csv(rows, "combat_sva_data.csv", row.names = FALSE)
model <- model.matrix(~ age + female, covariates)
out <- list()
for (prior in c("parametric", "nonparametric")) for (adjusted in c(FALSE, TRUE))
  for (mean_only in c(FALSE, TRUE)) for (reference in c("", "C")) {
    found <- suppressMessages(ComBat(data, batch, mod = if (adjusted) model else NULL, par.prior = prior == "parametric",
                                     mean.only = mean_only, ref.batch = if (reference == "") NULL else reference))
    out[[length(out) + 1]] <- data.frame(prior = prior, adjusted = adjusted, mean_only = mean_only,
                                         reference = reference, row = 1:24, signif(t(found), 11))
  }
write.csv(do.call(rbind, out), "combat_sva.csv", row.names = FALSE)
writeLines(capture.output(sessionInfo()), "combat_sva_session.txt")
