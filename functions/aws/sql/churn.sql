-- Customers who begin and who lapse, by day. Who has not bought for :window days has lapsed on the day on which that is
-- so; who buys again begins anew.
WITH marked AS (
  SELECT
    day, lag(day) OVER (PARTITION BY contact ORDER BY day) AS prior_day,
    lead(day) OVER (PARTITION BY contact ORDER BY day) AS next_day
  FROM purchase_days
  WHERE orders > 0
), turns AS (
  SELECT day, 1 AS began, 0 AS lapsed FROM marked WHERE prior_day IS NULL OR day - prior_day > :window
  UNION ALL
  SELECT day + :window AS day, 0 AS began, 1 AS lapsed
  FROM marked
  WHERE next_day - day > :window OR (next_day IS NULL AND day + :window <= :today)
)
SELECT day, sum(began) AS began, sum(lapsed) AS lapsed FROM turns GROUP BY day ORDER BY day
