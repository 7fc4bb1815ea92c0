# Reference of tests/selection/test_lasso_losses.py: paths and CV curves of R's glmnet, multinomial, binomial and Cox.
# Run in this folder, after lasso_glmnet.R: Rscript lasso_losses_glmnet.R
library(glmnet)
glmnet.control(fdev = 0, devmax = 1)  # every penalty is solved
data <- read.csv("lasso_data.csv")
x <- as.matrix(data[, -ncol(data)]); y <- data$y
set.seed(20240612)
n <- nrow(x); p <- ncol(x)
z <- scale(x)
follow <- round(rexp(n, exp(0.7 * z[, 1] - 0.4 * z[, 5])) * 10) / 10 + 0.1  # one decimal: ties
censor <- round(runif(n, 0.1, 4) * 10) / 10
times <- data.frame(time = pmin(follow, censor), event = as.integer(follow <= censor), fold = rep(1:10, length.out = n))
write.csv(times, "lasso_times.csv", row.names = FALSE)
alphas <- 10^seq(0, -3, length.out = 50)

# 90 columns, the features and their products, on the first 70 rows: more columns than rows.
pairs <- which(upper.tri(diag(p), diag = TRUE), arr.ind = TRUE)
wide <- cbind(x, x[, pairs[, 1]] * x[, pairs[, 2]])[1:70, ]
colnames(wide) <- c(colnames(x), sprintf("x%02d_x%02d", pairs[, 1], pairs[, 2]))

sd1 <- function(m) apply(m, 2, function(v) sqrt(mean((v - mean(v))^2)))
rows <- function(fit, beta, level, m, set, class) {
  b <- t(as.matrix(beta)) * rep(sd1(m), each = length(fit$lambda))
  intercept <- if (is.null(level)) 0 else level + as.vector(t(as.matrix(beta)) %*% colMeans(m))
  data.frame(set = set, class = class, alpha = fit$lambda, intercept = intercept, b)
}
solve <- function(m, target, family, lambda = alphas)
  glmnet(m, target, family = family, lambda = lambda, thresh = 1e-18, maxit = 1e8)
surv <- function(time, event) cbind(time = time, status = event)
all_of <- function(m, y, times, few) {
  multi <- solve(m, factor(y), "multinomial", few)
  binary <- solve(m, factor(y > 0), "binomial", few)
  timed <- solve(m, surv(times$time, times$event), "cox", few)
  order <- solve(m, surv(3 - y, rep(1, length(y))), "cox", few)
  rbind(
    do.call(rbind, lapply(1:3, function(k) rows(multi, multi$beta[[k]], multi$a0[k, ], m, "multinomial", k - 1))),
    rows(binary, binary$beta, binary$a0, m, "binomial", 0),
    rows(timed, timed$beta, NULL, m, "cox_times", 0),
    rows(order, order$beta, NULL, m, "cox_order", 0)
  )
}
write.csv(all_of(x, y, times, alphas), "lasso_losses_glmnet.csv", row.names = FALSE)
write.csv(all_of(wide, y[1:70], times[1:70, ], alphas[1:34]), "lasso_losses_wide_glmnet.csv", row.names = FALSE)

curve <- function(target, family, set) {
  cv <- cv.glmnet(x, target, family = family, lambda = alphas, foldid = times$fold, thresh = 1e-14, maxit = 1e8)
  data.frame(set = set, alpha = cv$lambda, mean = cv$cvm, se = cv$cvsd)
}
curves <- rbind(
  curve(factor(y), "multinomial", "multinomial"),
  curve(surv(times$time, times$event), "cox", "cox_times"),
  curve(surv(3 - y, rep(1, n)), "cox", "cox_order")
)
write.csv(curves, "lasso_losses_cv_glmnet.csv", row.names = FALSE)
writeLines(capture.output(sessionInfo()), "lasso_losses_glmnet_session.txt")
