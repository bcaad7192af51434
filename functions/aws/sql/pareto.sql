-- Customers by revenue, greatest first, in hundredths: the hundredth of a rank is the least percent that it lies within.
WITH costs AS (
  SELECT contact, sum(cost) AS cost FROM message_facts WHERE day <= :today GROUP BY contact
), ranked AS (
  SELECT
    c.revenue, c.margin, c.valued, c.orders, coalesce(k.cost, 0) AS cost,
    row_number() OVER (ORDER BY c.revenue DESC, c.contact) AS place, count(*) OVER () AS customers
  FROM customers c LEFT JOIN costs k ON k.contact = c.contact
)
SELECT
  CAST(ceil(place * CAST(100 AS double) / customers) AS bigint) AS percent,
  count(*) AS customers, sum(orders) AS orders, sum(revenue) AS revenue, sum(margin) AS margin, sum(valued) AS valued,
  sum(cost) AS cost, min(revenue) AS least, max(revenue) AS most
FROM ranked
GROUP BY CAST(ceil(place * CAST(100 AS double) / customers) AS bigint)
ORDER BY 1
