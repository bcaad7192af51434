-- Customers by the number of days on which they bought.
SELECT days, count(*) AS customers, sum(revenue) AS revenue
FROM customers
GROUP BY days
ORDER BY days
