-- Customers of whose revenue some margin is known, by what is left of it after their mail was paid, in hundredths; and
-- those of whom less than nothing is left.
WITH costs AS (
  SELECT contact, sum(cost) AS cost FROM message_facts WHERE day <= :today GROUP BY contact
), profits AS (
  SELECT c.contact, c.revenue, c.margin - coalesce(k.cost, 0) AS profit
  FROM customers c LEFT JOIN costs k ON k.contact = c.contact
  WHERE c.valued <> 0
), ranked AS (
  SELECT
    revenue, profit,
    row_number() OVER (ORDER BY profit DESC, contact) AS place, count(*) OVER () AS customers
  FROM profits
)
SELECT
  CAST(ceil(place * CAST(100 AS double) / customers) AS bigint) AS percent,
  count(*) AS customers, sum(revenue) AS revenue, sum(profit) AS profit,
  sum(CASE WHEN profit < 0 THEN 1 ELSE 0 END) AS unprofitable, sum(CASE WHEN profit < 0 THEN profit ELSE 0 END) AS lost
FROM ranked
GROUP BY CAST(ceil(place * CAST(100 AS double) / customers) AS bigint)
ORDER BY 1
