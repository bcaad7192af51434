-- What each customer brought in and has cost from a day to another, both included: revenue, what its goods have cost as far
-- as margins are known, and its mail.
WITH bought AS (
  SELECT contact, sum(placed) AS orders, sum(revenue) AS revenue, sum(margin) AS margin, sum(valued) AS valued
  FROM sales
  WHERE contact IS NOT NULL AND day >= :from AND day <= :to
  GROUP BY contact
), written AS (
  SELECT contact, sum(sent) AS messages, sum(coupons) AS coupons, sum(cost) AS cost
  FROM message_facts
  WHERE day >= :from AND day <= :to
  GROUP BY contact
)
SELECT
  coalesce(b.contact, w.contact) AS contact, coalesce(b.orders, 0) AS orders, coalesce(b.revenue, 0) AS revenue,
  coalesce(b.margin, 0) AS margin, coalesce(b.valued, 0) AS valued, coalesce(w.messages, 0) AS messages,
  coalesce(w.coupons, 0) AS coupons, coalesce(w.cost, 0) AS cost
FROM bought b FULL OUTER JOIN written w ON w.contact = b.contact
ORDER BY 3 DESC, 1
