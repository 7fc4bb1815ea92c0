# Reference numbers for ovfrad.explanation: proportional odds (MASS::polr), likelihood ratio, and Brant's test from glm.
# Run in this folder: Rscript proportional_odds.R   (Debian: r-base-core, r-cran-mass)
library(MASS)
set.seed(20250101)
n <- 300
data <- data.frame(
  score = round(rnorm(n), 4), age = round(rnorm(n, 70, 10), 1),
  female = rbinom(n, 1, 0.7), thoracic = rbinom(n, 1, 0.33)
)
latent <- with(data, 1.3 * score + 0.03 * (age - 70) + 0.4 * female) + rlogis(n)
data$class <- cut(latent, quantile(latent, c(0, 0.46, 0.9, 1)), labels = FALSE, include.lowest = TRUE) - 1
write.csv(data, "proportional_odds_data.csv", row.names = FALSE, quote = FALSE)

ordered_class <- factor(data$class, ordered = TRUE)
columns <- c("score", "age", "female", "thoracic")
formula <- ordered_class ~ score + age + female + thoracic
control <- list(reltol = 1e-15, maxit = 1000)
fit <- polr(formula, data, Hess = TRUE, control = control)
null <- polr(ordered_class ~ 1, data, Hess = TRUE, control = control)
out <- data.frame(quantity = character(), name = character(), value = numeric())
add <- function(quantity, name, value)
  out <<- rbind(out, data.frame(quantity = quantity, name = name, value = value))
se <- sqrt(diag(vcov(fit)))
add("coefficient", columns, coef(fit))
add("threshold", c("1", "2"), fit$zeta)
add("standard_error", columns, se[columns])
add("log_likelihood", c("fit", "null"), c(as.numeric(logLik(fit)), as.numeric(logLik(null))))

# Brant (1990): separate logistic regressions of class >= 1 and class >= 2, joint covariance of their slopes
parts <- lapply(1:2, function(k)
  glm(as.integer(data$class >= k) ~ score + age + female + thoracic, binomial, data,
      control = glm.control(epsilon = 1e-14, maxit = 100)))
X <- model.matrix(parts[[1]])
p1 <- fitted(parts[[1]]); p2 <- fitted(parts[[2]])
cross <- vcov(parts[[1]]) %*% t(X) %*% diag(p2 - p1 * p2) %*% X %*% vcov(parts[[2]])
gap <- (coef(parts[[1]]) - coef(parts[[2]]))[columns]
spread <- (vcov(parts[[1]]) + vcov(parts[[2]]) - cross - t(cross))[columns, columns]
statistic <- c(gap %*% solve(spread) %*% gap)
add("brant_statistic", c("all", columns), c(statistic, gap^2 / diag(spread)))
add("brant_p", c("all", columns),
    c(pchisq(statistic, 4, lower.tail = FALSE), pchisq(gap^2 / diag(spread), 1, lower.tail = FALSE)))
out$value <- sprintf("%.10g", out$value)
write.csv(out, "proportional_odds.csv", row.names = FALSE, quote = FALSE)
capture.output(sessionInfo(), file = "sessionInfo.txt")
