-- Each contact that has bought, by what the models need of it (domain/insight/customer.ts).
WITH bounds AS (
  SELECT
    contact, sum(CASE WHEN orders > 0 THEN 1 ELSE 0 END) AS days,
    min(CASE WHEN orders > 0 THEN day END) AS first_day, max(CASE WHEN orders > 0 THEN day END) AS last_day,
    sum(orders) AS orders, sum(revenue) AS revenue, sum(margin) AS margin, sum(valued) AS valued
  FROM purchase_days
  GROUP BY contact
)
SELECT
  b.contact, b.days, b.first_day, b.last_day, b.orders, b.revenue, d.revenue AS first_revenue, b.margin, b.valued
FROM bounds b JOIN purchase_days d ON d.contact = b.contact AND d.day = b.first_day
