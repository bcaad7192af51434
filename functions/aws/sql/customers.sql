-- Each contact that has bought, by what the models need of it, and what its mail has cost, in minor units.
WITH costs AS (
  SELECT contact, sum(sent) AS messages, sum(coupons) AS coupons, sum(cost) AS cost
  FROM message_facts
  WHERE day <= :today
  GROUP BY contact
)
SELECT
  c.contact, c.days, c.first_day, c.last_day, c.orders, c.revenue, c.first_revenue, c.margin, c.valued,
  coalesce(k.messages, 0) AS messages, coalesce(k.coupons, 0) AS coupons, coalesce(k.cost, 0) AS cost
FROM customers c LEFT JOIN costs k ON k.contact = c.contact
ORDER BY c.contact
