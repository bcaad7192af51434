-- Days between a purchase and the next one of the same customer: how often each number of days; firsts: after the first.
WITH marked AS (
  SELECT
    day - lag(day) OVER (PARTITION BY contact ORDER BY day) AS gap,
    row_number() OVER (PARTITION BY contact ORDER BY day) AS nth
  FROM purchase_days
  WHERE orders > 0
)
SELECT gap, count(*) AS gaps, sum(CASE WHEN nth = 2 THEN 1 ELSE 0 END) AS firsts
FROM marked
WHERE gap IS NOT NULL
GROUP BY gap
ORDER BY gap
