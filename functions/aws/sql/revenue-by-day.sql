-- Each day with a sale: orders, customers, and what they brought in.
SELECT
  day, sum(placed) AS orders, count(DISTINCT CASE WHEN placed = 1 THEN contact END) AS customers,
  sum(revenue) AS revenue, sum(refunded) AS refunded, sum(margin) AS margin, sum(valued) AS valued
FROM sales
GROUP BY day
ORDER BY day
