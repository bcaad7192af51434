-- Customers as they stood at the end of a day, and what they did from then until today.
WITH bounds AS (
  SELECT
    contact, sum(CASE WHEN orders > 0 THEN 1 ELSE 0 END) AS days,
    min(CASE WHEN orders > 0 THEN day END) AS first_day, max(CASE WHEN orders > 0 THEN day END) AS last_day,
    sum(orders) AS orders, sum(revenue) AS revenue, sum(margin) AS margin, sum(valued) AS valued
  FROM purchase_days
  WHERE day <= :until
  GROUP BY contact
), later AS (
  SELECT contact, sum(CASE WHEN orders > 0 THEN 1 ELSE 0 END) AS days, sum(revenue) AS revenue
  FROM purchase_days
  WHERE day > :until
  GROUP BY contact
)
SELECT
  b.contact, b.days, b.first_day, b.last_day, b.orders, b.revenue, d.revenue AS first_revenue, b.margin, b.valued,
  coalesce(l.days, 0) AS later_days, coalesce(l.revenue, 0) AS later_revenue
FROM bounds b
JOIN purchase_days d ON d.contact = b.contact AND d.day = b.first_day
LEFT JOIN later l ON l.contact = b.contact
ORDER BY b.contact
