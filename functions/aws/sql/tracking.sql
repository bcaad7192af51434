-- Repeat purchases of the customers whose first order was no later than a day, by the day on which they were made.
WITH known AS (
  SELECT contact, first_day FROM customers WHERE first_day <= :until
)
SELECT d.day, count(*) AS repeats
FROM purchase_days d JOIN known k ON k.contact = d.contact AND d.day > k.first_day
WHERE d.orders > 0
GROUP BY d.day
ORDER BY d.day
