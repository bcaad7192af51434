-- What there is in all: orders and customers, guests among them, other currencies, and the first and last day.
SELECT
  sum(placed) AS orders, count(DISTINCT CASE WHEN placed = 1 THEN contact END) AS customers,
  sum(CASE WHEN placed = 1 AND contact IS NULL THEN 1 ELSE 0 END) AS guest_orders,
  sum(CASE WHEN placed = 1 AND foreign_money = 1 THEN 1 ELSE 0 END) AS foreign_orders,
  sum(CASE WHEN placed = 0 THEN 1 ELSE 0 END) AS credit_notes,
  sum(gross) AS gross, sum(refunded) AS refunded, sum(revenue) AS revenue,
  sum(CASE WHEN contact IS NULL THEN revenue ELSE 0 END) AS guest_revenue,
  sum(margin) AS margin, sum(valued) AS valued,
  min(CASE WHEN placed = 1 THEN day END) AS first_day, max(CASE WHEN placed = 1 THEN day END) AS last_day
FROM sales
