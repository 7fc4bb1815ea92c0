# Reference numbers for AUC, DeLong and ICC (pROC, psych). Run in this folder: Rscript generate.R
# Needs the Debian packages r-base-core, r-cran-proc, r-cran-psych; writes the CSV files and session_info.txt here.
suppressPackageStartupMessages({library(pROC); library(psych)})
write <- function(table, file) {
  numbers <- sapply(table, is.numeric)
  table[numbers] <- lapply(table[numbers], function(x) format(x, digits = 17, trim = TRUE))
  write.csv(table, file, row.names = FALSE, quote = FALSE)
}

# --- two correlated scores on the same rows; `digits` rounds them, so that rows tie
sets <- list(list(seed = 1, n = 51, share = .10, digits = 8), list(seed = 2, n = 51, share = .47, digits = 1),
             list(seed = 3, n = 110, share = .12, digits = 1), list(seed = 4, n = 187, share = .45, digits = 0),
             list(seed = 5, n = 187, share = .12, digits = 2), list(seed = 6, n = 750, share = .09, digits = 1))
drawn <- lapply(sets, function(s) {
  set.seed(s$seed)
  y <- rep(0, s$n); y[sample(s$n, round(s$n * s$share))] <- 1
  shared <- rnorm(s$n)
  a <- round(shared + rnorm(s$n) + 1.2 * y, s$digits); b <- round(shared + rnorm(s$n) + .7 * y, s$digits)
  data.frame(y = y, a = a, b = b)
})
# --- the markers of the aSAH data (Turck et al., Intensive Care Med 2010;36:107-115; 113 patients, outcome poor or
# good) in pairs, as midranks: an AUC sees no more, and no patient's value leaves pROC
data(aSAH)
poor <- as.numeric(aSAH$outcome == "Poor"); ranks <- lapply(aSAH[c("s100b", "ndka", "wfns")], function(x) rank(as.numeric(x)))
for (pair in list(c("s100b", "ndka"), c("s100b", "wfns"), c("ndka", "wfns")))
  drawn <- c(drawn, list(data.frame(y = poor, a = ranks[[pair[1]]], b = ranks[[pair[2]]])))
# --- five values, one ranking worse than chance
set.seed(10); y <- rep(c(1, 0), c(5, 46))
drawn <- c(drawn, list(data.frame(y = y, a = sample(5, 51, TRUE) - 2 * y, b = sample(5, 51, TRUE))))
names <- c(paste("seed", 1:6), "aSAH s100b ndka", "aSAH s100b wfns", "aSAH ndka wfns", "five values")
rows <- list(); results <- list()
for (i in seq_along(drawn)) {
  y <- drawn[[i]]$y; a <- drawn[[i]]$a; b <- drawn[[i]]$b
  rows[[i]] <- data.frame(dataset = i, y = y, a = a, b = b)
  ra <- roc(y, a, direction = "<", levels = c(0, 1), quiet = TRUE)
  rb <- roc(y, b, direction = "<", levels = c(0, 1), quiet = TRUE)
  test <- roc.test(ra, rb, method = "delong", paired = TRUE)
  results[[i]] <- data.frame(dataset = i, name = names[i], n = length(y), cases = sum(y), ties = length(y) - length(unique(a)),
    auc_a = as.numeric(auc(ra)), auc_b = as.numeric(auc(rb)), var_a = var(ra, method = "delong"),
    var_b = var(rb, method = "delong"), cov_ab = cov(ra, rb, method = "delong"),
    z = unname(test$statistic), p = test$p.value)
}
write(do.call(rbind, rows), "delong_rows.csv"); write(do.call(rbind, results), "delong_results.csv")

# --- ICC of n subjects by k readers, with 95 % limits
rows <- list(); results <- list()
shapes <- list(c(6, 4), c(30, 2), c(30, 2), c(12, 3), c(25, 5))
for (i in seq_along(shapes)) {
  n <- shapes[[i]][1]; k <- shapes[[i]][2]; set.seed(100 + i)
  x <- if (i == 1) matrix(c(9,2,5,8, 6,1,3,2, 8,4,6,8, 7,1,2,6, 10,5,6,9, 6,2,4,7), 6, 4, byrow = TRUE) else
    round(matrix(rnorm(n), n, k) + matrix(rep(rnorm(k, sd = .4), each = n), n, k) +
          matrix(rnorm(n * k, sd = c(0, .3, 1, .6, .8)[i]), n, k), 3)
  rows[[i]] <- data.frame(dataset = i, subject = rep(seq_len(n), k), reader = rep(seq_len(k), each = n), value = c(x))
  out <- ICC(x, lmer = FALSE)$results
  results[[i]] <- data.frame(dataset = i, n = n, k = k, kind = c("1,1", "2,1", "3,1", "1,k", "2,k", "3,k"),
                             icc = out$ICC, low = out[["lower bound"]], high = out[["upper bound"]])
}
results <- do.call(rbind, results); results$kind <- sub(",", ".", results$kind)
write(do.call(rbind, rows), "icc_rows.csv"); write(results, "icc_results.csv")

writeLines(capture.output(sessionInfo()), "session_info.txt")
