-- Customers by the period of their first order: how many buy how many periods later, and for how much.
WITH bought AS (
  SELECT
    contact, placed, revenue,
    CAST(floor((12 * year(date) + month(date) - 1) / CAST(:months AS double)) AS bigint) AS period
  FROM sales
  WHERE contact IS NOT NULL
), firsts AS (
  SELECT contact, min(period) AS cohort FROM bought WHERE placed = 1 GROUP BY contact
)
SELECT
  f.cohort, b.period - f.cohort AS later,
  count(DISTINCT CASE WHEN b.placed = 1 THEN b.contact END) AS buyers, sum(b.revenue) AS revenue
FROM firsts f JOIN bought b ON b.contact = f.contact AND b.period >= f.cohort
GROUP BY f.cohort, b.period - f.cohort
ORDER BY 1, 2
