-- What a programme is reckoned from: the buyers of the last year and what they bought, and of the buyers of the period
-- before the last one how many bought again in it. period: in days.
WITH year_before AS (
  SELECT
    count(DISTINCT CASE WHEN placed = 1 THEN contact END) AS customers, sum(placed) AS orders, sum(revenue) AS revenue,
    sum(margin) AS margin, sum(valued) AS valued
  FROM sales
  WHERE contact IS NOT NULL AND day > :today - 365 AND day <= :today
), earlier AS (
  SELECT DISTINCT contact
  FROM sales
  WHERE contact IS NOT NULL AND placed = 1 AND day > :today - 2 * :period AND day <= :today - :period
), later AS (
  SELECT DISTINCT contact
  FROM sales
  WHERE contact IS NOT NULL AND placed = 1 AND day > :today - :period AND day <= :today
), again AS (
  SELECT count(*) AS buyers, count(l.contact) AS again
  FROM earlier e LEFT JOIN later l ON l.contact = e.contact
), since AS (
  SELECT min(day) AS first_day FROM sales WHERE contact IS NOT NULL AND placed = 1
)
SELECT y.customers, y.orders, y.revenue, y.margin, y.valued, a.buyers, a.again, s.first_day
FROM year_before y CROSS JOIN again a CROSS JOIN since s
