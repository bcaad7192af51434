-- Buyers by period, and how many of them buy again in the next one. period: the months since the year 0 through :months.
WITH buyers AS (
  SELECT DISTINCT
    contact, CAST(floor((12 * year(date) + month(date) - 1) / CAST(:months AS double)) AS bigint) AS period
  FROM sales
  WHERE contact IS NOT NULL AND placed = 1
), firsts AS (
  SELECT contact, min(period) AS period FROM buyers GROUP BY contact
)
SELECT
  b.period, count(*) AS buyers, count(n.contact) AS again,
  sum(CASE WHEN f.period = b.period THEN 1 ELSE 0 END) AS new_buyers
FROM buyers b
LEFT JOIN buyers n ON n.contact = b.contact AND n.period = b.period + 1
JOIN firsts f ON f.contact = b.contact
GROUP BY b.period
ORDER BY b.period
