-- Each contact that has bought, with how: refunds, and orders with a discount or a coupon (domain/insight/buyers.ts).
WITH how AS (
  SELECT
    contact, sum(gross) AS gross, sum(refunded) AS refunded,
    sum(CASE WHEN placed = 1 AND (discount > 0 OR coupon) THEN 1 ELSE 0 END) AS discounted
  FROM sales
  WHERE contact IS NOT NULL
  GROUP BY contact
)
SELECT
  c.contact, c.days, c.first_day, c.last_day, c.orders, c.revenue, c.first_revenue, c.margin, c.valued,
  h.gross, h.refunded, h.discounted
FROM customers c JOIN how h ON h.contact = c.contact
