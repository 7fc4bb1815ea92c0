# Reference of tests/selection/test_lasso_selector.py: LASSO path of R's glmnet on a seeded data set.
# Run in this folder: Rscript lasso_glmnet.R
library(glmnet)
set.seed(20240611)
n <- 120; p <- 12
common <- rnorm(n)
x <- sapply(1:p, function(j) 0.6 * common + rnorm(n, sd = 0.5 + j / 4))
x[, 3] <- exp(x[, 3])
y <- as.integer(cut(x[, 1] - 0.5 * x[, 2] + 0.3 * x[, 5] + rnorm(n), c(-Inf, -0.2, 1.2, Inf))) - 1L
colnames(x) <- sprintf("x%02d", 1:p)
alphas <- 10^seq(0, -3, length.out = 50)
fit <- glmnet(x, y, family = "gaussian", lambda = alphas, standardize = TRUE, thresh = 1e-16, maxit = 1e7)
sd <- apply(x, 2, function(v) sqrt(mean((v - mean(v))^2)))
per_sd <- t(as.matrix(fit$beta)) * rep(sd, each = length(alphas))
write.csv(data.frame(x, y = y), "lasso_data.csv", row.names = FALSE)
write.csv(data.frame(alpha = fit$lambda, per_sd), "lasso_glmnet.csv", row.names = FALSE)
writeLines(capture.output(sessionInfo()), "lasso_glmnet_session.txt")
