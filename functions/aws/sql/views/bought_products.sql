-- What was bought and kept, once for each order and product: neither what came back whole, nor lines without a quantity.
-- gross: what was paid for it. back: 1 on the contact's last day with an order, 2 on the one before …; guests have none.
WITH kept AS (
  SELECT
    "order", contact, date, day, product, max(category) AS category,
    sum(quantity) AS quantity, sum(revenue + refunded) AS gross
  FROM sale_lines
  WHERE placed = 1 AND product IS NOT NULL AND quantity > 0 AND returned < quantity
  GROUP BY "order", contact, date, day, product
)
SELECT
  "order", contact, date, day, product, category, quantity, gross,
  CASE WHEN contact IS NULL THEN NULL ELSE dense_rank() OVER (PARTITION BY contact ORDER BY day DESC) END AS back
FROM kept
